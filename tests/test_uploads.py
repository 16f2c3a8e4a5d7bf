"""`POST /documents`: what is taken, what is refused, under which names, and what is left on disk."""

import asyncio
import fcntl
import json
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientError
from hypothesis import given
from hypothesis import strategies as st

from app.filenames import FALLBACK, MAX_BYTES, find_free, make_safe
from app.uploads import FOLDER
from tests import pdfs
from tests.library import Library
from tests.server import Served, send, send_raw, serve
from tests.uploading import finish, get_json, make_bytes, make_form, start, until, upload

MB = 1 << 20
LIMITS: dict[str, Any] = {"max_file_mb": 1, "max_upload_files": 3, "max_body_kb": 1}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory, library: Library) -> AsyncIterator[Served]:
    data_dir = tmp_path_factory.mktemp("uploads")
    (data_dir / "models").symlink_to(library.data_dir / "models")
    async with serve(data_dir, **LIMITS) as served:
        yield served


def list_kept(served: Served) -> list[Path]:
    """Originals, and files that are arriving."""
    from app.keys import SETTINGS

    data_dir = served.app[SETTINGS].data_dir
    return [*data_dir.glob("files/*/*"), *data_dir.glob(f"{FOLDER}/*")]


@pytest.mark.asyncio(loop_scope="module")
class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "status", "kind"),
        [
            (lambda path: b"", 422, "empty"),
            (lambda path: b"PK\x03\x04" + b"x" * 2000, 422, "damaged"),
            (lambda path: b"\0" * 1024 + b"%PDF-1.7", 415, "wrong_format"),
            (lambda path: pdfs.make_encrypted(path / "a.pdf", user="secret").read_bytes(), 422, "encrypted"),
            (lambda path: b"%PDF-1.7 broken", 422, "damaged"),
            (lambda path: pdfs.make_empty(path / "a.pdf").read_bytes(), 422, "empty"),
            (lambda path: b"%PDF-1.7" + bytes(MB), 413, "too_large"),
            (lambda path: b"%PDF-1.7" + bytes(5 * MB), 413, "too_large"),
        ],
        ids=["empty", "zip", "late", "password", "damaged", "no-pages", "large", "larger-than-a-request"],
    )
    async def test_a_file_that_is_not_taken(
        self, served: Served, tmp_path: Path, make: Any, status: int, kind: str
    ) -> None:
        before = list_kept(served)
        answer = await upload(served.client, ("a.pdf", make(tmp_path)))
        told = json.loads(answer.body)
        assert (answer.status, told["status"], told["kind"]) == (status, status, kind) and told["error"]
        await until(lambda: list_kept(served) == before)

    async def test_too_large_without_a_length(self, served: Served) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.pdf"\r\n\r\n%PDF-1.7'
            yield bytes(MB + 99)
            yield b"\r\n--x--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        async with served.client.post("/documents", data=body(), headers=headers) as response:
            assert (response.status, (await response.json())["kind"]) == (413, "too_large")

    async def test_a_body_without_end_is_cut_off(self, served: Served) -> None:
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            yield b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.pdf"\r\n\r\n%PDF-1.7'
            while True:
                yield bytes(1 << 16)
                sent += 1 << 16

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        try:
            async with served.client.post("/documents", data=body(), headers=headers) as response:
                assert response.status == 413
        except ClientError:
            pass  # the server has closed the connection, and its answer is lost on the way
        assert sent < 64 * MB

    async def test_the_others_are_taken(self, served: Served, tmp_path: Path) -> None:
        answer = await upload(served.client, ("bad.pdf", b"n\0"), ("good.pdf", make_bytes(tmp_path, seed=1)))
        told = json.loads(answer.body)
        assert answer.status == 202 and [job["name"] for job in told["jobs"]] == ["good.pdf"]
        assert [(r["name"], r["kind"]) for r in told["refused"]] == [("bad.pdf", "wrong_format")] and told["refused"][
            0
        ]["error"]

    async def test_more_files_than_a_request_may_bring(self, served: Served, tmp_path: Path) -> None:
        files = [(f"{n}.pdf", make_bytes(tmp_path, seed=10 + n)) for n in range(4)]
        told = json.loads((await upload(served.client, *files)).body)
        assert [job["name"] for job in told["jobs"]] == ["0.pdf", "1.pdf", "2.pdf"]
        assert [(r["name"], r["kind"]) for r in told["refused"]] == [("3.pdf", "too_many")]

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"file": 1}', "application/json"),
            (b"no boundary", "multipart/form-data"),
            (b"no part", "multipart/form-data; boundary=x"),
            (
                b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nfield\r\n--x--\r\n',
                "multipart/form-data; boundary=x",
            ),
            (
                b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--",
                "multipart/form-data; boundary=x",
            ),
            (
                b'--x\r\nContent-Disposition: form-data; filename="a.pdf"\r\n\r\n%PDF-',
                "multipart/form-data; boundary=x",
            ),
        ],
        ids=["json", "no-boundary", "no-part", "no-file", "nested", "cut-off"],
    )
    async def test_a_body_that_is_no_form_with_files(self, served: Served, body: bytes, kind: str) -> None:
        answer = await send(served, "POST", "/documents", body, Content_Type=kind)
        assert answer.status == 400 and answer.error

    async def test_a_client_that_goes_away_leaves_nothing(self, served: Served) -> None:
        before = list_kept(served)
        head = f"POST /documents HTTP/1.1\r\nHost: localhost:{served.url.port}\r\nContent-Length: 500000\r\n"
        part = '--x\r\nContent-Disposition: form-data; name="f"; filename="a.pdf"\r\n\r\n%PDF-1.7'
        _, writer = await asyncio.open_connection(served.url.host, served.url.port)
        writer.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n{part}".encode() + bytes(200_000))
        await until(lambda: len(list_kept(served)) > len(before))
        writer.close()
        await until(lambda: list_kept(served) == before)


async def test_a_client_that_stalls_is_told(tmp_path: Path) -> None:
    async with serve(tmp_path, stall_timeout_s=0.2, embedder="ollama:none") as served:
        head = "POST /documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 500\r\n"
        request = f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: form-data; "
        status, body = await send_raw(served, request.encode())
        assert status == 408 and b"STALL_TIMEOUT_S" in body


async def test_only_so_many_uploads_at_a_time(tmp_path: Path) -> None:
    async with serve(tmp_path, max_uploads=1, embedder="ollama:none") as served:
        head = "POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"
        _, writer = await asyncio.open_connection(served.url.host, served.url.port)
        writer.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x".encode())

        async def is_refused() -> bool:
            return (await upload(served.client, ("a.pdf", b"no"))).status == 429

        await until(is_refused)
        writer.close()


async def test_what_a_killed_server_left_is_dropped_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    await asyncio.to_thread(folder.mkdir)
    for name in ("left.part", "arriving.part"):
        await asyncio.to_thread((folder / name).write_bytes, b"half")
    with (folder / "arriving.part").open("rb") as file:  # another server is receiving it
        fcntl.flock(file, fcntl.LOCK_EX)
        async with serve(tmp_path, embedder="ollama:none"):
            assert [path.name for path in folder.iterdir()] == ["arriving.part"]


class TestNames:
    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("relatório anual.pdf", "relatório anual.pdf"),
            ("relato\u0301rio.pdf", "relatório.pdf"),
            ("報告書.pdf", "報告書.pdf"),
            ("تقرير.pdf", "تقرير.pdf"),
            ("../../etc/passwd.pdf", "passwd.pdf"),
            ("C:\\Users\\eu\\nota.pdf", "nota.pdf"),
            ("invoice\u202efdp.exe", "invoicefdp.exe"),
            ("\u2066a\u2069\u200f.pdf", "a.pdf"),
            ("a\x00\x1b[31m\r\nb.pdf", "a[31mb.pdf"),
            ("half \ud800.pdf", "half.pdf"),
            ("two\u2028lines.pdf", "two lines.pdf"),
            (".hidden.pdf", "hidden.pdf"),
            ("..", FALLBACK),
            ("", FALLBACK),
            ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
            ("é" * 200 + ".pdf", "é" * 125 + ".pdf"),
        ],
    )
    def test_are_made_safe(self, sent: str, kept: str) -> None:
        assert make_safe(sent) == kept

    @given(st.text())
    def test_are_safe_whatever_is_sent(self, sent: str) -> None:
        name = make_safe(sent)
        assert name and len(name.encode()) <= MAX_BYTES and "/" not in name and "\\" not in name
        assert name.strip(".") and unicodedata.is_normalized("NFC", name)
        assert not any(unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI"} for c in name)
        assert name.isprintable() or any(c in "\u200c\u200d\u00a0\u3000" or c.isspace() for c in name)

    def test_are_numbered_where_they_are_taken(self) -> None:
        assert find_free("a.pdf", ["b.pdf"]) == "a.pdf"
        assert find_free("a.pdf", ["A.PDF", "a (2).pdf"]) == "a (3).pdf"
        long = "x" * 251 + ".pdf"
        assert find_free(long, [long]) == "x" * 247 + " (2).pdf"

    @pytest.mark.asyncio(loop_scope="module")
    async def test_arrive_as_they_were_sent(self, served: Served, tmp_path: Path) -> None:
        job = await start(served.client, "../Relatório “3ª série” 報告.pdf", make_bytes(tmp_path, seed=20))
        assert job["name"] == "Relatório “3ª série” 報告.pdf"
        assert (await finish(served.client, job))["state"] == "done"
        _, body = await get_json(served.client, "/documents")
        assert [(d["name"], d["origin"]) for d in body["documents"] if d["id"] == job["document"]] == [
            (job["name"], "upload")
        ]

    @pytest.mark.asyncio(loop_scope="module")
    async def test_another_file_of_the_same_name(self, served: Served, tmp_path: Path) -> None:
        jobs = [await start(served.client, "same.pdf", make_bytes(tmp_path, seed=30 + n)) for n in range(3)]
        assert [job["name"] for job in jobs] == ["same.pdf", "same (2).pdf", "same (3).pdf"]
        assert len({job["document"] for job in jobs}) == 3


def test_forms_are_sent_as_browsers_do() -> None:
    """Otherwise the tests above would not see what servers get."""
    assert make_form(("é.pdf", b""))()._parts[0][0].headers["Content-Disposition"].endswith('filename="é.pdf"')
