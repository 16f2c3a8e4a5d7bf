"""Pages of other origins: which may ask; and few lines, far apart, so that the original client loses none."""

import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.keys import GATE
from app.stream import MERGE_S
from tests.fakes.ollama import FakeOllama
from tests.library import QUESTION, Library
from tests.server import Served, ask, send, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]

ANGULAR = "http://localhost:4200"
STRANGER = "http://elsewhere.example"
LONG = " ".join(f"palavra{n}" for n in range(60)) + " [1]."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama(answer=LONG, token_delay_s=0.02) as fake:
        yield fake


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(library: Library, fake: FakeOllama) -> AsyncIterator[Served]:
    async with serve(
        library.data_dir, llm="auto", ollama_host=fake.url, max_body_kb=64, max_prompt_chars=2000
    ) as served:
        yield served


class OriginalClient:
    """Reads as the original page does: at each progress event, only the last line of all that has come."""

    def __init__(self) -> None:
        self.arrived, self.text, self.error = b"", "", 0

    def progress(self, data: bytes) -> None:
        self.arrived += data
        try:
            line = json.loads(self.arrived.rstrip(b"\n").split(b"\n")[-1])
        except ValueError:
            self.error += 1
            return
        if not line["done"]:
            self.text += line["message"]["content"]


class TestPagesOfOtherOrigins:
    async def test_tokens_come_merged_apart_and_complete(self, served: Served, fake: FakeOllama) -> None:
        before = fake.finished_streams
        answer, times = await _read_apart(served, ANGULAR)
        first, *tokens, last = answer
        assert "sources" in first and first["message"]["content"] == ""
        assert "".join(line["message"]["content"] for line in tokens) == LONG
        assert last["done"] is True and last["citations"] == [1]
        assert len(answer) < 20 and times[-1] - times[0] >= 0.95 * MERGE_S * (len(answer) - 1)
        assert fake.finished_streams == before + 1

    async def test_the_original_client_loses_nothing(self, served: Served) -> None:
        client = OriginalClient()
        body = {"prompt": QUESTION, "parametro": 0}
        async with served.client.post("/", json=body, headers={"Origin": ANGULAR}) as response:
            async for data in response.content.iter_any():
                client.progress(data)
        assert (client.text, client.error) == (LONG, 0)

    async def test_it_would_lose_words_at_full_speed(self, served: Served, fake: FakeOllama) -> None:
        """Shows that the client above is as careless as the one it stands for."""
        client, answer = OriginalClient(), await ask(served)
        lines = answer.body.splitlines(keepends=True)
        for n in range(0, len(lines), 2):  # two lines in one progress event
            client.progress(b"".join(lines[n : n + 2]))
        assert answer.text == LONG and len(client.text) < len(LONG)

    @pytest.mark.parametrize("origin", ["", "http://127.0.0.1:{port}", "https://127.0.0.1:{port}"])
    async def test_our_own_page_gets_every_token(self, served: Served, origin: str) -> None:
        answer = await ask(served, origin=origin.format(port=served.url.port))
        assert len(answer.lines) == len(LONG.split(" ")) + 2 and answer.text == LONG

    async def test_a_page_that_leaves_stops_the_model(self, served: Served, fake: FakeOllama) -> None:
        before = fake.cancelled_streams
        fake.switches.silence_after = 5
        try:
            response = await served.client.post("/", json={"prompt": QUESTION}, headers={"Origin": ANGULAR})
            await response.content.readline()
            await response.content.readline()
            response.close()
            await fake.wait_until(lambda fake: fake.open_streams == 0)
            assert fake.cancelled_streams == before + 1
        finally:
            fake.switches.silence_after = None

    async def test_a_failure_is_told(self, served: Served, fake: FakeOllama) -> None:
        fake.switches.error_after = 5
        try:
            answer = await ask(served, origin=ANGULAR)
        finally:
            fake.switches.error_after = None
        assert answer.text == " ".join(LONG.split(" ")[:5]) and "CUDA error" in answer.lines[-1]["error"]


class TestOrigins:
    @pytest.mark.parametrize("path", ["/", "/gemini", "/nothing"])
    @pytest.mark.parametrize(
        "origin", [STRANGER, "null", "http://localhost:4201", "https://localhost:4200", ANGULAR + "/"]
    )
    async def test_a_stranger_may_not_ask(self, served: Served, fake: FakeOllama, path: str, origin: str) -> None:
        fake.requests.clear()
        answer = await ask(served, path=path, origin=origin)
        assert answer.status == 403 and origin in answer.error and "CORS_ORIGINS" in answer.error
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert fake.requests == []

    async def test_a_stranger_may_not_read(self, served: Served) -> None:
        for path in ("/", "/documents", "/ready"):
            answer = await send(served, "GET", path, Origin=STRANGER)
            assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize("path", ["/", "/gemini"])
    async def test_the_preflight_of_an_allowed_page(self, served: Served, path: str) -> None:
        asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
        answer = await send(served, "OPTIONS", path, Origin=ANGULAR, **asked)
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ANGULAR
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Headers"].lower() == "content-type"
        assert "Access-Control-Allow-Credentials" not in answer.headers

    @pytest.mark.parametrize(
        ("origin", "method", "headers"),
        [(STRANGER, "POST", "content-type"), (ANGULAR, "DELETE", "content-type"), (ANGULAR, "POST", "x-other")],
    )
    async def test_other_preflights_are_refused(self, served: Served, origin: str, method: str, headers: str) -> None:
        asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": headers}
        answer = await send(served, "OPTIONS", "/", Origin=origin, **asked)
        assert answer.status == 403 and "CORS preflight request failed" in answer.error
        assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize("body", [b"{", b'{"prompt": ""}'])
    async def test_an_allowed_page_can_read_its_mistakes(self, served: Served, body: bytes) -> None:
        answer = await send(served, "POST", "/", body, Origin=ANGULAR)
        assert answer.status == 400 and answer.headers["Access-Control-Allow-Origin"] == ANGULAR

    @pytest.mark.parametrize("path", ["/users", "/documents", "/feedback", "/logout", "/jobs/x/retry"])
    async def test_an_allowed_page_may_ask_and_change_nothing(self, served: Served, path: str) -> None:
        body = b'{"name": "mallory", "password": "mallory-mallory", "rating": "up"}'
        answer = await send(served, "POST", path, body, Origin=ANGULAR, Content_Type="text/plain")
        assert answer.status == 403 and ANGULAR in answer.error
        assert await served.app[GATE].users.is_empty()

    async def test_origins_may_be_set(self, library: Library) -> None:
        async with serve(library.data_dir, cors_origins="https://a.example/, http://b.example") as served:
            for origin in ("https://a.example", "http://b.example"):
                answer = await ask(served, origin=origin, top_k=1)
                assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == origin
            assert (await ask(served, origin=ANGULAR)).status == 403


async def _read_apart(served: Served, origin: str) -> tuple[list[dict[str, object]], list[float]]:
    """The lines of an answer and when each came."""
    async with served.client.post("/", json={"prompt": QUESTION}, headers={"Origin": origin}) as response:
        read = [(time.monotonic(), json.loads(line)) async for line in response.content]
    return [line for _, line in read], [at for at, _ in read]
