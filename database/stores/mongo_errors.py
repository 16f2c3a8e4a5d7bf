"""What each failure of MongoDB means for a person.

Codes tell failures apart. The only place that reads a failure's text is `mongot_text`: mongod
reports whatever its search process says under one code.
"""

import re

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
)

from database.errors import IndexMismatch, IndexNotReady, StoreError, StoreUnavailable

REBUILD = "python database/main.py --reindex"


class Code:
    """The codes of mongod that have a meaning of their own here."""

    HOST_UNREACHABLE = 6
    FROM_MONGOT = 8
    UNAUTHORIZED = 13
    AUTHENTICATION_FAILED = 18
    TOO_SLOW = 50
    SEARCH_SERVICE_AWAY = 125
    DOCUMENT_TOO_LARGE = 10334
    SEARCH_NOT_ENABLED = 31082


_BUILDING = re.compile(r"not initialized|NOT_STARTED|INITIAL_SYNC")
_DIMENSIONS = re.compile(r"indexed with (\d+) dimensions but queried with (\d+)")


def mongot_text(error: OperationFailure) -> str:
    """What mongot said: the only sign that tells its failures apart."""
    message: str = (error.details or {}).get("errmsg", "")
    return message.rpartition("caused by ::")[2].strip()


def explain(error: PyMongoError | BSONError, address: str, timeout_s: float) -> StoreError:
    """What a failure of the MongoDB at `address` means and what to do about it."""
    if isinstance(error, (BSONError, DocumentTooLarge)):
        return _too_large()
    if isinstance(error, NetworkTimeout):
        return too_slow(address)
    if isinstance(error, NotPrimaryError):
        return StoreUnavailable(f"MongoDB at {address} takes no writes at the moment. Try again shortly.")
    if isinstance(error, ConnectionFailure):
        return StoreUnavailable(
            f"No MongoDB answers at {address}. Start it with `docker compose up -d mongodb`, "
            "or unset MONGODB_URI to use the embedded store."
        )
    if isinstance(error, OperationFailure):
        return _explain_refusal(error, address, timeout_s)
    return StoreError(f"MongoDB at {address} failed ({type(error).__name__}). Look at its log.")


def too_slow(address: str) -> StoreUnavailable:
    """The error for a MongoDB that keeps a question waiting."""
    return StoreUnavailable(
        f"MongoDB at {address} does not answer in time. Look at its load, or raise MONGODB_TIMEOUT_S."
    )


def _explain_refusal(error: OperationFailure, address: str, timeout_s: float) -> StoreError:
    match error.code:
        case Code.AUTHENTICATION_FAILED | Code.UNAUTHORIZED:
            return StoreError(
                f"MongoDB at {address} refused the login or the rights of its user. "
                "Correct user and password in MONGODB_URI (both stand in .env for the Docker stack)."
            )
        case Code.SEARCH_NOT_ENABLED:
            return StoreError(
                f"MongoDB at {address} runs without its search process. Use MongoDB Atlas Local "
                "(`docker compose up -d mongodb`), or unset MONGODB_URI to use the embedded store."
            )
        case Code.SEARCH_SERVICE_AWAY | Code.HOST_UNREACHABLE:
            return IndexNotReady(
                f"The search process of MongoDB at {address} is still starting; this takes up to two "
                "minutes. Should it last, look at `docker compose logs mongodb`."
            )
        case Code.TOO_SLOW:
            return StoreUnavailable(
                f"MongoDB at {address} needed longer than MONGODB_TIMEOUT_S={timeout_s:g} for a search."
            )
        case Code.FROM_MONGOT:
            return _explain_mongot(mongot_text(error))
    code, message = _first_error(error)
    if code == Code.DOCUMENT_TOO_LARGE:
        return _too_large()
    return StoreError(f"MongoDB at {address} refused: {message} (code {code}).")


def _explain_mongot(text: str) -> StoreError:
    if _BUILDING.search(text):
        return IndexNotReady("The search index is still being built. Wait a moment and ask again.")
    if dimensions := _DIMENSIONS.search(text):
        return IndexMismatch(
            f"The index holds vectors of {dimensions[1]} dimensions, the embedder makes {dimensions[2]}. "
            f"Set EMBEDDER back, or rebuild the index with `{REBUILD}`."
        )
    return StoreError(f"MongoDB's search process refused: {text}")


def _too_large() -> StoreError:
    return StoreError("MongoDB cannot hold a page or chunk of this document: it is larger than 16 MB.")


def _first_error(error: OperationFailure) -> tuple[int | None, str]:
    """Code and words of the server; of a bulk write its first error's, which leaves the documents out."""
    details = error.details or {}
    if isinstance(error, BulkWriteError):
        details = (details.get("writeErrors") or details.get("writeConcernErrors") or [details])[0]
    return details.get("code", error.code), str(details.get("errmsg", ""))
