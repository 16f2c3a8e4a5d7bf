"""Writing an answer line by line, each line in one write.

Programs and pages of our own origin get every token at once. A page of another origin gets tokens
merged into one line per 250 ms: the original client parses only the last line of what has arrived
when its browser tells it, and would lose the others.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
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
    transport = request.transport
    async with aclosing(events):
        opening = await anext(events)
        assert isinstance(opening, Sources), "an answer begins with its sources"
        tally.model = opening.model
        response = web.StreamResponse(headers={**HEADERS, hdrs.CONTENT_TYPE: form.content_type})
        await response.prepare(request)
        rest = _merge(events, tally) if form.merged else events
        event: Event | None = opening
        try:
            async with aclosing(rest):
                while event is not None:
                    line = form.encode(event, opening)
                    if _is_taken_at_once(transport, line):
                        await response.write(line)
                    else:
                        async with asyncio.timeout(stall_s):
                            await response.write(line)
                    try:
                        event = await anext(rest)
                        if not form.merged:
                            _count(event, tally)
                    except StopAsyncIteration:
                        event = None
                    except Exception as error:  # the status is sent already, so the middleware comes too late to tell
                        event = _describe(error, tally)
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


def _count(event: Event, tally: Tally) -> None:
    if isinstance(event, Token):
        tally.token()
    elif isinstance(event, Done):
        tally.outcome, tally.model = "complete", event.model


def _describe(error: Exception, tally: Tally) -> Failed:
    tally.outcome = "failed"
    if isinstance(error, AcervoError):
        log.warning("An answer broke off: %s", error)
        return Failed(str(error), error.kind)
    log.error("An answer broke off", exc_info=error)
    return Failed(UNFORESEEN)


async def _merge(events: AsyncGenerator[Event], tally: Tally, pause_s: float = MERGE_S) -> AsyncGenerator[Event]:
    """The same events, counted, at least `pause_s` after each other and what came before, the tokens that arrive
    meanwhile as one. What they raise is the last event."""
    arrived: asyncio.Queue[Event | None] = asyncio.Queue()

    async def collect() -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    _count(event, tally)
                    arrived.put_nowait(event)
        except Exception as error:  # as in `stream_events`
            arrived.put_nowait(_describe(error, tally))
        finally:
            arrived.put_nowait(None)

    collecting = asyncio.create_task(collect())
    try:
        while True:
            batch = [await arrived.get()]
            while not arrived.empty():
                batch.append(arrived.get_nowait())
            for event in _join_tokens(batch):
                if event is None:
                    return
                await asyncio.sleep(pause_s)
                yield event
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
