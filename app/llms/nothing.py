"""Says that the documents do not answer a question, instead of letting a model invent something."""

from collections.abc import AsyncGenerator

from app.events import Service, Token, Usage
from app.llms import ChatRequest
from database.tokens import estimate_tokens

NOTHING = {
    "pt": "Não encontrei nada relevante sobre isso nos documentos.",
    "en": "Nothing relevant was found in the documents.",
    "es": "No se encontró nada relevante en los documentos.",
    "fr": "Rien de pertinent n'a été trouvé dans les documents.",
    "de": "In den Dokumenten wurde nichts Passendes gefunden.",
    "it": "Nei documenti non è stato trovato nulla di pertinente.",
}
NEAREST = {
    "pt": "As passagens mais próximas estão abaixo; talvez outra formulação da pergunta ajude.",
    "en": "The nearest passages are listed below; asking in other words may help.",
    "es": "Los pasajes más cercanos están abajo; quizá ayude preguntar con otras palabras.",
    "fr": "Les passages les plus proches sont ci-dessous ; une autre formulation aidera peut-être.",
    "de": "Die nächstliegenden Stellen stehen unten; vielleicht hilft es, anders zu fragen.",
    "it": "I passaggi più vicini sono elencati sotto; forse aiuta formulare la domanda in altro modo.",
}


class NothingFound:
    """An `LLM` in place of the one chosen when a search found nothing relevant."""

    model = "extractive"
    generative = False
    service = Service("extractive", "this machine", True)

    def __init__(self, num_ctx: int):
        self.num_ctx = num_ctx

    async def check(self) -> None:
        """Always ready."""

    def count_tokens(self, text: str) -> int:
        """An upper estimate; no model has to fit it."""
        return estimate_tokens(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """One sentence, and one more where there are nearest passages to look at."""
        yield Token(NOTHING.get(request.language, NOTHING["en"]))
        if request.hits:
            yield Token(" " + NEAREST.get(request.language, NEAREST["en"]))
        yield Usage()

    async def aclose(self) -> None:
        """Nothing to release."""
