"""The tools: search, ask, list documents, read a page; on an engine of this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import MCPServerError, ToolError
from pydantic import Field

from app.asking import asking, check_length, make_question
from app.chat import Question
from app.choosing import choose_documents
from app.engine import Engine
from app.errors import BadRequest
from app.mcp.replies import Answer, Listing, PageShown, Passages, describe_document, describe_hits
from app.pages import read_page
from app.settings import ServerSettings
from app.tally import Tally
from app.whole import collect_events
from app.wire import check_ask
from database.documents import Document
from database.errors import AcervoError

MAX_LISTED = 200

Text = Annotated[str, Field(description="A question or keywords, in any language.")]
Names = Annotated[list[str] | None, Field(description="Only these documents, by name or id; null: all.")]
Collections = Annotated[list[str] | None, Field(description="Only these collections; null: all.")]
TopK = Annotated[int | None, Field(description="How many passages, 1 to 50.")]


@contextmanager
def told(kind: type[MCPServerError] = ToolError) -> Iterator[None]:
    """What goes wrong in the block, for the model on the other side to read."""
    try:
        yield
    except AcervoError as error:
        raise kind(str(error)) from error


@dataclass(frozen=True, slots=True)
class Desk:
    """What the tools do. Each raises `ToolError`."""

    engine: Engine
    settings: ServerSettings

    async def search(
        self,
        question: Text,
        documents: Names = None,
        collections: Collections = None,
        top_k: TopK = None,
    ) -> Passages:
        """Find the passages of the user's documents that say something about a question, best first."""
        with told():
            made = await self._make_question(question, documents, collections, top_k)
            found = await (await self.engine.retriever()).find_passages(made.text, made.top_k, made.filters)
            return Passages(relevant=bool(found.hits) and found.relevant, passages=describe_hits(found.hits))

    async def ask(
        self,
        question: Text,
        documents: Names = None,
        collections: Collections = None,
        top_k: TopK = None,
        model: Annotated[str | None, Field(description="The model that answers; null: the one set.")] = None,
    ) -> Answer:
        """Have a question answered from the user's documents, with citations."""
        with told():
            made = await self._make_question(question, documents, collections, top_k)
            async with asking(self.engine, made, model) as events:
                whole = await collect_events(events, Tally())
            return Answer(
                answer=whole.text,
                model=whole.done.model,
                relevant=whole.opening.relevant,
                citations=list(whole.done.citations),
                sources=describe_hits(whole.opening.hits),
            )

    async def list_documents(
        self,
        collections: Collections = None,
        first: Annotated[int, Field(description="Where to begin in the list, from 0.", ge=0)] = 0,
    ) -> Listing:
        """List the user's documents by name, at most 200 at a time."""
        with told():
            seen = sorted(await self._list(collections), key=lambda document: (document.name.lower(), document.id))
            shown = [describe_document(document) for document in seen[first : first + MAX_LISTED]]
            return Listing(total=len(seen), documents=shown)

    async def read_page(
        self,
        document: Annotated[str, Field(description="The document's name or id.")],
        page: Annotated[int, Field(description="The page, from 1.")],
    ) -> PageShown:
        """Read a whole page, section, slide or sheet of one of the user's documents."""
        with told():
            return await self.find_page(document, page)

    async def find_page(self, document: str, page: int) -> PageShown:
        """The same with plain errors. Raises `NotFound`, `BadRequest` where a name means several documents."""
        found = choose_documents(await self._list(None), [document])
        if len(found) > 1:
            raise BadRequest(f"{document!r} names {len(found)} documents; give the id of one: {found[0].id} …")
        shown = (await read_page(self.engine.store, found[0], page)).describe()
        return PageShown(**{name: shown[name] for name in PageShown.model_fields})

    async def _make_question(
        self, text: str, documents: Sequence[str] | None, collections: Sequence[str] | None, top_k: int | None
    ) -> Question:
        filters: dict[str, Any] = {"collections": collections}
        if documents:
            filters["documents"] = [d.id for d in choose_documents(await self._list(collections), documents)]
        question = make_question(check_ask({"prompt": text, "filters": filters, "top_k": top_k}), self.settings)
        check_length(question, self.settings)
        return question

    async def _list(self, collections: Sequence[str] | None) -> list[Document]:
        await self.engine.open_store()
        documents = await self.engine.store.list_documents()
        seen = (document.within(collections) for document in documents)
        return [document for document in seen if document and document.searchable]
