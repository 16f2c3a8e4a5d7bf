"""LangChain's way with PDFs: a loader, RecursiveCharacterTextSplitter, HuggingFaceEmbeddings, FAISS."""

from telling import LIMIT, Telling


def main() -> None:
    """Load and ask."""
    from langchain_community.document_loaders import PyMuPDFLoader, PyPDFLoader
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    telling = Telling()
    with telling.stage("read"):
        loader = PyPDFLoader if telling.reader == "pypdf" else PyMuPDFLoader
        pages = [page for file in telling.files for page in loader(file).load()]
    with telling.stage("chunk"):
        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
        rows = splitter.split_documents(pages)
    with telling.stage("embed"):
        store = FAISS.from_documents(rows, HuggingFaceEmbeddings(model_name=telling.model))

    def search(question: str) -> list[tuple[str, int]]:
        found = store.similarity_search(question, k=LIMIT)
        return [(row.metadata["source"], row.metadata["page"] + 1) for row in found]

    telling.end(len(pages), len(rows), search)


main()
