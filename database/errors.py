"""What can go wrong, as one tree. `app.errors` adds what only a server can meet.

    AcervoError              500
    ├── SettingsError        500  a setting is missing or wrong
    ├── WrongCollection      400  a collection cannot be called so
    ├── ArchiveError         422  a backup or export is damaged, or something else
    ├── ReadError            422  a file cannot be read
    │   ├── FileTooLarge     413  it has more bytes than MAX_FILE_MB
    │   ├── WrongFormat      415  its bytes are none of what can be read
    │   ├── EmptyFile        422  it has no bytes, or no pages
    │   ├── Encrypted        422  it needs a password
    │   ├── WrongAddress     422  an address that may not be fetched, or is none
    │   ├── Unreachable      422  an address that gives nothing now
    │   └── Damaged          422  it is cut off or broken
    ├── QuestionsError       422  a file of questions, or the corpus they are put to, is not as expected
    ├── EmbedderError        503  the embedder did not answer, or answered wrongly
    ├── RerankerError        503  the reranker's folder holds no model that can be used
    └── StoreError           503  the store refused or failed
        ├── StoreUnavailable 503  no store at its address
        ├── IndexNotReady    503  the search index is still being built
        ├── RecordConflict   503  somebody else wrote an entry of the books meanwhile
        ├── ClaimLost        503  another process took over what this one was working on
        ├── GenerationGone   503  another generation of the index answers by now
        └── IndexMismatch    503  the index was made by another embedder, chunker or analyser

`status` is the HTTP status that the server answers with. Every message says what to do next.
"""


class AcervoError(Exception):
    """A failure that a person can act on; `str(error)` is the message shown to them.

    `kind` says in a word what it is about, where programs have use for that."""

    status = 500
    kind = ""
    retry_after_s = 0
    """Seconds after which the same may work; 0 where waiting alone changes nothing."""


class SettingsError(AcervoError):
    """One or more settings are missing or wrong; the message lists all of them by name."""


class WrongCollection(AcervoError):
    """A collection cannot be called so; the message says how it can."""

    status = 400


class ArchiveError(AcervoError):
    """A file is no backup or export that can be used."""

    status = 422


class ReadError(AcervoError):
    """A file cannot be turned into pages; `kind` says why in a word, for programs."""

    status = 422
    kind = "unreadable"


class FileTooLarge(ReadError):
    """It has more bytes than are taken."""

    status = 413
    kind = "too_large"


class WrongFormat(ReadError):
    """Its bytes are those of nothing that can be read."""

    status = 415
    kind = "wrong_format"


class EmptyFile(ReadError):
    """It has no bytes, or no pages."""

    kind = "empty"


class Encrypted(ReadError):
    """It needs a password."""

    kind = "encrypted"


class Damaged(ReadError):
    """It cannot be opened, or nothing in it can be saved."""

    kind = "damaged"


class WrongAddress(ReadError):
    """An address is none, or what is there may not be fetched: it is refused each time."""

    kind = "address"


class Unreachable(ReadError):
    """An address gives nothing now; it may later."""

    kind = "unreachable"


class QuestionsError(AcervoError):
    """A file for measuring is not as expected; the message names its lines and what should stand there."""

    status = 422


class EmbedderError(AcervoError):
    """The embedder is away, lacks its model, or gave vectors of the wrong shape."""

    status = 503


class RerankerError(AcervoError):
    """RERANKER names a folder without a cross-encoder that can be used."""

    status = 503


class StoreError(AcervoError):
    """The store refused a command or failed while running it."""

    status = 503


class StoreUnavailable(StoreError):
    """No store answers at its address."""

    retry_after_s = 5


class IndexNotReady(StoreError):
    """The search index exists but cannot answer yet."""

    retry_after_s = 5


class IndexMismatch(StoreError):
    """The index on disk was made with another embedder, chunker or analyser."""


class RecordConflict(StoreError):
    """An entry of the store's books is not as it was when it was read: read it again."""


class ClaimLost(StoreError):
    """A claim was not renewed in time, and somebody else has it."""


class GenerationGone(StoreError):
    """The generation that was asked no longer answers: read the index record again."""
