"""LlamaIndex's way with PDFs: SimpleDirectoryReader, SentenceSplitter, HuggingFaceEmbedding, VectorStoreIndex."""

from collections import Counter

from telling import LIMIT, Telling


def main() -> None:
    """Load and ask."""
    from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    telling = Telling()
    with telling.stage("read"):
        pages = SimpleDirectoryReader(input_files=telling.files).load_data()
        seen = Counter[str]()
        for page in pages:  # its labels are those printed on pages, which may start anywhere
            seen[page.metadata["file_path"]] += 1
            page.metadata["number"] = seen[page.metadata["file_path"]]
            page.excluded_embed_metadata_keys.append("number")
    with telling.stage("chunk"):
        nodes = SentenceSplitter().get_nodes_from_documents(pages)
    with telling.stage("embed"):
        embedding = HuggingFaceEmbedding(model_name=telling.model, device="cpu")
        retriever = VectorStoreIndex(nodes, embed_model=embedding).as_retriever(similarity_top_k=LIMIT)

    def search(question: str) -> list[tuple[str, int]]:
        return [(hit.metadata["file_path"], hit.metadata["number"]) for hit in retriever.retrieve(question)]

    telling.end(len(pages), len(nodes), search)


main()
