"""What the server does with each command, once it has been read and the client is known."""

from collections.abc import Callable, Iterator
from typing import Any

from bson import Int64

from tests.fakes.mongod.errors import CODE_NAMES, CommandError
from tests.fakes.mongod.matching import MISSING, apply_update, matches, project, sort_documents, value_at
from tests.fakes.mongod.mongot import (
    MongotOptions,
    create_search_indexes,
    drop_search_index,
    update_search_index,
)
from tests.fakes.mongod.pipeline import run_pipeline
from tests.fakes.mongod.storage import Collection, Mirror, WriteResult
from tests.fakes.mongod.wire import Doc

FIRST_BATCH = 101
OK = {"ok": 1.0}


class Commands:
    """All data of the server, and one method for each command."""

    def __init__(self, options: MongotOptions) -> None:
        self.options = options
        self.databases: dict[str, dict[str, Collection]] = {}
        self._cursors: dict[int, tuple[str, list[Doc]]] = {}
        self._done: dict[tuple[bytes, int], Doc] = {}
        self._handlers: dict[str, Callable[[Doc], Doc]] = {
            "ping": lambda command: OK,
            "endSessions": lambda command: OK,
            "insert": self._insert,
            "update": self._update,
            "delete": self._delete,
            "findAndModify": self._find_and_modify,
            "find": self._find,
            "getMore": self._get_more,
            "killCursors": self._kill_cursors,
            "aggregate": self._aggregate,
            "count": self._count,
            "distinct": self._distinct,
            "create": self._create,
            "drop": self._drop,
            "dropDatabase": self._drop_database,
            "listCollections": self._list_collections,
            "createIndexes": self._create_indexes,
            "listIndexes": self._list_indexes,
            "dropIndexes": self._drop_index,
            "createSearchIndexes": self._search_command,
            "updateSearchIndex": self._search_command,
            "dropSearchIndex": self._search_command,
        }

    def run(self, name: str, command: Doc) -> Doc:
        """The reply to a command; a failure is a reply, too. A retried write is not run again."""
        if name not in self._handlers:
            return CommandError(59, f"no such command: '{name}'").reply(command)
        try:
            return self._once(name, command) if "txnNumber" in command else self._handlers[name](command)
        except CommandError as error:
            return error.reply(command)

    def _once(self, name: str, command: Doc) -> Doc:
        transaction = (bytes(command["lsid"]["id"]), int(command["txnNumber"]))
        if transaction not in self._done:
            self._done[transaction] = self._handlers[name](command)
        return self._done[transaction]

    # Namespaces

    def collection(self, command: Doc) -> Collection | None:
        """The collection that a command names, or None."""
        return self.databases.get(command["$db"], {}).get(next(iter(command.values())))

    def _made(self, command: Doc) -> Collection:
        database = self.databases.setdefault(command["$db"], {})
        name = next(iter(command.values()))
        if name not in database:
            lags = {"vectorSearch": lambda: self.options.lag_s, "search": lambda: self.options.text_lag_s}
            database[name] = Collection({kind: Mirror(lag_s) for kind, lag_s in lags.items()})
        return database[name]

    def _create(self, command: Doc) -> Doc:
        if self.collection(command) is not None:
            raise CommandError(48, f"Collection {command['$db']}.{command['create']} already exists.")
        self._made(command)
        return OK

    def _drop(self, command: Doc) -> Doc:
        self.databases.get(command["$db"], {}).pop(command["drop"], None)
        return OK

    def _drop_database(self, command: Doc) -> Doc:
        self.databases.pop(command["$db"], None)
        return OK

    def _list_collections(self, command: Doc) -> Doc:
        rows = [{"name": name, "type": "collection"} for name in self.databases.get(command["$db"], {})]
        return self._open_cursor("$cmd.listCollections", [r for r in rows if matches(r, command.get("filter", {}))], {})

    def _create_indexes(self, command: Doc) -> Doc:
        collection = self._made(command)
        for spec in command["indexes"]:
            if spec.keys() & {"sparse", "partialFilterExpression"}:
                raise CommandError(238, "indexes of some documents alone are not implemented")
            if spec not in collection.indexes:
                collection.add_index(spec)
        return {"numIndexesAfter": len(collection.indexes), "ok": 1.0}

    def _list_indexes(self, command: Doc) -> Doc:
        return self._open_cursor(command["listIndexes"], self._existing(command).indexes, command["cursor"])

    def _drop_index(self, command: Doc) -> Doc:
        collection = self._existing(command)
        was = len(collection.indexes)
        if not collection.drop_index(command["index"]):
            raise CommandError(27, f"index not found with name [{command['index']}]")
        return {"nIndexesWas": was, "ok": 1.0}

    def _existing(self, command: Doc) -> Collection:
        collection = self.collection(command)
        if collection is None:
            raise CommandError(26, f"ns does not exist: {command['$db']}.{next(iter(command.values()))}")
        return collection

    def _search_command(self, command: Doc) -> Doc:
        self.options.require()
        collection = self._existing(command)
        match next(iter(command)):
            case "createSearchIndexes":
                return create_search_indexes(collection, command, self.options)
            case "updateSearchIndex":
                return update_search_index(collection, command)
        return drop_search_index(collection, command)

    # Writes

    def _insert(self, command: Doc) -> Doc:
        collection = self._made(command)
        return self._each(command["documents"], command, collection.insert)

    def _delete(self, command: Doc) -> Doc:
        collection = self._made(command)
        return self._each(command["deletes"], command, collection.delete)

    def _each(self, statements: list[Doc], command: Doc, run: Callable[[Doc], int]) -> Doc:
        count, errors = 0, []
        for index, statement in enumerate(statements):
            try:
                count += run(statement)
            except CommandError as error:
                code_name = CODE_NAMES.get(error.code, "")
                errors.append({"index": index, "code": error.code, "codeName": code_name, "errmsg": error.message})
                if command.get("ordered", True):
                    break
        return {"n": count, "ok": 1.0} | ({"writeErrors": errors} if errors else {})

    def _update(self, command: Doc) -> Doc:
        collection = self._made(command)
        results: list[WriteResult] = []

        def run(statement: Doc) -> int:
            results.append(collection.update(statement))
            return results[-1].matched

        reply = self._each(command["updates"], command, run)
        upserted = [{"index": i, "_id": r.upserted} for i, r in enumerate(results) if r.upserted is not MISSING]
        reply |= {"nModified": sum(result.modified for result in results)}
        return reply | ({"upserted": upserted} if upserted else {})

    def _find_and_modify(self, command: Doc) -> Doc:
        collection = self._made(command)
        found = sort_documents(list(collection.find(command.get("query", {}))), command.get("sort") or {})
        old = found[0] if found else None
        if command.get("remove"):
            count = collection.delete({"q": {"_id": old["_id"]}}) if old else 0
            return {"lastErrorObject": {"n": count}, "value": old, "ok": 1.0}
        statement = {"q": command.get("query", {}), "u": command["update"], "upsert": command.get("upsert", False)}
        if old is not None:
            new = apply_update(old, command["update"])
            collection.put(new)
            return {"lastErrorObject": {"n": 1}, "value": new if command.get("new") else old, "ok": 1.0}
        result = collection.update(statement)
        new_id = {"_id": result.upserted}
        value = next(collection.find(new_id), None) if command.get("new") and result.upserted is not MISSING else None
        return {"lastErrorObject": {"n": result.matched}, "value": value, "ok": 1.0}

    # Reads

    def _matching(self, command: Doc, key: str) -> Iterator[Doc]:
        collection = self.collection(command)
        return collection.find(command.get(key, {})) if collection else iter([])

    def _find(self, command: Doc) -> Doc:
        docs = sort_documents(list(self._matching(command, "filter")), command.get("sort", {}))
        docs = docs[command.get("skip", 0) :]
        docs = docs[: command["limit"]] if command.get("limit") else docs
        rows = [project(doc, command.get("projection", {})) for doc in docs]
        return self._open_cursor(command["find"], rows, command)

    def _aggregate(self, command: Doc) -> Doc:
        rows = run_pipeline(self.collection(command), command["pipeline"], self.options)
        return self._open_cursor(command["aggregate"], rows, command["cursor"])

    def _open_cursor(self, name: str, rows: list[Doc], request: Doc) -> Doc:
        size = request.get("batchSize", FIRST_BATCH)
        batch, rest = rows[:size], rows[size:]
        cursor_id = 0
        if rest and not request.get("singleBatch"):
            cursor_id = len(self._cursors) + 7001 + max(self._cursors, default=0)
            self._cursors[cursor_id] = (name, rest)
        return {"cursor": {"firstBatch": batch, "id": Int64(cursor_id), "ns": f"db.{name}"}, "ok": 1.0}

    def _get_more(self, command: Doc) -> Doc:
        if command["getMore"] not in self._cursors:
            raise CommandError(43, f"cursor id {command['getMore']} not found")
        name, rest = self._cursors.pop(command["getMore"])
        size = command.get("batchSize", 10_000)
        batch, rest = rest[:size], rest[size:]
        if rest:
            self._cursors[command["getMore"]] = (name, rest)
        cursor_id = Int64(command["getMore"] if rest else 0)
        return {"cursor": {"nextBatch": batch, "id": cursor_id, "ns": f"db.{name}"}, "ok": 1.0}

    def _kill_cursors(self, command: Doc) -> Doc:
        killed = [cursor for cursor in command["cursors"] if self._cursors.pop(cursor, None)]
        return {"cursorsKilled": killed, "cursorsNotFound": [], "ok": 1.0}

    def _count(self, command: Doc) -> Doc:
        return {"n": sum(1 for _ in self._matching(command, "query")), "ok": 1.0}

    def _distinct(self, command: Doc) -> Doc:
        values: list[Any] = []
        for doc in self._matching(command, "query"):
            value = value_at(doc, command["key"])
            if value is not MISSING and value not in values:
                values.append(value)
        return {"values": values, "ok": 1.0}
