"""What the server answers, as models: `/openapi.json` is made of them, and tests hold the answers to them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.feedback import Feedback
from app.jobs import JobState, Stage
from app.llms.states import ModelState, Offer
from app.topics import Topic
from database.documents import State

DocumentFormat = Literal["pdf", "html", "markdown", "text", "docx", "pptx", "xlsx", "csv", "image"]
PageUnit = Literal["page", "section", "slide", "sheet"]


class Reply(BaseModel):
    """A JSON object with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Problem(Reply):
    """What is wrong and what to do. `kind` says it in a word where programs have use for one; `request` is
    what to look for in the log after a 500."""

    error: str
    status: int
    kind: str = ""
    request: str = ""


class Refusal(Reply):
    """A file that is not taken, and why."""

    name: str
    kind: Literal["too_large", "wrong_format", "empty", "encrypted", "damaged", "unreadable", "too_slow", "too_many"]
    error: str


class UploadProblem(Problem):
    """No file was taken; the status is that of the first refusal."""

    refused: list[Refusal] = []


class Alive(Reply):
    status: Literal["alive"]


class Part(Reply):
    name: str
    state: Literal["ready", "empty", "failed"]
    detail: str


class Ready(Reply):
    """Whether questions can be answered, and for those who may know what is missing."""

    ready: bool
    store: Part | None = None
    embedder: Part | None = None
    watch: Part | None = None
    models: list[ModelState] = []


class Models(Reply):
    models: list[Offer]


class Topics(Reply):
    topics: list[Topic]


class HeldDocuments(Reply):
    name: str
    documents: int


class Collections(Reply):
    collections: list[HeldDocuments]


class ListedDocument(Reply):
    id: str = Field(pattern="^[0-9a-f]{64}$")
    name: str
    collection: str
    title: str
    language: str
    pages: int
    chunks: int
    windows: int
    size: int
    state: State
    reason: str
    notes: list[str]
    added_at: float
    origin: Literal["upload", "folder", "web"]
    url: str
    format: DocumentFormat
    unit: PageUnit


class PageReply(Reply):
    """The text of a page or of what counts as one; `marks` in UTF-16 units of it."""

    document: str
    name: str
    format: DocumentFormat
    unit: PageUnit
    page: int
    page_count: int
    text: str
    marks: list[list[int]]


class Documents(Reply):
    documents: list[ListedDocument]


class Deleted(Reply):
    id: str
    undo_until: float


class Restored(Reply):
    document: ListedDocument


class Count(Reply):
    done: int
    total: int


class ListedJob(Reply):
    """One file on its way into the index."""

    id: str
    document: str
    name: str
    url: str
    collection: str
    size: int
    state: JobState
    stage: Stage
    pages: Count
    windows: Count
    searchable: bool
    duplicate: bool
    user: str
    waiting: str
    error: str
    kind: str
    notes: list[str]
    created_at: float
    updated_at: float


class Limits(Reply):
    file_bytes: int


class Jobs(Reply):
    jobs: list[ListedJob]
    limits: Limits


class Uploaded(Reply):
    jobs: list[ListedJob]
    refused: list[Refusal]


class FeedbackKept(Reply):
    id: str


class FeedbackLine(Feedback):
    """One rating, a line each."""

    created_at: float


class Message(Reply):
    role: Literal["assistant"]
    content: str


class Source(Reply):
    """A passage that the answer was given."""

    n: int
    document: str
    name: str
    title: str
    url: str
    format: DocumentFormat
    unit: PageUnit
    page: int
    score: float
    text: str
    chunk_id: str
    joined: list[str]
    boxes: list[tuple[float, float, float, float]]
    parts: dict[str, float]


class LeftOut(Reply):
    document: str
    name: str
    unit: PageUnit
    page: int
    score: float
    chunk_id: str


class Checked(Reply):
    start: int
    end: int
    supported: bool


class Used(Reply):
    """A program that took part."""

    name: str
    host: str
    local: bool


class PassedOver(Reply):
    """A model that was to answer, and why it did not."""

    model: str
    reason: str


class AnswerLine(BaseModel):
    """A line of an answer: the first has `sources`, the last `done: true` and the figures, the others a piece of
    text in `message`. A line with `error` in it ends an answer that failed."""

    model: str = ""
    created_at: str = ""
    message: Message | None = None
    response: str = ""
    done: bool = False
    error: str = ""
    kind: str = ""
    sources: list[Source] = []
    query: str = ""
    rewritten_by: Literal["", "model", "rule"] = ""
    language: str = ""
    relevant: bool = True
    checks: list[Checked] = []
    done_reason: str = ""
    citations: list[int] = []
    left_out: int = 0
    passages_left_out: list[LeftOut] = []
    num_ctx: int = 0
    prompt_tokens: int = 0
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    rewrite_duration: int = 0
    search_duration: int = 0
    first_token_duration: int = 0
    services: list[Used] = []
    fallback: list[PassedOver] = []
