"""Reaching MongoDB: the client, and one way to send it anything.

Everything that pymongo may raise passes through `Connection.call`, which tries again where that can
help and turns the rest into `StoreError`s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    NetworkTimeout,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from database.errors import SettingsError, StoreError
from database.settings import IndexSettings
from database.stores.mongo_errors import explain, too_slow

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase

    MotorCollection: TypeAlias = AsyncIOMotorCollection[dict[str, Any]]
    MotorDatabase: TypeAlias = AsyncIOMotorDatabase[dict[str, Any]]

P = ParamSpec("P")
T = TypeVar("T")

RETRY_DELAYS_S = (0.1, 0.5)
"""Between attempts after a connection broke. Every command that the store sends may be repeated."""
SOCKET_TIMEOUT_FACTOR = 6
"""A command may take this many times MONGODB_TIMEOUT_S; searches get MONGODB_TIMEOUT_S itself."""


def address_of(uri: str) -> str:
    """The host (and port) of a connection string, without user and password."""
    return uri.split("://", 1)[-1].rsplit("@", 1)[-1].split("/")[0].split("?")[0]


def client_options(uri: str, timeout_s: float) -> dict[str, Any]:
    """Options for the client of `uri`.

    A server that runs in a container calls itself by a name that often resolves only there. A
    client told one host and no replica set is therefore told not to look for other members.
    """
    milliseconds = int(timeout_s * 1000)
    options: dict[str, Any] = {
        "appname": "acervo",
        "serverSelectionTimeoutMS": milliseconds,
        "connectTimeoutMS": milliseconds,
        "socketTimeoutMS": milliseconds * SOCKET_TIMEOUT_FACTOR,
    }
    given = {name.lower() for name, _ in parse_qsl(uri.partition("?")[2], keep_blank_values=True)}
    single = uri.startswith("mongodb://") and "," not in address_of(uri)
    if single and not given & {"replicaset", "directconnection", "loadbalanced"}:
        options["directConnection"] = True
    return options


LIMIT_FACTOR = 1.5
"""What a question waits for may take this many times MONGODB_TIMEOUT_S: a little longer than a single
search, whose own failure tells more."""


class Connected(Protocol):
    """What asks over a connection."""

    connection: "Connection"


C = TypeVar("C", bound=Connected)


def soon(
    read: Callable[Concatenate[C, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[C, P], Coroutine[Any, Any, T]]:
    """The method `read`, given up with `StoreUnavailable` where a MongoDB hangs: questions wait for it."""

    @wraps(read)
    async def limited(self: C, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with asyncio.timeout(LIMIT_FACTOR * self.connection.timeout_s):
                return await read(self, *args, **kwargs)
        except TimeoutError:
            raise too_slow(self.connection.address) from None

    return limited


class Connection:
    """One client of one MongoDB, made when it is opened."""

    def __init__(self, settings: IndexSettings):
        self._uri = settings.mongodb_uri
        self._name = settings.mongodb_db
        self.timeout_s = settings.mongodb_timeout_s
        self.address = address_of(self._uri)
        self._client: AsyncIOMotorClient[dict[str, Any]] | None = None

    async def open(self) -> None:
        """Make the client. Nothing is sent yet, except to the name server for `mongodb+srv://`."""
        if self._client is None:
            self._client = await asyncio.to_thread(self._make_client, asyncio.get_running_loop())

    def _make_client(self, loop: asyncio.AbstractEventLoop) -> "AsyncIOMotorClient[dict[str, Any]]":
        from motor.motor_asyncio import AsyncIOMotorClient

        try:
            return AsyncIOMotorClient(self._uri, io_loop=loop, **client_options(self._uri, self.timeout_s))
        except (ConfigurationError, ValueError):
            # The reason is left out, because it may quote a part of the password.
            raise SettingsError(
                f"MONGODB_URI cannot be used (host {self.address!r}). Write it as "
                "mongodb://USER:PASSWORD@HOST:27017/ with % codes for special characters in the password."
            ) from None

    @property
    def database(self) -> "MotorDatabase":
        """The database MONGODB_DB."""
        if self._client is None:
            raise StoreError("The MongoDB store is not open.")
        return self._client[self._name]

    def close(self) -> None:
        """Close the client's sockets."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, begun again when the connection broke. Raises `StoreError` only."""
        for delay_s in RETRY_DELAYS_S:
            try:
                return await work()
            except (NetworkTimeout, ServerSelectionTimeoutError) as error:
                raise self._explain(error) from error
            except AutoReconnect:
                await asyncio.sleep(delay_s)
            except (PyMongoError, BSONError) as error:
                raise self._explain(error) from error
        try:
            return await work()
        except (PyMongoError, BSONError) as error:
            raise self._explain(error) from error

    async def find(self, name: str, query: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        """All rows of a collection that meet a query."""
        return await self.call(lambda: self.database[name].find(query, **options).to_list(None))

    async def aggregate(self, name: str, pipeline: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        """All rows at the end of a pipeline over a collection."""
        return await self.call(lambda: self.database[name].aggregate(pipeline, **options).to_list(None))

    async def estimate_count(self, name: str) -> int:
        """How many rows a collection has, by its statistics: at once, however many there are."""
        return await self.call(lambda: self.database[name].estimated_document_count())

    async def replace(self, name: str, row: dict[str, Any]) -> None:
        """Write one row, in place of the one with its `_id` if there is one."""
        await self.call(lambda: self.database[name].replace_one({"_id": row["_id"]}, row, upsert=True))

    async def delete(self, name: str, query: dict[str, Any]) -> int:
        """Delete all rows that meet a query; how many went."""
        result = await self.call(lambda: self.database[name].delete_many(query))
        return result.deleted_count

    async def drop_index(self, name: str, index: str) -> None:
        """Drop an ordinary index of a collection, if it is there."""
        there = await self.call(self.database[name].index_information)
        if index in there:
            await self.call(lambda: self.database[name].drop_index(index))

    def _explain(self, error: PyMongoError | BSONError) -> StoreError:
        return explain(error, self.address, self.timeout_s)
