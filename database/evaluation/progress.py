"""What an evaluation is at, on standard error: a bar on a terminal, a line elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Progress:
    """Shows steps; nothing when `quiet`."""

    def __init__(self, quiet: bool = False):
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)

    @contextmanager
    def track(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Between entering and leaving, `what` is done; call what is yielded after each of `total` steps."""
        if not self._console.is_terminal:
            self._console.print(what, markup=False)
            yield lambda: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(what, total=total)
            yield lambda: bars.advance(task)
