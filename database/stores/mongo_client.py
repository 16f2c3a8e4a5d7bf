"""Reaching MongoDB: the client, and what each failure means for a person.

Everything that pymongo may raise passes through `Connection.call`, which tries again where that can
help and turns the rest into `StoreError`s. The only place that reads an error's text is `mongot_text`:
mongod reports whatever mongot says under one code.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from database.errors import IndexMismatch, IndexNotReady, SettingsError, StoreError, StoreUnavailable
from database.settings import IndexSettings

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase

    MotorCollection: TypeAlias = AsyncIOMotorCollection[dict[str, Any]]
    MotorDatabase: TypeAlias = AsyncIOMotorDatabase[dict[str, Any]]

T = TypeVar("T")

REBUILD = "python database/main.py --reindex"
RETRY_DELAYS_S = (0.1, 0.5)
"""Between attempts after a connection broke. Every command that the store sends may be repeated."""
SOCKET_TIMEOUT_FACTOR = 6
"""A command may take this many times MONGODB_TIMEOUT_S; searches get MONGODB_TIMEOUT_S itself."""


class Code:
    """The codes of mongod that have a meaning of their own here."""

    HOST_UNREACHABLE = 6
    FROM_MONGOT = 8
    UNAUTHORIZED = 13
    AUTHENTICATION_FAILED = 18
    TOO_SLOW = 50
    SEARCH_SERVICE_AWAY = 125
    SEARCH_NOT_ENABLED = 31082


_BUILDING = re.compile(r"not initialized|NOT_STARTED|INITIAL_SYNC")
_DIMENSIONS = re.compile(r"indexed with (\d+) dimensions but queried with (\d+)")


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


def mongot_text(error: OperationFailure) -> str:
    """What mongot said: the only sign that tells its failures apart."""
    message: str = (error.details or {}).get("errmsg", "")
    return message.rpartition("caused by ::")[2].strip()


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
                raise self.explain(error) from error
            except AutoReconnect:
                await asyncio.sleep(delay_s)
            except PyMongoError as error:
                raise self.explain(error) from error
        try:
            return await work()
        except PyMongoError as error:
            raise self.explain(error) from error

    def explain(self, error: PyMongoError) -> StoreError:
        """What a failure means and what to do about it."""
        if isinstance(error, NetworkTimeout):
            return StoreUnavailable(
                f"MongoDB at {self.address} does not answer in time. Look at its load, or raise MONGODB_TIMEOUT_S."
            )
        if isinstance(error, ConnectionFailure):
            return StoreUnavailable(
                f"No MongoDB answers at {self.address}. Start it with `docker compose up -d mongodb`, "
                "or unset MONGODB_URI to use the embedded store."
            )
        if isinstance(error, OperationFailure):
            return self._explain_refusal(error)
        return StoreError(f"MongoDB at {self.address} failed ({type(error).__name__}). Look at its log.")

    def _explain_refusal(self, error: OperationFailure) -> StoreError:
        match error.code:
            case Code.AUTHENTICATION_FAILED | Code.UNAUTHORIZED:
                return StoreError(
                    f"MongoDB at {self.address} refused the login or the rights of its user. "
                    "Correct user and password in MONGODB_URI (both stand in .env for the Docker stack)."
                )
            case Code.SEARCH_NOT_ENABLED:
                return StoreError(
                    f"MongoDB at {self.address} runs without its search process. Use MongoDB Atlas Local "
                    "(`docker compose up -d mongodb`), or unset MONGODB_URI to use the embedded store."
                )
            case Code.SEARCH_SERVICE_AWAY | Code.HOST_UNREACHABLE:
                return IndexNotReady(
                    f"The search process of MongoDB at {self.address} is still starting; this takes up to two "
                    "minutes. Should it last, look at `docker compose logs mongodb`."
                )
            case Code.TOO_SLOW:
                return StoreUnavailable(
                    f"MongoDB at {self.address} needed longer than MONGODB_TIMEOUT_S={self.timeout_s:g} for a search."
                )
            case Code.FROM_MONGOT:
                return _explain_mongot(mongot_text(error))
        return StoreError(f"MongoDB at {self.address} refused: {_first_message(error)} (code {error.code}).")


def _explain_mongot(text: str) -> StoreError:
    if _BUILDING.search(text):
        return IndexNotReady("The search index is still being built. Wait a moment and ask again.")
    if dimensions := _DIMENSIONS.search(text):
        return IndexMismatch(
            f"The index holds vectors of {dimensions[1]} dimensions, the embedder makes {dimensions[2]}. "
            f"Set EMBEDDER back, or rebuild the index with `{REBUILD}`."
        )
    return StoreError(f"MongoDB's search process refused: {text}")


def _first_message(error: OperationFailure) -> str:
    """The server's own words; of a bulk write its first error's, which leaves the documents out."""
    details = error.details or {}
    first = details.get("writeErrors", [{}])[:1] if isinstance(error, BulkWriteError) else [details]
    return str(first[0].get("errmsg", "")) if first else ""
