"""The parts of the report, in the order in which they are measured: cheap ones and those that leave something first."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.asking import measure_asking
from tests.bench.growth import measure_growth
from tests.bench.holding import measure_holding
from tests.bench.loading import measure_stages
from tests.bench.measures import Measure
from tests.bench.pipelines import measure_pipelines
from tests.bench.searching import measure_searching
from tests.bench.sizes import measure_sizes
from tests.bench.streaming import measure_streaming
from tests.bench.work import Work
from tests.bench.yielding import measure_long_files, measure_yielding

Measured = list[Measure] | Awaitable[list[Measure]]


@dataclass(frozen=True, slots=True)
class Part:
    """One table. `full_only` ones need minutes, the network or gigabytes."""

    name: str
    title: str
    measure: Callable[[Work], Measured]
    full_only: bool = False

    def run(self, work: Work) -> list[Measure]:
        """Measure."""
        found = self.measure(work)
        return asyncio.run(_wait(found)) if inspect.isawaitable(found) else found


async def _wait(found: Awaitable[list[Measure]]) -> list[Measure]:
    return await found


async def _search_terms(work: Work) -> list[Measure]:
    """What leaving out common terms costs, told in words."""
    folder = work.folder / "searching"
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.sqlite*"):
        file.unlink()
    rows = await measure_searching(folder)
    return [
        Measure(row.what, None, note=" · ".join(filter(None, (row.measured, row.baseline, row.ratio)))) for row in rows
    ]


PARTS = (
    Part("pipelines", "From PDFs to the right page, beside the usual pipelines", measure_pipelines, True),
    Part("stages", "Loading by stage", measure_stages),
    Part("long", "Loading one long file", measure_long_files),
    Part("yielding", "Asking while documents are loaded", measure_yielding),
    Part("growth", "Searching as the index grows", measure_growth),
    Part("searching", "Searching 100,000 windows in detail", _search_terms, True),
    Part("asking", "The server", measure_asking),
    Part("streaming", "Whole answers at full speed", measure_streaming),
    Part("holding", "Streams at a steady pace", measure_holding),
    Part("sizes", "What the image would hold", lambda work: measure_sizes()),
)
