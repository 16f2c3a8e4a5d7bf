"""What embedding models were trained to be told a text is for.

Each row is from the model's own card: prefix of passages, prefix of questions. Models that are not
here (bge-m3, all-minilm, paraphrase-multilingual, granite-embedding) take texts as they are.
"""

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


def find_prefixes(model: str) -> tuple[str, str]:
    """The prefixes of passages and of questions for a model as Ollama names it, such as
    `nomic-embed-text:v1.5` or `someone/multilingual-e5-large`."""
    name = model.rpartition("/")[2].lower()
    fitting = [key for key in PREFIXES if name == key or name.startswith((f"{key}:", f"{key}-"))]
    return PREFIXES[max(fitting, key=len)] if fitting else ("", "")
