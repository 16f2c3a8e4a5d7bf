"""What embedding models were trained to be told a text is for, and which of them know English alone.

Each row is from the model's own card: prefix of passages, prefix of questions. Models that are not
here (bge-m3, all-minilm, paraphrase-multilingual, granite-embedding) take texts as they are.
"""

from collections.abc import Collection

_BGE = "Represent this sentence for searching relevant passages: "

PREFIXES = {
    "nomic-embed-text": ("search_document: ", "search_query: "),
    "mxbai-embed-large": ("", _BGE),
    "bge-large": ("", _BGE),
    "bge-base": ("", _BGE),
    "bge-small": ("", _BGE),
    "snowflake-arctic-embed": ("", _BGE),
    "snowflake-arctic-embed2": ("", "query: "),
    "embeddinggemma": ("title: none | text: ", "task: search result | query: "),
    "qwen3-embedding": (
        "",
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    ),
    "multilingual-e5": ("passage: ", "query: "),
    "e5": ("passage: ", "query: "),
}
"""By the beginning of the model's name; the longest that fits counts."""

ENGLISH = frozenset(
    (
        *("all-minilm", "nomic-embed-text", "mxbai-embed-large", "bge-large", "bge-base", "bge-small"),
        *("snowflake-arctic-embed", "e5"),
    )
)
"""Models trained on English alone, by the beginnings of their names."""
MULTILINGUAL = frozenset({"nomic-embed-text-v2", "multilingual-e5", "snowflake-arctic-embed2"})
"""Kin of those that know many languages."""


def find_prefixes(model: str) -> tuple[str, str]:
    """The prefixes of passages and of questions for a model as Ollama names it, such as
    `nomic-embed-text:v1.5` or `someone/multilingual-e5-large`."""
    return PREFIXES.get(_find_key(model, PREFIXES), ("", ""))


def find_languages(model: str) -> frozenset[str]:
    """The languages that a model was made for, ISO 639-1; empty for many, and for a model that is not known."""
    return frozenset({"en"} if _find_key(model, ENGLISH | MULTILINGUAL) in ENGLISH else ())


def _find_key(model: str, keys: Collection[str]) -> str:
    name = model.rpartition("/")[2].lower()
    return max((key for key in keys if name == key or name.startswith((f"{key}:", f"{key}-"))), key=len, default="")
