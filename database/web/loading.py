"""Addresses for a load: each is fetched into a file that lies on disk for as long as the load takes."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from database.changes import FoundFile
from database.documents import WEB, Document, Name
from database.errors import AcervoError, ReadError
from database.settings import IndexSettings
from database.web.fetch import Fetcher
from database.web.receiving import FOLDER, Fetched


@dataclass(frozen=True, slots=True)
class Pages:
    """What addresses gave: files, and why there is none, by the address as it was given."""

    fetched: Sequence[Fetched] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def find_files(self, documents: Iterable[Document], collection: str | None) -> list[FoundFile]:
        """The files by their names: in this collection or, without one, wherever the address is known already."""
        known: dict[str, set[str]] = {}
        for name in (name for document in documents for name in document.names if name.root == WEB):
            known.setdefault(name.path, set()).add(name.collection)
        files = {}
        for page in self.fetched:
            for place in [collection] if collection is not None else sorted(known.get(page.address, {""})):
                name = Name(WEB, page.address, collection=place)
                files[name] = FoundFile(name, page.document_id, page.size, page.path)
        return list(files.values())


@asynccontextmanager
async def fetch_pages(
    settings: IndexSettings, addresses: Sequence[str], say: Callable[[str], None]
) -> AsyncIterator[Pages]:
    """Fetch one address after the other; their files are deleted when the block ends.

    Raises `AcervoError` for what is no address's fault, such as a DATA_DIR that cannot be written.
    """
    fetched, failed = [], []
    folder = await asyncio.to_thread(_make_folder, settings.data_dir / FOLDER)
    try:
        async with Fetcher(settings, Path(folder.name)) as fetcher:
            for address in addresses:
                say(f"fetching {address}")
                try:
                    fetched.append(await fetcher.fetch(address))
                except ReadError as error:
                    failed.append((address, str(error)))
        yield Pages(fetched, tuple(failed))
    finally:
        await asyncio.to_thread(folder.cleanup)


def _make_folder(parent: Path) -> "tempfile.TemporaryDirectory[str]":
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=parent)
    except OSError as error:
        raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({parent}).") from error
