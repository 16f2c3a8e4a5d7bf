"""`GET /documents`, the original files, and images of their pages."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pymupdf
import pytest
import pytest_asyncio

from app.handlers.documents import DEFAULT_ZOOM
from app.images import MAX_ZOOM
from database.documents import Document
from database.files import Originals
from database.readers.render import MAX_PIXELS
from database.stores.sqlite import SqliteStore
from tests.library import BOX, BROKEN, HARVEST, HIDDEN, LIGHTHOUSE, Library
from tests.server import Answer, Served, send_raw, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]

UNKNOWN = "0" * 64


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(library: Library) -> AsyncIterator[Served]:
    async with serve(library.data_dir) as served:
        yield served


@pytest.fixture
def farol(library: Library) -> str:
    """The address of the lighthouse."""
    return f"/documents/{library.documents[LIGHTHOUSE].id}"


async def get(served: Served, path: str, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.client.get(path, headers=sent) as response:
        return Answer(response.status, response.headers, await response.read())


async def test_lists_what_is_visible_by_name(served: Served, library: Library) -> None:
    answer = await get(served, "/documents")
    broken, harvest, lighthouse = json.loads(answer.body)["documents"]
    assert [d["name"] for d in (broken, harvest, lighthouse)] == [BROKEN, HARVEST, LIGHTHOUSE]
    document = library.documents[LIGHTHOUSE]
    assert lighthouse == {
        "id": document.id,
        "name": LIGHTHOUSE,
        "title": f"About {LIGHTHOUSE}",
        "language": "pt",
        "pages": 2,
        "chunks": 2,
        "windows": document.window_count,
        "size": document.size,
        "state": "ready",
        "reason": "",
        "notes": [],
        "added_at": 1700000000.0,
        "origin": "folder",
        "url": "",
        "format": "pdf",
        "unit": "page",
        "collection": "",
    }
    assert (broken["state"], broken["reason"], broken["pages"]) == ("failed", "Not a PDF.", 0)


class TestFile:
    async def test_is_the_very_bytes_to_be_shown(self, served: Served, library: Library, farol: str) -> None:
        answer = await get(served, f"{farol}/file")
        assert answer.status == 200
        assert hashlib.sha256(answer.body).hexdigest() == library.documents[LIGHTHOUSE].id
        assert answer.headers["Content-Type"] == "application/pdf"
        # A plain filename cannot carry the ó.
        assert answer.headers["Content-Disposition"] == f"inline; filename*=UTF-8''{quote(LIGHTHOUSE)}"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    async def test_answers_ranges_and_unchanged(self, served: Served, farol: str) -> None:
        whole = await get(served, f"{farol}/file")
        part = await get(served, f"{farol}/file", Range="bytes=5-9")
        assert (part.status, part.body) == (206, whole.body[5:10])
        assert part.headers["Content-Range"] == f"bytes 5-9/{len(whole.body)}"
        assert (await get(served, f"{farol}/file", Range="bytes=9999999-")).status == 416
        assert (await get(served, f"{farol}/file", If_None_Match=whole.headers["Etag"])).status == 304

    async def test_head_tells_the_size(self, served: Served, library: Library, farol: str) -> None:
        async with served.client.head(f"{farol}/file") as response:
            assert response.status == 200 and await response.read() == b""
            assert response.headers["Content-Length"] == str(library.documents[LIGHTHOUSE].size)


class TestPageImage:
    async def test_is_a_picture_of_the_page(self, served: Served, farol: str) -> None:
        answer = await get(served, f"{farol}/pages/2.png")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
        assert answer.headers["Cache-Control"] == "private, max-age=3600"
        picture = pymupdf.Pixmap(answer.body)
        assert (picture.width, picture.height) == pytest.approx((595 * DEFAULT_ZOOM, 842 * DEFAULT_ZOOM), abs=1)

    async def test_the_passage_is_highlighted(self, served: Served, library: Library, farol: str) -> None:
        chunk = library.chunks[LIGHTHOUSE, 1].id
        plain = pymupdf.Pixmap((await get(served, f"{farol}/pages/1.png?zoom=1")).body)
        marked = pymupdf.Pixmap((await get(served, f"{farol}/pages/1.png?zoom=1&highlight={chunk}")).body)
        x0, y0, x1, y1 = map(int, BOX)
        inside, outside = (x1 - 3, y1 - 3), (x1 + 3, y1 + 3)
        assert plain.pixel(*inside) == plain.pixel(*outside) == marked.pixel(*outside) == (255, 255, 255)
        red, green, blue = marked.pixel(*inside)
        assert red > 240 and green > 200 and blue < 160
        assert marked.pixel(x0 + 1, y0 + 1) == (red, green, blue)
        several = await get(served, f"{farol}/pages/1.png?zoom=1&highlight=nothing&highlight={chunk}")
        assert pymupdf.Pixmap(several.body).pixel(*inside) == (red, green, blue)

    @pytest.mark.parametrize("highlight", ["nothing", "", "%00", "%ED%A0%80", "a" * 3000, "'; DROP TABLE chunks"])
    async def test_an_unknown_passage_is_ignored(self, served: Served, farol: str, highlight: str) -> None:
        plain = await get(served, f"{farol}/pages/1.png?zoom=0.5")
        answer = await get(served, f"{farol}/pages/1.png?zoom=0.5&highlight={highlight}")
        assert (answer.status, answer.body) == (200, plain.body)

    async def test_a_passage_of_another_page_is_ignored(self, served: Served, library: Library, farol: str) -> None:
        plain = await get(served, f"{farol}/pages/1.png?zoom=0.5")
        for key in ((LIGHTHOUSE, 2), (HARVEST, 1)):
            other = library.chunks[key].id
            assert (await get(served, f"{farol}/pages/1.png?zoom=0.5&highlight={other}")).body == plain.body

    async def test_is_drawn_once(self, served: Served, library: Library, farol: str) -> None:
        first = await get(served, f"{farol}/pages/1.png?zoom=1.25")
        original = Originals(library.data_dir / "files").place(library.documents[LIGHTHOUSE].id)
        pdf = await asyncio.to_thread(original.read_bytes)
        await asyncio.to_thread(original.write_bytes, b"Nothing can be drawn from this.")
        try:
            again = await asyncio.gather(*(get(served, f"{farol}/pages/1.png?zoom=1.25") for _ in range(20)))
            other = await get(served, f"{farol}/pages/1.png?zoom=1.5")
        finally:
            await asyncio.to_thread(original.write_bytes, pdf)
        assert {answer.body for answer in again} == {first.body} and other.status == 422

    @pytest.mark.parametrize("zoom", ["100", "1e9"])
    async def test_the_zoom_is_capped(self, served: Served, farol: str, zoom: str) -> None:
        picture = pymupdf.Pixmap((await get(served, f"{farol}/pages/1.png?zoom={zoom}")).body)
        assert picture.width <= 595 * MAX_ZOOM + 1 and picture.width * picture.height <= MAX_PIXELS * 1.01

    @pytest.mark.parametrize("zoom", ["0", "-1", "nan", "inf", "1e999", "large", "1,5", "%00"])
    async def test_a_zoom_that_is_no_size_is_refused(self, served: Served, farol: str, zoom: str) -> None:
        answer = await get(served, f"{farol}/pages/1.png?zoom={zoom}")
        assert answer.status == 400 and answer.error.endswith("give a number such as 1.5.")

    @pytest.mark.parametrize("number", ["0", "3", "999999"])
    async def test_a_page_that_is_not_there(self, served: Served, farol: str, number: str) -> None:
        answer = await get(served, f"{farol}/pages/{number}.png")
        assert answer.status == 404 and f"{LIGHTHOUSE} has 2 pages" in answer.error

    async def test_a_document_without_pages(self, served: Served, library: Library) -> None:
        answer = await get(served, f"/documents/{library.documents[BROKEN].id}/pages/1.png")
        assert answer.status == 404 and "has 0 pages" in answer.error


@pytest.mark.parametrize("tail", ["file", "pages/1.png"])
class TestWhatIsNotThere:
    async def test_unknown_and_excluded_documents(self, served: Served, library: Library, tail: str) -> None:
        for document in (UNKNOWN, library.documents[HIDDEN].id):
            answer = await get(served, f"/documents/{document}/{tail}")
            assert answer.status == 404 and "GET /documents lists" in answer.error

    async def test_an_original_that_is_gone(self, tmp_path: Path, library: Library, tail: str) -> None:
        gone = replace(library.documents[LIGHTHOUSE], id="c" * 64)
        await _store_alone(tmp_path, [gone])
        async with serve(tmp_path, embedder="ollama:none") as served:
            answer = await get(served, f"/documents/{gone.id}/{tail}")
            assert answer.status == 404 and "make load" in answer.error

    async def test_a_file_that_cannot_be_drawn(self, tmp_path: Path, library: Library, tail: str) -> None:
        data = b"This is not a PDF at all."
        broken = replace(library.documents[LIGHTHOUSE], id=hashlib.sha256(data).hexdigest())
        await _store_alone(tmp_path, [broken])
        path = Originals(tmp_path / "files").place(broken.id)
        await asyncio.to_thread(path.parent.mkdir, parents=True)
        await asyncio.to_thread(path.write_bytes, data)
        async with serve(tmp_path, embedder="ollama:none") as served:
            answer = await get(served, f"/documents/{broken.id}/{tail}")
            if tail == "file":
                assert answer.body == data
            else:
                assert answer.status == 422 and answer.error


@pytest.mark.parametrize(
    "path",
    [
        "/documents/../../../etc/passwd/file",
        "/documents/..%2f..%2f..%2fetc%2fpasswd/file",
        "/documents/%2e%2e/file",
        "/documents//etc/passwd/file",
        f"/documents/{UNKNOWN}/../../file",
        f"/documents/{UNKNOWN.upper()[:-1]}F/file",
        f"/documents/{UNKNOWN}%00/file",
        f"/documents/{UNKNOWN}.pdf/file",
        f"/documents/{UNKNOWN}/file/",
        f"/documents/{UNKNOWN}/pages/../file",
        f"/documents/{UNKNOWN}/pages/-1.png",
        f"/documents/{UNKNOWN}/pages/1.5.png",
        f"/documents/{UNKNOWN}/pages/1234567.png",
        f"/documents/{UNKNOWN}/pages/1.jpg",
    ],
)
async def test_no_path_leaves_the_documents(served: Served, path: str) -> None:
    # A raw request: clients tidy such paths up before they send them.
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, body = await send_raw(served, request.encode())
    assert status == 404 and b"root:" not in body


async def _store_alone(data_dir: Path, documents: Sequence[Document]) -> None:
    """An index of records without contents."""
    store = SqliteStore(data_dir / "index.sqlite")
    await store.open()
    for document in documents:
        await store.put_document(document)
    await store.aclose()
