"""The log: which request a line belongs to, what must never stand in it; and the audit log."""

import asyncio
import json
import logging
import re
import time
from pathlib import Path

import pytest
from aiohttp import ClientSession

from app.logs import REQUEST_ID, JsonFormatter, Redactor, TextFormatter
from tests.e2e.servers import read_address, start_program
from tests.library import QUESTION, Library
from tests.server import GivenSettings, ask, send, serve
from tests.uploading import get_json, make_bytes, upload

PASSWORD, KEY, TOKEN = "p%40ss-mongo", "key-of-google", "token-of-metrics"
AWAY = f"mongodb://ana:{PASSWORD}@127.0.0.1:9/?directConnection=true"


def make_record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("app.x", logging.WARNING, __file__, 1, message, args, info)


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(GivenSettings.load(google_api_key=KEY, metrics_token=TOKEN, ollama_host="http://a:b/@c@x:1"))


def test_no_part_of_a_line_begins_another(redactor: Redactor) -> None:
    told = TextFormatter(redactor).format(make_record("%s", "a\nERROR app: forged\r\x1b[2J\u2028\x85"))
    assert told == r"WARNING app.x: a\x0aERROR app: forged\x0d\x1b[2J\x2028\x85"
    told = JsonFormatter(redactor).format(make_record("%s", "a\nb\u2028"))
    assert len(told.split("\n")) == 1 and json.loads(told)["message"] == "a\nb\u2028"


@pytest.mark.parametrize("kind", [TextFormatter, JsonFormatter])
def test_secrets_are_blotted_out(redactor: Redactor, kind: type[TextFormatter | JsonFormatter]) -> None:
    try:
        raise KeyError(f"{AWAY} and {KEY}")
    except KeyError as error:
        told = kind(redactor).format(make_record("at %s with %s", AWAY, TOKEN, error=error))
    assert not [secret for secret in (PASSWORD, KEY, TOKEN, "ana") if secret in told]
    assert told.count("mongodb://***@127.0.0.1:9/") == 2 and "KeyError" in told


def test_a_password_that_nobody_encoded(redactor: Redactor) -> None:
    assert "b/@c" not in (told := TextFormatter(redactor).format(make_record("at http://a:b/@c@x:1/ or b/@c alone")))
    assert told.endswith("at http://***@x:1/ or *** alone")


def test_addresses_without_credentials_stay(redactor: Redactor) -> None:
    said = "see http://localhost:8000/ and mail@example.org or 'http://x/' for a@b"
    assert TextFormatter(redactor).format(make_record(said)).endswith(said)


@pytest.mark.parametrize("said", ["@ " + "://" * 20_000, "@ " + "://a" * 20_000])
def test_a_long_line_costs_little(redactor: Redactor, said: str) -> None:
    started = time.process_time()
    assert redactor(said) == said
    assert time.process_time() - started < 5


@pytest.mark.usefixtures("strict_loop")
class TestRequestIds:
    async def test_every_answer_carries_one(self, library: Library) -> None:
        async with serve(library.data_dir) as served:
            answers = [await send(served, "GET", path) for path in ("/", "/health", "/nothing", "/documents")]
            answers += [await ask(served), await ask(served, ""), await send(served, "GET", "/health", Host="evil")]
            ids = [answer.headers["X-Request-ID"] for answer in answers]
            assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[0-9a-f]{16}", i) for i in ids)

    @pytest.mark.parametrize(
        ("sent", "usable"), [("from-proxy_1", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("é", False)]
    )
    async def test_one_that_was_sent_is_taken_over(self, library: Library, sent: str, usable: bool) -> None:
        async with serve(library.data_dir) as served:
            answer = await send(served, "GET", "/health", X_Request_ID=sent)
            assert (answer.headers["X-Request-ID"] == sent) is usable

    async def test_lines_of_requests_at_the_same_time_are_told_apart(self, tmp_path: Path) -> None:
        lines: list[tuple[str, str]] = []

        class Collect(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append((REQUEST_ID.get(), record.getMessage()))

        logging.getLogger("app").addHandler(collect := Collect())
        try:
            async with serve(tmp_path, mongodb_uri=AWAY, mongodb_timeout_s=0.2) as served:
                await asyncio.gather(*(send(served, "GET", "/documents", X_Request_ID=f"id-{n}") for n in range(9)))
        finally:
            logging.getLogger("app").removeHandler(collect)
        told = [request for request, line in lines if line.startswith("GET /documents: No MongoDB answers")]
        assert sorted(told) == [f"id-{n}" for n in range(9)]


async def test_a_run_with_secrets_logs_none_of_them(tmp_path: Path) -> None:
    """The real process at its most talkative, with a store and a model that are away."""
    log = tmp_path / "log"
    settings = {"MONGODB_URI": AWAY, "MONGODB_TIMEOUT_S": "0.3", "GOOGLE_API_KEY": KEY, "METRICS_TOKEN": TOKEN}
    settings |= {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "DATA_DIR": str(tmp_path / "data"), "PORT": "0"}
    with log.open("wb") as output:
        process = await start_program("app", output, OLLAMA_HOST=f"http://ana:{PASSWORD}@127.0.0.1:9", **settings)
    try:
        async with ClientSession(await read_address(process, log)) as client:
            for path in ("/", "/gemini"):
                async with client.post(path, json={"prompt": QUESTION}) as answer:
                    assert answer.status == 503 and PASSWORD.encode() not in await answer.read()
            for path in ("/ready", "/models", "/documents"):
                async with client.get(path, headers={"X-Request-ID": "mine", "Authorization": f"Bearer {TOKEN}"}) as r:
                    assert PASSWORD.encode() not in await r.read()
            async with client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
                assert answer.status == 200
    finally:
        process.terminate()
        await process.wait()
    lines = (await asyncio.to_thread(log.read_text)).splitlines()
    told = [json.loads(line) for line in lines if not line.startswith("Acervo is at ")]
    assert any(
        line.get("request") == "mine" and "No MongoDB answers at 127.0.0.1:9" in line["message"] for line in told
    )
    assert not [line for line in lines for secret in (PASSWORD, "ss-mongo", KEY, TOKEN) if secret in line]


async def test_the_audit_log(home: Path, tmp_path: Path) -> None:
    """Of the real process: who did what, one object a line, readable by its owner alone."""
    audit = tmp_path / "audit.log"
    with (tmp_path / "log").open("wb") as output:
        process = await start_program(
            "app", output, AUDIT_LOG=str(audit), LLM="extractive", DATA_DIR=str(home), PORT="0", LOG_LEVEL="ERROR"
        )
    try:
        async with ClientSession(await read_address(process, tmp_path / "log")) as client:
            data = await asyncio.to_thread(make_bytes, tmp_path)
            answer = await upload(client, ('a" b.pdf', data))
            (job,) = json.loads(answer.body)["jobs"]
            await get_json(client, f"/documents/{job['document']}", "DELETE")
            await get_json(client, f"/documents/{job['document']}/restore", "POST")
            async with client.post("/", json={"prompt": QUESTION}, headers={"X-Request-ID": "mine"}) as asked:
                await asked.read()
    finally:
        process.terminate()
        await process.wait()
    told = [json.loads(line) for line in (await asyncio.to_thread(audit.read_text)).splitlines()]
    assert [line["event"] for line in told] == ["upload", "delete", "restore", "ask"]
    assert {line["address"] for line in told} == {"127.0.0.1"} and {line["logger"] for line in told} == {"acervo.audit"}
    assert {line.get("document") for line in told} == {job["document"], None}
    assert told[0]["name"] == job["name"] and told[0]["request"] == answer.headers["X-Request-ID"]
    assert told[3]["request"] == "mine" and QUESTION not in json.dumps(told, ensure_ascii=False)
    assert audit.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wanted", [False, True])
async def test_the_text_of_questions_only_where_it_is_wanted(
    library: Library, wanted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "acervo.audit")
    async with serve(library.data_dir, audit_questions=wanted) as served:
        await ask(served, "Quem é o faroleiro?")
    (asked,) = [r for r in caplog.records if r.name == "acervo.audit"]
    assert ("Quem é o faroleiro?" in asked.getMessage()) is wanted


async def test_an_audit_log_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    process = await start_program("app", asyncio.subprocess.PIPE, AUDIT_LOG=str(tmp_path / "none/audit.log"), PORT="0")
    told, _ = await process.communicate()
    assert process.returncode == 1 and b"Not started: AUDIT_LOG=" in told and b"No such file" in told
