"""Whether what was found has anything to do with the question. Pure.

Scores of a search are relative to the best passage, so the best of nothing looks like a good one.
What tells is how much of the question the passages hold: of its rarer words and 4-grams, the share
that one of the first passages has. Measured with questions about other documents
(docs/retrieval.md); independent of the embedder.
"""

from collections.abc import Sequence
from functools import cache

from database.analysis import STEMMERS, grams, normalise, words
from database.documents import Hit, SearchQuery
from database.grammar import GRAMMARS

ENOUGH = 0.35
"""Share of the question under which nothing relevant was found."""
PASSAGES = 5
"""So many of the best passages are looked at."""
FEW_WORDS = 2
"""Questions with fewer words of their own ("what is this document about?") tell too little to be refused."""

_ABOUT = """documento documentos document documents arquivo arquivos ficheiro ficheiros archivo archivos fichier
fichiers file files pdf texto textos text texts texte textes livro livre libro book artigo articulo article
relatorio informe rapport report pagina paginas page pages parte partes part parts conteudo contenido
contenu content contents trata tratam about assunto tema temas topic topics sujet subject fala falam habla
hablan parle parlent talk talks principal principais principales principaux main ideia ideias idea ideas
idee idees"""
"""Words with which people speak of documents instead of what stands in them, folded."""


@cache
def _small_words() -> frozenset[str]:
    """Stems of the words without content, in every language that questions are stemmed in."""
    small = " ".join([_ABOUT, *(word for grammar in GRAMMARS.values() for word in grammar.small)])
    return frozenset(stem for language in STEMMERS for stem in words(small, language))


def measure_coverage(query: SearchQuery, hits: Sequence[Hit]) -> float:
    """The largest share of the question's terms, 0 to 1, that one of the best passages holds: the mean of
    words and 4-grams. 1 for a question that has too few words to tell."""
    telling = [word for word in query.words if word not in _small_words()]
    if len(telling) < FEW_WORDS:
        return 1.0
    return max((_cover(telling, query.grams, hit) for hit in hits[:PASSAGES]), default=0.0)


def is_relevant(query: SearchQuery, hits: Sequence[Hit], language: str, enough: float = ENOUGH) -> bool:
    """Whether the passages cover enough of the question. One in another `language` than theirs shares too
    few words with them to be judged by words."""
    if language not in {hit.document.language for hit in hits[:PASSAGES]}:
        return bool(hits)
    return measure_coverage(query, hits) >= enough


def _cover(telling: Sequence[str], asked_grams: Sequence[str], hit: Hit) -> float:
    text = normalise(f"{hit.document.title} {hit.chunk.heading} {hit.chunk.text}")
    held_words, held_grams = set(words(text, hit.document.language)), set(grams(text))
    return (_share(telling, held_words) + _share(asked_grams, held_grams)) / 2


def _share(terms: Sequence[str], held: set[str]) -> float:
    return sum(term in held for term in terms) / len(terms) if terms else 0.0
