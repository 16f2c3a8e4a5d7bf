"""Loading on many machines: documents are handed to the workers of any `concurrent.futures.Executor`.

    loader                                        worker
    order.py     a document's bytes and settings ──► worker.py   reads, cuts, embeds
    handing.py   checks and publishes             ◄── contents

Executors only hand out work: on the worker, too, every conversion is a process of its own that is confined and
killed when it breaks a limit. Workers need neither a shared disk nor the store. `dask.py` reaches a Dask cluster;
without an executor the loader does all of this in its own process (`ingest.py`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

SPARE = 2
"""Documents handed out beyond one for each worker, so that none waits for the next."""
COUNT_S = 5.0
"""How often workers are counted again: clusters grow."""


class Workers:
    """An executor. `count` says how many workers it has (it blocks); `killed` is what its futures raise for work that
    ended the process of every worker that tried it."""

    def __init__(self, executor: Executor, count: Callable[[], int], killed: tuple[type[Exception], ...] = ()):
        self.executor, self.killed, self._count = executor, killed, count
        self.places = asyncio.Semaphore(SPARE)
        """Of documents handed out at the same time: each is in memory, here and on its way."""

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[int]:
        """Places for as many workers as there are, also for those that come later; how many there are now."""
        known = await self._grow(0)
        growing = asyncio.create_task(self._follow(known))
        try:
            yield known
        finally:
            growing.cancel()
            await asyncio.wait({growing})

    async def _follow(self, known: int) -> None:
        while True:
            await asyncio.sleep(COUNT_S)
            try:
                known = await self._grow(known)
            except Exception as error:  # whatever an executor raises; handing out tells whether it is gone
                log.warning("The workers could not be counted: %r", error)

    async def _grow(self, known: int) -> int:
        count = await asyncio.to_thread(self._count)
        for _ in range(known, count):
            self.places.release()
        return max(known, count)
