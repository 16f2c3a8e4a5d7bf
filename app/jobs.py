"""Jobs: the way of one file or web page into the index, as the page sees it and as the books keep it."""

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from app.errors import NotFound
from app.ids import make_id
from database.documents import WEB, Document, Name, Record
from database.stores import Store

KIND = "job"
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Stage = Literal["fetching", "received", "text", "layout", "ready"]
FINAL = frozenset({"done", "failed", "cancelled"})
SHOWN_S = 3600
"""Finished jobs are listed for so long, and can be asked for and tried again for KEPT_S."""
KEPT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Job:
    """One file on its way. Times are seconds since the epoch."""

    document: str
    name: str
    size: int
    id: str = ""
    state: JobState = "queued"
    stage: Stage = "received"
    """The last one that can be searched; before these a page is fetched, and has no document yet."""
    pages: tuple[int, int] = (0, 0)
    """Done and total; so for windows."""
    windows: tuple[int, int] = (0, 0)
    searchable: bool = False
    duplicate: bool = False
    error: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()
    new: bool = False
    """Whether its document came with it, and goes with it when it is cancelled."""
    cancel: bool = False
    """Somebody wants it stopped."""
    collection: str = ""
    """Of its document's name."""
    user: str = ""
    """Who sent it; empty where nobody logs in."""
    url: str = ""
    """The address that was asked for; empty for a file."""
    root: str = ""
    """Of the name that it gives its document, with `path`; empty for an uploaded file."""
    path: str = ""
    replaced: tuple[Name, ...] = ()
    """Names that point to other bytes until this is done."""
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)

    @property
    def place(self) -> Name:
        """The name that it gives its document, unless that is an uploaded file."""
        return Name(self.root, self.path, collection=self.collection)

    @property
    def followed(self) -> bool:
        """Whether it brings a file of a watched folder."""
        return self.root not in ("", WEB)

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in FINAL

    def of(self, document: Document) -> "Job":
        """The job once this stage of its document can be searched."""
        stages: dict[str, Stage] = {"text": "text", "layout": "layout", "ready": "ready"}
        return self.change(
            stage=stages.get(document.state, "received"),
            searchable=document.searchable,
            notes=document.notes,
            windows=(document.window_count if document.state == "ready" else 0, document.window_count),
            pages=(document.page_count if document.state in ("layout", "ready") else 0, document.page_count),
        )

    def change(self, **values: Any) -> "Job":
        """The job with other values, changed now."""
        return replace(self, updated_at=time.time(), **values)


def describe_job(job: Job, waiting: str = "") -> dict[str, Any]:
    """A job on the wire; `waiting` says why a queued one has not begun."""
    described = asdict(job)
    for name in ("new", "cancel", "root", "path", "replaced"):
        del described[name]
    for name in ("pages", "windows"):
        described[name] = dict(zip(("done", "total"), described[name], strict=True))
    return described | {"waiting": waiting if job.state == "queued" else ""}


def read_job(record: Record) -> Job:
    """The job that an entry of the books keeps."""
    values = dict(record.data)
    for name in ("pages", "windows", "notes"):
        values[name] = tuple(values[name])
    values["replaced"] = tuple(Name(**name) for name in values.get("replaced", ()))
    return Job(**values)


def write_job(job: Job, record: Record) -> Record:
    """The entry with this job in it; a finished one is nobody's work any more."""
    record = replace(record, data=asdict(job), open=not job.finished)
    return replace(record, holder="", lease_until=0.0) if job.finished else record


class JobBook:
    """The jobs in the store's books, and those at work here, whose progress is ahead of the books."""

    def __init__(self, store: Store):
        self._store = store
        self.live: dict[str, Job] = {}

    async def add(self, job: Job) -> Job:
        """Keep a new job, under a new id."""
        job = replace(job, id=make_id())
        await self._store.put_record(write_job(job, Record(KIND, job.id, {}, created_at=job.created_at)))
        return job

    async def get_record(self, job_id: str) -> Record:
        """The entry of a job. Raises `NotFound`."""
        record = await self._store.get_record(KIND, job_id)
        if record is None:
            raise NotFound("There is no such job; GET /jobs lists those there are.")
        return record

    async def get(self, job_id: str) -> Job:
        """A job as it is now. Raises `NotFound`."""
        return self.live.get(job_id) or read_job(await self.get_record(job_id))

    async def list(self) -> Sequence[Job]:
        """Every job that is kept, oldest first."""
        jobs: list[Job] = []
        while records := await self._store.list_records(KIND, after=jobs[-1].id if jobs else ""):
            jobs.extend(map(read_job, records))
        return [self.live.get(job.id, job) for job in jobs]

    async def find_open(self, document_id: str, collections: Collection[str] | None = None) -> Job | None:
        """The unfinished job of a document, in one of these collections (None: any)."""
        return next((job for job in await self.list_open(document_id, collections)), None)

    async def list_open(self, document_id: str, collections: Collection[str] | None = None) -> Sequence[Job]:
        """The unfinished jobs of a document in these collections (None: all)."""
        jobs = [job for job in await self.list() if job.document == document_id and not job.finished]
        return [job for job in jobs if collections is None or job.collection in collections]

    async def prune(self) -> None:
        """Forget jobs that were finished KEPT_S ago."""
        for job in await self.list():
            if job.finished and job.updated_at < time.time() - KEPT_S:
                await self._store.remove_record(KIND, job.id)
