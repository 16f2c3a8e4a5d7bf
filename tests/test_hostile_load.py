"""The server while it is sent files that mean harm: it answers as fast as ever, and does not grow."""

import asyncio
import json
import time
from pathlib import Path

import psutil
from aiohttp import ClientSession, ClientTimeout

from tests import hostile_pdfs
from tests.deep import DEEP
from tests.e2e.servers import run_server
from tests.uploading import finish, list_names, make_bytes, start, upload

FEW = (
    *("bomb in a bomb", "image bomb", "active content", "forms that draw each other"),
    *(
        "page tree that comes back",
        "two billion pages",
        "page of 1e9 points",
        "arrays in arrays",
        "title of a megabyte",
    ),
    *("signature and noise", "wrong xref"),
)
SENT = tuple(hostile_pdfs.MADE) if DEEP else FEW
LATE_S = 1.0
GROWTH_MB = 150
LIMITS = {"READ_TIMEOUT_S": "1", "READ_MEMORY_MB": "1024", "LLM": "extractive", "JOB_WORKERS": "2"}


class Watch:
    """Asks /health again and again, and looks at the memory of the server."""

    def __init__(self, client: ClientSession, process_id: int) -> None:
        self._client, self._process = client, psutil.Process(process_id)
        self.waits: list[float] = []
        self.before_mb = self.most_mb = self._measure()

    def _measure(self) -> float:
        return float(self._process.memory_info().rss / (1 << 20))

    async def run(self) -> None:
        while True:
            asked = time.monotonic()
            async with self._client.get("/health") as answer:
                assert answer.status == 200
            self.waits.append(time.monotonic() - asked)
            self.most_mb = max(self.most_mb, self._measure())
            await asyncio.sleep(0.05)


async def send_all(client: ClientSession) -> dict[str, str]:
    """What became of each file: the kind of its refusal, or how its job ended."""
    ended: dict[str, str] = {}
    jobs = []
    for name in SENT:
        answer = await upload(client, (f"{name}.pdf", await asyncio.to_thread(hostile_pdfs.MADE[name])))
        told = json.loads(answer.body)
        assert answer.status < 500, told
        ended |= {refused["name"]: refused["kind"] for refused in told.get("refused", [])}
        jobs += told.get("jobs", [])
    for job in jobs:
        ended[job["name"]] = (await finish(client, job))["state"]
    return ended


async def test_the_server_does_not_feel_files_that_mean_harm(tmp_path: Path) -> None:
    async with run_server(tmp_path / "data", tmp_path / "pdf", **LIMITS) as server:
        timeout = ClientTimeout(total=120)
        async with ClientSession(server.url, timeout=timeout) as client:
            # What the first document costs in memory, every document would: the model that makes vectors.
            await finish(client, await start(client, "first.pdf", make_bytes(tmp_path)))
            watch = Watch(client, server.process.pid)
            watching = asyncio.create_task(watch.run())
            ended = await send_all(client)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            after = await finish(client, await start(client, "last.pdf", make_bytes(tmp_path, seed=1)))
            names = await list_names(client)
    assert len(ended) == len(SENT)
    refused = {"failed", "empty", "damaged", "encrypted", "too_large", "wrong_format"}
    assert set(ended.values()) <= {"done"} | refused, ended
    assert after["state"] == "done" and {"first.pdf", "last.pdf"} <= set(names)
    late = sorted(watch.waits)[-max(1, len(watch.waits) // 100)]
    memory = f"{watch.before_mb:.0f} to {watch.most_mb:.0f} MB"
    print(f"{len(ended)} files; {len(watch.waits)} requests, 99 % within {late:.2f} s, {memory}")
    assert late < LATE_S
    assert watch.most_mb - watch.before_mb < GROWTH_MB
