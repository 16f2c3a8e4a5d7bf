"""An answer as a whole, for clients that do not want it piece by piece."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from app.events import Check, Done, Event, Sources, Token
from app.tally import Tally


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer."""

    opening: Sources
    text: str
    checks: tuple[Check, ...]
    done: Done


async def collect_events(events: AsyncGenerator[Event], tally: Tally) -> Whole:
    """All of an answer, counted. Raises the `AcervoError` that breaks it off."""
    opening = await anext(events)
    assert isinstance(opening, Sources), "an answer begins with its sources"
    tally.model = opening.model
    texts: list[str] = []
    checks: list[Check] = []
    async for event in events:
        if isinstance(event, Token):
            tally.token()
            texts.append(event.text)
            checks.extend(event.checks)
        elif isinstance(event, Done):
            tally.outcome = "complete"
            return Whole(opening, "".join(texts), tuple(checks), event)
    raise AssertionError("an answer ends with Done")
