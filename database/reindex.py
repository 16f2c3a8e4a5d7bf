"""Making the whole index anew beside the one that answers, then letting the new one answer.

What is made is kept document by document, so that a rebuilding that was killed goes on where it
was: while it made documents, after the switch, and while it dropped the old generation. Loads on
several machines that rebuild at the same time share the work, and the last one switches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from database.build import work_through
from database.changes import full_path
from database.claims import Claim, Claims, Closed
from database.documents import Contents, Document, IndexRecord, Vector
from database.errors import ClaimLost, ReadError
from database.index import describe_index
from database.plan import Versions
from database.stores import Generation, Store
from database.turns import Turns

LOOK_S = 0.5
"""How often what others work on is looked at."""

Make = Callable[[Document], Awaitable[tuple[Document, Contents]]]
"""Reads and builds a document, ready to be published. Raises `ReadError`."""


class Rebuilder:
    """Rebuilds the index of one store. `versions` are what finished and failed documents have; `known`
    is given the vectors that `make` may use again, by their windows' texts."""

    def __init__(
        self,
        store: Store,
        make: Make,
        versions: Versions,
        known: dict[str, Vector],
        claims: Claims,
        turns: Turns,
    ):
        self._store, self._make, self._versions, self._known = store, make, versions, known
        self._claims, self._turns = claims, turns
        self._tried: dict[str, Document | None] = {}

    async def rebuild(self, record: IndexRecord, places: asyncio.Semaphore | None = None) -> list[Document]:
        """Make the generation that `record` describes, let it answer and drop the one before. As many documents are
        made at a time as there are `places`.

        What was made here, without what cannot be read: that one's records say so afterwards.
        """
        async with self._turns.gate():
            answering = await self._store.read_index()
            if await self._store.drop_old() and answering is not None and answering.made_by == record.made_by:
                return []  # the one before was killed when it had switched already
            generation = await self._store.open_next(record)
            number = await self._number()
        again = answering is not None and _keeps_vectors(answering, record)
        while not await self._finish(generation, number, record):
            while waiting := await self._find_waiting(generation):
                await work_through(waiting, lambda document: self._add(generation, number, document, again), places)
                if all(document.id not in self._tried for document in waiting):
                    await asyncio.sleep(LOOK_S)  # others are at them
        return [document for document in self._tried.values() if document and document.state != "failed"]

    async def _number(self) -> int:
        """Of the generation that is being made; 0 when none is."""
        unfinished = await self._store.read_next()
        return unfinished.generation if unfinished else 0

    async def _finish(self, generation: Generation, number: int, record: IndexRecord) -> bool:
        """Let the generation answer if it is whole; whether it does."""
        if await self._find_waiting(generation):
            return False
        async with self._turns.alone():
            if await self._number() != number:
                return True  # another load was quicker
            if await self._find_waiting(generation):
                return False
            await generation.wait_until_searchable([document.id for document in await generation.list_documents()])
            await describe_index(generation, await self._store.read_next() or record)
            await self._store.switch()
            await self._store.drop_old()
            await self._store.sweep()
            await self._turns.forget_claims()
            return True

    async def _find_waiting(self, generation: Generation) -> Sequence[Document]:
        """Documents not made yet, also those that came meanwhile. Unreadable ones are left to the next load."""
        wanted = self._versions
        made = {d.id for d in await generation.list_documents() if d.whole and d.version == wanted.of(d).contents}
        known = await self._store.list_documents()
        return [d for d in known if d.id not in made and d.id not in self._tried and d.state != "failed"]

    async def _add(self, generation: Generation, number: int, document: Document, again: bool) -> None:
        # What is made shows in the generation alone, so that claims stay there until it answers.
        claim = await self._claims.take(f"{number}:{document.id}")
        if isinstance(claim, Closed):
            self._tried[document.id] = None
        if not isinstance(claim, Claim):
            return
        try:
            known = await self._store.read_vectors(document.id) if again else {}
            self._known.update(known)
            self._tried[document.id] = made = await self._make_into(generation, document, claim)
            await claim.close(made.reason)
            for text in known:
                self._known.pop(text, None)
        except ClaimLost:
            return  # this process had stood still; another one is at it
        finally:
            await self._claims.end(claim)

    async def _make_into(self, generation: Generation, document: Document, claim: Claim) -> Document:
        try:
            made, contents = await self._make(document)
        except ReadError as error:
            version = self._versions.of(document).reader
            made = replace(document, state="failed", reason=str(error), version=version)
            await claim.renew()
            await generation.put_document(made)
        else:
            await claim.renew()
            await generation.publish(made, contents)
        return made


def _keeps_vectors(answering: IndexRecord, record: IndexRecord) -> bool:
    """Whether only what is embedded differs, not by what. An index of the same settings is made anew as a whole."""
    same = (answering.embedder, answering.dimension) == (record.embedder, record.dimension)
    return same and answering.made_by != record.made_by


def find_source(document: Document, kept: Path) -> Path | None:
    """A file to copy the original from again, when the one that was kept is missing or cut short."""
    for path in (kept, *(Path(full_path(name)) for name in document.names)):
        if path.is_file() and path.stat().st_size == document.size:
            return None if path == kept else path
    return None
