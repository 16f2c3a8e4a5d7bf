"""Writing an answer line by line, each line in one write.

Programs and pages of our own origin get every token at once. A page of another origin gets tokens
merged into one line per 250 ms: the original client parses only the last line of what has arrived
when its browser tells it, and would lose the others.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from aiohttp import hdrs, web

from app.events import Done, Event, Failed, Sources, Token
from app.keys import SETTINGS, STOPPING
from app.tally import Tally
from database.errors import AcervoError

log = logging.getLogger(__name__)

MERGE_S = 0.25
LITTLE = 16 * 1024
"""Bytes. With fewer than these to be sent, a connection of asyncio is not, or no longer, held up; that takes 64 kB."""
LINES, EVENTS = "application/x-ndjson; charset=utf-8", "text/event-stream; charset=utf-8"
HEADERS = {hdrs.CONTENT_TYPE: LINES, hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}
STOPPED = "The server is stopping, so this answer is incomplete. Ask again in a moment."
UNFORESEEN = "The server failed unexpectedly, so this answer is incomplete; its log says why."

Encode = Callable[[Event, Sources], bytes]
"""The line of an event, in an answer that began with these sources."""


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written. `merged`: slowly, for pages of other origins."""

    encode: Encode
    content_type: str = LINES
    merged: bool = False


async def stream_events(
    request: web.Request, events: AsyncGenerator[Event], form: Form, tally: Tally
) -> web.StreamResponse:
    """Send `events` to the client, and count them. What fails before the first event is raised, for a status; what
    fails later, and the server's own stop, becomes the last line."""
    stall_s, stopping = request.app[SETTINGS].stall_timeout_s, request.app[STOPPING]
    async with aclosing(events):
        opening = await anext(events)
        assert isinstance(opening, Sources), "an answer begins with its sources"
        tally.model = opening.model
        response = web.StreamResponse(headers={**HEADERS, hdrs.CONTENT_TYPE: form.content_type})
        await response.prepare(request)
        caught = _catch(opening, events, tally)
        lines = _merge(caught) if form.merged else caught
        try:
            async with aclosing(lines):
                async for event in lines:
                    line = form.encode(event, opening)
                    if _is_taken_at_once(request.transport, line):
                        await response.write(line)
                    else:
                        async with asyncio.timeout(stall_s):
                            await response.write(line)
        except TimeoutError:
            # A client that reads nothing would keep the model at work for ever.
            raise ConnectionResetError(f"A client read nothing for {stall_s:g} seconds") from None
        except asyncio.CancelledError:
            if not stopping.is_set():
                raise
            tally.outcome = "stopped"
            await response.write(form.encode(Failed(STOPPED), opening))
        await response.write_eof()
    return response


def _is_taken_at_once(transport: asyncio.Transport | None, line: bytes) -> bool:
    """Whether writing it cannot wait for the client. Nearly always: a limit on each write costs as much as relaying
    a token."""
    return transport is not None and transport.get_write_buffer_size() < LITTLE and len(line) < LITTLE


async def _catch(opening: Sources, events: AsyncIterator[Event], tally: Tally) -> AsyncGenerator[Event]:
    yield opening
    try:
        async for event in events:
            if isinstance(event, Token):
                tally.token()
            elif isinstance(event, Done):
                tally.outcome, tally.model = "complete", event.model
            yield event
    except AcervoError as error:
        tally.outcome = "failed"
        log.warning("An answer broke off: %s", error)
        yield Failed(str(error), error.kind)
    except Exception:  # the status is sent already, so the middleware comes too late to tell
        tally.outcome = "failed"
        log.exception("An answer broke off")
        yield Failed(UNFORESEEN)


async def _merge(events: AsyncGenerator[Event], pause_s: float = MERGE_S) -> AsyncGenerator[Event]:
    """The same events, at least `pause_s` apart, the tokens that arrive meanwhile as one."""
    arrived: asyncio.Queue[Event | None] = asyncio.Queue()

    async def collect() -> None:
        async with aclosing(events):
            async for event in events:
                arrived.put_nowait(event)
        arrived.put_nowait(None)

    collecting = asyncio.create_task(collect())
    try:
        wait_s = 0.0
        while True:
            batch = [await arrived.get()]
            while not arrived.empty():
                batch.append(arrived.get_nowait())
            for event in _join_tokens(batch):
                if event is None:
                    return
                await asyncio.sleep(wait_s)
                yield event
                wait_s = pause_s
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)


def _join_tokens(events: Sequence[Event | None]) -> list[Event | None]:
    joined: list[Event | None] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Token) and isinstance(last, Token):
            joined[-1] = replace(last, text=last.text + event.text, checks=last.checks + event.checks)
        else:
            joined.append(replace(event, line=None) if isinstance(event, Token) else event)
    return joined
