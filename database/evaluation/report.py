"""What was measured, as one JSON object or as tables for people. Pure but for the printing."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from database.documents import Counts
from database.evaluation.index import Index
from database.evaluation.measuring import Asked
from database.evaluation.metrics import Estimate
from database.evaluation.places import Located

RECIPE = "Acervo"
"""What the product's own search is called beside the others."""
WIDTH = 100
"""Columns that a comparison takes."""


@dataclass(slots=True)
class Report:
    """Figures by name, and everything that says what they were measured on. `pipelines` and `leads`
    (how far the product's figures lie above theirs) have a row for each pipeline compared."""

    figures: dict[str, Estimate]
    questions: Sequence[Located]
    asked: Sequence[Asked]
    index: Index
    counts: Counts
    seconds_per_question: float
    answers: dict[str, Estimate] = field(default_factory=dict)
    answered: int = 0
    refusals: dict[str, Estimate] = field(default_factory=dict)
    others: int = 0
    pipelines: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    leads: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    plot: str = ""

    @property
    def missing(self) -> list[Located]:
        """Questions with a right place that is not in the index."""
        return [each for each in self.questions if each.missing]

    @property
    def exit_status(self) -> int:
        """0, or 3 when files were skipped or right places are missing."""
        return 3 if self.index.skipped or self.missing else 0


def as_json(report: Report) -> dict[str, Any]:
    """The report as one object; figures are fractions, intervals `[low, high]`."""
    result: dict[str, Any] = {
        **_split(report.figures),
        "questions": len(report.questions),
        "seconds_per_question": round(report.seconds_per_question, 5),
        "seconds_to_load": round(report.index.seconds, 2),
        "index": asdict(report.counts) | report.index.made_by,
        "skipped": report.index.skipped,
        "missing": [{"id": q.question.id, "question": q.question.text, "why": list(q.missing)} for q in report.missing],
        "ranks": {q.question.id: find_rank(q, a) for q, a in zip(report.questions, report.asked, strict=True)},
    }
    if report.answers:
        result["answers"] = {**_split(report.answers), "questions": report.answered}
    if report.refusals:
        result["refusals"] = {**_split(report.refusals), "other_questions": report.others}
    if report.pipelines:
        result["compare"] = {
            name: {**_split(figures), "lead": _split(report.leads[name]) if name in report.leads else None}
            for name, figures in report.pipelines.items()
        }
    return result | ({"plot": report.plot} if report.plot else {})


def find_rank(question: Located, asked: Asked) -> int | None:
    """The rank of the first right place, from 1; None when it was not found."""
    return next((rank for rank, place in enumerate(asked.ranking, 1) if place in question.places), None)


def _split(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    means = {name: round(figure.mean, 5) for name, figure in figures.items()}
    return means | {"intervals": {name: [round(f.low, 5), round(f.high, 5)] for name, f in figures.items()}}


def print_json(report: Report) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(as_json(report), ensure_ascii=False) + "\n")


def print_report(report: Report) -> None:
    """Tables on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    counts = report.counts
    console.print(
        f"{len(report.questions)} questions on {counts.documents} documents ({counts.chunks} passages, "
        f"{counts.windows} windows), {1000 * report.seconds_per_question:.0f} ms a question"
    )
    for name, reason in report.index.skipped.items():
        console.print(f"skipped  {name}: {reason}", markup=False)
    _print_missing(console, report.missing)
    console.print(_make_table("%", report.pipelines or {RECIPE: report.figures}))
    if report.leads:
        console.print(_make_table(f"{RECIPE} leads by", report.leads, "+"))
    if report.answers:
        console.print(_make_table("Answer in", {f"quoted sentences, {report.answered} questions": report.answers}))
    if report.refusals:
        console.print(_make_table("Refused", {f"{report.others} questions about other documents": report.refusals}))
    if report.plot:
        console.print(f"Drawn in {report.plot}", markup=False)


def _print_missing(console: Console, missing: Sequence[Located]) -> None:
    if missing:
        console.print(f"{len(missing)} questions ask for what is not there; that part counts as not found:")
    for each in missing:
        console.print(f"missing  {each.question.id} ({each.question.text}): {'; '.join(each.missing)}", markup=False)


def _make_table(title: str, rows: Mapping[str, Mapping[str, Estimate]], sign: str = "") -> Table:
    names = list(next(iter(rows.values())))
    table = Table(title, *names, title_justify="left", show_lines=len(rows) > 1)
    for row, figures in rows.items():
        table.add_row(row, *(_show(figures[name], sign) for name in names))
    return table


def _show(figure: Estimate, sign: str = "") -> str:
    """Mean and, on a line of its own, the interval, in percent."""
    return f"{100 * figure.mean:{sign}.1f}\n{100 * figure.low:{sign}.1f}…{100 * figure.high:{sign}.1f}"
