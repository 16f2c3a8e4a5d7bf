"""Answers without a language model: the passages' own best sentences, quoted, each with its source."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Sequence

from app.events import Service, Token, Usage
from app.llms import ChatRequest
from app.llms.nothing import NOTHING
from database.embedders import Embedder
from database.extract import Sentence, choose_sentences, split_passages
from database.tokens import estimate_tokens

FRAMING = {
    "pt": "Nenhum modelo de linguagem respondeu; estas são as frases dos documentos que mais se aproximam da pergunta.",
    "en": "No language model answered; these are the sentences of the documents closest to the question.",
    "es": "Ningún modelo de lenguaje respondió; estas son las frases de los documentos más cercanas a la pregunta.",
    "fr": "Aucun modèle de langage n'a répondu ; voici les phrases des documents les plus proches de la question.",
    "de": "Kein Sprachmodell hat geantwortet; dies sind die Sätze der Dokumente, die der Frage am nächsten kommen.",
    "it": "Nessun modello linguistico ha risposto; queste sono le frasi dei documenti più vicine alla domanda.",
}
HINT = {
    "pt": "Para respostas escritas: `ollama serve`, depois `ollama pull {model}`.",
    "en": "For written answers: `ollama serve`, then `ollama pull {model}`.",
    "es": "Para respuestas escritas: `ollama serve`, luego `ollama pull {model}`.",
    "fr": "Pour des réponses rédigées : `ollama serve`, puis `ollama pull {model}`.",
    "de": "Für geschriebene Antworten: `ollama serve`, dann `ollama pull {model}`.",
    "it": "Per risposte scritte: `ollama serve`, poi `ollama pull {model}`.",
}
_LIKE_A_CITATION = re.compile(r"\[([\d\s,;]+)\]")


class ExtractiveLLM:
    """Quotes instead of writing. `wanted` is the Ollama model that would answer if it were there;
    the answer then tells how to start it."""

    model = "extractive"
    generative = False

    def __init__(self, embedder: Embedder, num_ctx: int, wanted: str = ""):
        self.service = Service("extractive", "this machine", True)
        self.num_ctx = num_ctx
        self._embedder, self._wanted = embedder, wanted

    def instead_of(self, wanted: str) -> "ExtractiveLLM":
        """The same, in place of the Ollama model `wanted`."""
        return ExtractiveLLM(self._embedder, self.num_ctx, wanted)

    async def check(self) -> None:
        """Always ready."""

    def count_tokens(self, text: str) -> int:
        """An upper estimate; nothing is cut by it, since no window has to be fitted."""
        return estimate_tokens(text)

    async def aclose(self) -> None:
        """Nothing to release; the embedder belongs to whoever made it."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """The framing line, then a quotation for each sentence. Raises `EmbedderError`."""
        started = time.perf_counter_ns()
        for text in await self._compose(request):
            yield Token(text)
        # No token was generated, so no rate can be made of the counts.
        yield Usage(total_duration=time.perf_counter_ns() - started)

    async def _compose(self, request: ChatRequest) -> list[str]:
        sentences = split_passages([hit.chunk.text for hit in request.hits])
        if not sentences:
            return [NOTHING.get(request.language, NOTHING["en"])]
        best = await self._choose(request, sentences)
        framing = FRAMING.get(request.language, FRAMING["en"])
        if self._wanted:
            framing += " " + HINT.get(request.language, HINT["en"]).format(model=self._wanted)
        return [f"*{framing}*", *(_quote(sentence) for sentence in best)]

    async def _choose(self, request: ChatRequest, sentences: Sequence[Sentence]) -> list[Sentence]:
        question, vectors = await asyncio.gather(
            self._embedder.embed_query(request.question), self._embedder.embed([s.text for s in sentences])
        )
        return choose_sentences(request.question, request.language, sentences, vectors @ question)


def _quote(sentence: Sentence) -> str:
    """A Markdown quotation; a table row keeps its header, and its number stands below the table.

    The document's own [2] is escaped: it is no source of this answer.
    """
    lines = _LIKE_A_CITATION.sub(r"\\[\1\\]", sentence.quote).rstrip("\n").split("\n")
    number = f"[{sentence.passage + 1}]"
    quoted = "\n".join(f"> {line}" for line in lines)
    return f"\n\n{quoted}\n>\n> {number}" if sentence.header else f"\n\n{quoted} {number}"
