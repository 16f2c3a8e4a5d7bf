"""One address, from the first connection to a file on disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from yarl import URL

from database.documents import name_address
from database.errors import FileTooLarge, Unreachable, WrongAddress, WrongFormat
from database.formats import ENDINGS, FORMATS, LOADABLE, MEDIA_TYPES
from database.settings import IndexSettings
from database.web.addresses import read_address
from database.web.guard import Guard
from database.web.receiving import ENCODINGS, Fetched, Sink
from database.web.robots import AGENT, Robots

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK = 1 << 16
CONNECT_S = 10
TYPES = MEDIA_TYPES | {"application/x-pdf", "application/octet-stream", "binary/octet-stream"}
"""What bodies may say they are, or nothing; in the end their bytes decide."""
HEADERS = {hdrs.USER_AGENT: AGENT, hdrs.ACCEPT: "*/*"}


class Fetcher:
    """Fetches into files below `folder`, which are the caller's to delete. What sites ask programs is kept for as
    long as this is open. `resolver` asks for names of hosts; the system does when it is None."""

    def __init__(self, settings: IndexSettings, folder: Path, resolver: AbstractResolver | None = None):
        self._folder, self._timeout_s, self._max_mb = folder, settings.url_timeout_s, settings.max_file_mb
        self._allowed, self._resolver = settings.url_allowed, resolver
        self._robots = Robots(self._read)

    async def __aenter__(self) -> Self:
        self._guard = Guard(self._allowed, self._resolver)
        connector = aiohttp.TCPConnector(
            resolver=self._guard, use_dns_cache=False, socket_factory=self._guard.make_socket, force_close=True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._guard.close()

    async def fetch(self, address: str) -> Fetched:
        """The file behind an address. Raises `ReadError`: `WrongAddress` for what may not be fetched,
        `Unreachable` for what cannot be now, `FileTooLarge`, `NotPdf`, `EmptyFile`."""
        url = read_address(address, self._allowed)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(url)
        except TimeoutError:
            raise Unreachable(
                f"{url.host} did not send it within {self._timeout_s:g} seconds (URL_TIMEOUT_S). Try again later."
            ) from None
        except aiohttp.InvalidURL as error:
            raise WrongAddress(f"{url.host} is no name of a host. Copy the address from the browser again.") from error
        except aiohttp.ClientError as error:
            raise Unreachable(_explain(url, error)) from error

    async def _follow(self, url: URL) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            await self._robots.check(url)
            async with self._open(url) as response:
                if response.status not in REDIRECTS:
                    return await self._receive(url, response)
                url = self._find_next(url, response)
        raise WrongAddress(f"The address redirects more than {MAX_REDIRECTS} times. Open it and copy the final one.")

    async def _read(self, url: URL, max_bytes: int) -> tuple[int, bytes]:
        """Status and the beginning of a body, for what is read here and not kept."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._open(url, "identity") as response:
                if response.status not in REDIRECTS:
                    body = bytearray()
                    while len(body) < max_bytes and (chunk := await response.content.read(max_bytes - len(body))):
                        body += chunk
                    return response.status, bytes(body)
                url = self._find_next(url, response)
        return 404, b""  # as RFC 9309 has it: what redirects for ever is not there

    @asynccontextmanager
    async def _open(self, url: URL, encoding: str = "gzip") -> AsyncIterator[aiohttp.ClientResponse]:
        self._guard.admit(url)
        headers = {hdrs.ACCEPT_ENCODING: encoding}
        async with self._session.get(url, allow_redirects=False, headers=headers) as response:
            yield response

    def _find_next(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        """Where a redirect leads, checked like the first address."""
        try:
            following = url.join(URL(response.headers.get(hdrs.LOCATION, "")))
        except ValueError as error:
            raise WrongAddress(f"{url.host} redirects to something that is no address.") from error
        return read_address(str(following), self._allowed)

    async def _receive(self, url: URL, response: aiohttp.ClientResponse) -> Fetched:
        encoding = response.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
        self._check_head(url, response, encoding)
        sink = await asyncio.to_thread(Sink, self._folder, self._max_mb, encoding, _find_ending(url, response))
        fetched = None
        try:
            while chunk := await response.content.read(CHUNK):
                await asyncio.to_thread(sink.write, chunk)
            fetched = await asyncio.to_thread(sink.finish, str(url))
            return fetched
        finally:
            sink.close()
            if fetched is None:
                sink.path.unlink(missing_ok=True)

    def _check_head(self, url: URL, response: aiohttp.ClientResponse, encoding: str) -> None:
        if response.status in (401, 403):
            raise WrongAddress(
                f"{url.host} answers with {response.status}: the page needs a login, or is not for programs. Save it "
                "in the browser and load the file."
            )
        if response.status != 200:
            raise Unreachable(f"{url.host} answers with {response.status} {response.reason or ''}".strip() + ".")
        if hdrs.CONTENT_TYPE in response.headers and response.content_type not in TYPES:
            raise WrongFormat(f"It is {response.content_type}, which cannot be read. These can be loaded: {LOADABLE}.")
        if encoding not in ENCODINGS:
            raise Unreachable(f"{url.host} sends it packed as {encoding[:40]!r}, which was not asked for.")
        if (response.content_length or 0) > self._max_mb << 20:
            raise FileTooLarge(f"It has more than MAX_FILE_MB={self._max_mb} MB. Raise that setting to load it.")


def _find_ending(url: URL, response: aiohttp.ClientResponse) -> str:
    """How a file like this ends, which tells kinds of plain text apart."""
    ending = PurePosixPath(name_address(str(url))).suffix.lower()
    if ending in ENDINGS:
        return ending
    kinds = (known for known in FORMATS.values() if response.content_type in known.media_types)
    return next((known.endings[0] for known in kinds), "")


def _explain(url: URL, error: aiohttp.ClientError) -> str:
    """What failed, and what to do."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"There is no host {url.host}, or no way to ask for it. Check the address and the connection."
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{url.host} could not prove who it is (TLS). Open the address in the browser to see why."
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{url.host} cannot be reached: {error.os_error.strerror}. Check the address and the connection."
    return f"{url.host} broke off what it sent, or sent what is no answer. Try again."
