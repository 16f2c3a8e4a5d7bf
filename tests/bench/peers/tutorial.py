"""The pipeline of the tutorials: pymupdf4llm, MarkdownTextSplitter, sentence-transformers, one process."""

import numpy as np
from telling import LIMIT, Telling


def main() -> None:
    """Load and ask."""
    import pymupdf4llm
    from langchain_text_splitters import MarkdownTextSplitter
    from sentence_transformers import SentenceTransformer

    telling = Telling()
    with telling.stage("read"):
        pages = [
            (file, chunk["metadata"]["page_number"], chunk["text"])
            for file in telling.files
            for chunk in pymupdf4llm.to_markdown(file, page_chunks=True)
        ]
    with telling.stage("chunk"):
        splitter = MarkdownTextSplitter()
        rows = [((file, number), text) for file, number, page in pages for text in splitter.split_text(page)]
    with telling.stage("embed"):
        model = SentenceTransformer(telling.model, device="cpu")
        vectors = model.encode([text for _, text in rows], normalize_embeddings=True, show_progress_bar=False)

    def search(question: str) -> list[tuple[str, int]]:
        scores = vectors @ model.encode(question, normalize_embeddings=True)
        return [rows[at][0] for at in np.argsort(-scores, kind="stable")[:LIMIT]]

    telling.end(len(pages), len(rows), search)


main()
