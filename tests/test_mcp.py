"""`python -m app mcp` with the SDK's own client over standard input and output."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from database.settings import ROOT
from tests.e2e.servers import make_environment
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import BROKEN, HARVEST, HIDDEN, LIGHTHOUSE, QUESTION, Library
from tests.programs import run_command

mcp = pytest.importorskip("mcp", reason="the SDK of MCP is not installed: make mcp")

HANDSHAKE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@asynccontextmanager
async def connect(data: Path, **settings: str) -> AsyncIterator["mcp.Client"]:
    given = {"DATA_DIR": str(data), "PDF_DIR": str(data), "LLM": "extractive", "OLLAMA_HOST": "127.0.0.1:9", **settings}
    parameters = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "app", "mcp"], env=dict(make_environment(**given)), cwd=ROOT
    )
    async with mcp.Client(mcp.stdio_client(parameters)) as client:
        yield client


async def call(client: "mcp.Client", tool: str, **arguments: object) -> dict[str, object]:
    """What a tool answers; as structure and as text it must be the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return dict(result.structured_content)


async def test_tools_search_list_and_read(library: Library) -> None:
    lighthouse = library.documents[LIGHTHOUSE].id
    async with connect(library.data_dir) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "ask", "list_documents", "read_page"}
        assert all(tool.description and tool.output_schema for tool in tools.values())
        assert tools["search"].input_schema["required"] == ["question"]
        found = await call(client, "search", question=QUESTION, top_k=1)
        (best,) = found["passages"]  # type: ignore[misc]
        assert (best["document"], best["name"], best["page"], found["relevant"]) == (lighthouse, LIGHTHOUSE, 1, True)
        assert "1887" in best["text"]
        other = await call(client, "search", question=QUESTION, documents=[HARVEST])
        assert {passage["name"] for passage in other["passages"]} == {HARVEST}  # type: ignore[attr-defined]
        listed = await call(client, "list_documents")
        assert [document["name"] for document in listed["documents"]] == [HARVEST, LIGHTHOUSE]  # type: ignore[attr-defined]
        assert listed["total"] == 2 and (await call(client, "list_documents", first=2))["documents"] == []
        page = await call(client, "read_page", document=LIGHTHOUSE, page=2)
        assert (page["page"], page["page_count"], page["unit"]) == (2, 2, "page") and "1923" in str(page["text"])
        for tool, arguments, said in (
            ("read_page", {"document": LIGHTHOUSE, "page": 3}, "there is no page 3"),
            ("read_page", {"document": HIDDEN, "page": 1}, "no document"),
            ("read_page", {"document": BROKEN, "page": 1}, "no document"),
            ("search", {"question": " "}, "empty"),
            ("search", {"question": "x", "top_k": 51}, "top_k"),
            ("ask", {"question": "x", "model": "gone"}, "Ollama"),
        ):
            refused = await client.call_tool(tool, arguments)
            assert refused.is_error and said in refused.content[0].text, refused.content


async def test_an_answer_comes_with_what_it_cites(library: Library) -> None:
    async with FakeOllama() as fake, connect(library.data_dir, LLM="ollama", OLLAMA_HOST=fake.url) as client:
        told = await call(client, "ask", question=QUESTION)
        assert (told["answer"], told["citations"], told["model"]) == (ANSWER, [1, 2], "llama3.1:8b")
        assert told["sources"][0]["name"] == LIGHTHOUSE and told["relevant"] is True  # type: ignore[index]


async def test_pages_are_resources(library: Library) -> None:
    async with connect(library.data_dir) as client:
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "acervo://documents/{document}/pages/{page}"
        assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["acervo://documents"]
        listed = json.loads((await client.read_resource("acervo://documents")).contents[0].text)
        uri = f"acervo://documents/{listed['documents'][1]['document']}/pages/1"
        (content,) = (await client.read_resource(uri)).contents
        assert content.mime_type == "text/markdown" and "1887" in content.text
        with pytest.raises(mcp.MCPError, match="there is no page 9"):
            await client.read_resource(uri[:-1] + "9")


async def test_nothing_but_the_protocol_is_written(library: Library) -> None:
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    call |= {"params": {"name": "search", "arguments": {"question": QUESTION}}}
    told = "".join(json.dumps(message) + "\n" for message in (HANDSHAKE, INITIALIZED, call))
    ended = await run_command(library.data_dir, "mcp", told=told, LOG_LEVEL="DEBUG")
    said = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.status == 0 and said and {message["jsonrpc"] for message in said} == {"2.0"}, ended
    assert {message["id"] for message in said} == {1, 2}


async def test_without_the_sdk_it_says_how_to_get_it(library: Library, tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')")
    ended = await run_command(library.data_dir, "mcp", PYTHONPATH=str(tmp_path))
    assert (ended.status, ended.out) == (1, "") and "make mcp" in ended.err
