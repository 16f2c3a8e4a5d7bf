"""A Dask cluster as workers: `python database/main.py --scheduler tcp://host:8786`.

`distributed` is an optional requirement and is imported when it is asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from database.errors import SettingsError
from database.executors import Workers

T = TypeVar("T")

MISSING = (
    "Loading on a Dask cluster needs the package `distributed`. Type `make dask`, or in the environment of Acervo "
    "`pip install --require-hashes -r requirements-dask.txt`, there and where the workers run."
)
CONNECT_S = 10


class ByName(Executor):
    """Has functions found on the worker by their names: the scheduler, too, unpacks what is sent, and need not have
    them."""

    def __init__(self, executor: Executor):
        self._executor = executor

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As the executor that it was made with."""
        module, name = fn.__module__, fn.__qualname__

        def call(*given: Any, **named: Any) -> Any:  # within a function, so that its code goes along
            import importlib

            return getattr(importlib.import_module(module), name)(*given, **named)

        return self._executor.submit(call, *args, **kwargs)


@asynccontextmanager
async def connect(address: str, say: Callable[[str], None]) -> AsyncIterator[Workers]:
    """The workers of the scheduler at `address`. Raises `SettingsError`."""
    try:
        import distributed
    except ImportError as error:
        raise SettingsError(MISSING) from error
    try:
        client: Any = await asyncio.to_thread(
            distributed.Client, address, timeout=CONNECT_S, set_as_default=False, name="acervo"
        )
    except (OSError, ValueError) as error:  # no such host, nobody there, or no address at all
        raise SettingsError(
            f"No Dask scheduler answers at {address}: {error} Start one (`dask scheduler`), or leave --scheduler out."
        ) from error
    try:
        executor = ByName(client.get_executor())
        workers = Workers(executor, lambda: sum(client.nthreads().values()), (distributed.KilledWorker,))
        async with workers.counted() as count:
            say(f"Loading on {count} workers of {address}." if count else f"{address} has no workers yet.")
            yield workers
    finally:
        await asyncio.to_thread(client.close)
