"""What a load tells: progress while it runs, and a closing table or JSON."""

import json
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table


@dataclass(slots=True)
class Summary:
    """What a load did, by file name. `skipped` and `notes` map names to reasons."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    """To another collection."""
    unchanged: list[str] = field(default_factory=list)
    reread: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Of all these, made by another loader or a server meanwhile."""
    excluded: list[str] = field(default_factory=list)
    """Deleted in the page: they stay on disk and out of the index."""
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    pages: int = 0
    windows: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    def skip(self, paths: Collection[str], reason: str) -> None:
        """Count files as skipped instead of what was planned."""
        for planned in (self.added, self.changed, self.reread):
            planned[:] = [path for path in planned if path not in paths]
        self.skipped |= dict.fromkeys(paths, reason)

    @property
    def exit_status(self) -> int:
        """0, or 3 when something was skipped."""
        return 3 if self.skipped else 0


class Reporter:
    """Shows progress: a bar on a terminal, plain lines elsewhere, nothing when `quiet`."""

    def __init__(self, quiet: bool = False):
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._pages: dict[str, tuple[int, int]] = {}
        self._started = time.monotonic()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Between entering and leaving, progress is shown."""
        self._started = time.monotonic()
        if not self._console.is_terminal:
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("pages"))
        rate = TextColumn("{task.fields[rate]:.1f} pages/s")
        with Progress(*columns, rate, TimeRemainingColumn(), console=self._console, transient=True) as progress:
            self._progress, self._task = progress, progress.add_task("reading", total=None, rate=0.0)
            yield
        self._progress = None

    def say(self, text: str) -> None:
        """One line for the person."""
        self._console.print(text, markup=False)

    def pages(self, name: str, done: int, total: int) -> None:
        """`done` of `total` pages of `name` are read."""
        self._pages[name] = (done, total)
        read, known = (sum(numbers) for numbers in zip(*self._pages.values(), strict=True))
        rate = read / max(time.monotonic() - self._started, 0.001)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=name[-40:], completed=read, total=known, rate=rate)

    def finished(self, name: str, what: str) -> None:
        """`name` is done; on a terminal the bar says enough."""
        if self._progress is None:
            self.say(f"{name}: {what}")


def print_summary(summary: Summary, as_json: bool) -> None:
    """The closing table on standard output, or one JSON object."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(summary), ensure_ascii=False) + "\n")
        sys.stdout.flush()  # somebody may read along while `--watch` goes on
        return
    console = Console(highlight=False, soft_wrap=True)
    table = Table("files", "number", title="Would be done" if summary.dry_run else None, title_justify="left")
    for name in ("added", "changed", "removed", "moved", "reread", "elsewhere", "unchanged", "excluded", "skipped"):
        rows = getattr(summary, name)
        if rows or name not in ("moved", "reread", "elsewhere", "excluded"):
            table.add_row({"reread": "read again", "elsewhere": "of these by others"}.get(name, name), str(len(rows)))
    console.print(table)
    for name in summary.excluded:
        console.print(f"excluded {name}: deleted in the page", markup=False)
    for name, reason in summary.skipped.items():
        console.print(f"skipped  {name}: {reason}", markup=False)
    for name, notes in summary.notes.items():
        for note in notes:
            console.print(f"note     {name}: {note}", markup=False)
    if summary.pages:
        rate = summary.pages / max(summary.seconds, 0.001)
        console.print(
            f"{summary.pages} pages, {summary.windows} windows in {summary.seconds:.1f} s ({rate:.1f} pages/s)"
        )
