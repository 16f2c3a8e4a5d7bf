"""docs/performance.md: the part between two marks is written by `make bench-full`, the rest by people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.kept import Result
from tests.bench.table import write_markdown

BEGIN = "<!-- measured by make bench-full: begin -->"
END = "<!-- measured by make bench-full: end -->"


def write_results(results: Sequence[Result], plots: Mapping[str, str] = {}) -> str:
    """All tables as Markdown, each with the plot of its part below."""
    blocks = []
    for result in results:
        blocks.append(write_markdown(result.title, [measure.row() for measure in result.measures]))
        blocks.append(f"Measured {result.machine['when']} in {result.seconds:,.0f} s.\n")
        if plot := plots.get(result.name):
            blocks.append(f"![{result.title}]({plot})\n")
    return "\n".join([_describe(results), *blocks])


def replace_section(text: str, section: str) -> str:
    """`text` with what lies between the marks replaced. Raises `ValueError` when it has not both of them, in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks {BEGIN if not begin else END}")
    return f"{before}{BEGIN}\n\n{section.strip()}\n\n{END}{after}"


def update_document(path: Path, section: str) -> None:
    """Put the section into the document."""
    path.write_text(replace_section(path.read_text("utf-8"), section), "utf-8")


def _describe(results: Sequence[Result]) -> str:
    machine = results[-1].machine if results else {}
    return "".join(f"- {name}: {value}\n" for name, value in machine.items() if name != "when")
