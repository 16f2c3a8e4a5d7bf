"""How often "not found in the source" is said rightly: `python -m tests.bench.checks`.

Statements are made of real questions and their answers, with the right passage cited, and then
falsified: a digit of a figure altered, a name replaced by one of another passage, another passage
cited. Sets of questions are taken from the folder that ACERVO_EVAL_DIR names (docs/evaluation.md).
"""

import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.checks import Checker
from app.figures import find_figures
from app.names import find_names
from database.analysis import fold
from database.documents import Chunk, Document, Hit, Name

KINDS = ("true", "figure altered", "name replaced", "other passage cited")


def read_set(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Passages by id and answered questions of one set."""
    passages = [json.loads(line) for line in (folder / "passages.jsonl").open(encoding="utf-8")]
    questions = [json.loads(line) for line in (folder / "questions.jsonl").open(encoding="utf-8")]
    return {p["pid"]: p for p in passages}, [q for q in questions if q.get("answer")]


def make_hit(passage: dict[str, Any], language: str) -> Hit:
    """A passage as the only source of an answer."""
    document = Document("d", passage.get("title", ""), (Name("r", "text.pdf"),), 1, language)
    return Hit(Chunk("c", "d", 1, 0, "", passage["text"], 0, 0), document, 1.0)


def make_statements(question: dict[str, Any], passages: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, statement and the passage it cites."""
    answers = question["answer"]
    answer = answers[0] if isinstance(answers, list) else answers
    stated = f"{question['question'].rstrip('? ')}: {answer.rstrip('.')}"
    right, other = passages[question["relevant"][0]], random.choice([*passages.values()])
    yield "true", stated, right
    yield "other passage cited", stated, other
    if figures := find_figures(stated):
        written = random.choice(figures).written
        place = random.choice([i for i, c in enumerate(written) if c.isdigit()])
        digit = random.choice([c for c in "123456789" if c != written[place]])
        altered = written[:place] + digit + written[place + 1 :]
        yield "figure altered", stated.replace(written, altered, 1), right
    names, others = find_names(stated), find_names(other["text"])
    if names and others:
        spelt = [word for word in re.findall(r"\w+", stated) if fold(word) in random.choice(names)]
        if spelt:
            new = " ".join(word.capitalize() for word in random.choice(others))
            yield "name replaced", stated.replace(spelt[0], new, 1), right


def judge(statement: str, hit: Hit, language: str, question: str) -> bool | None:
    """Whether every verdict on the statement is good; None without a verdict."""
    checker = Checker([hit], language, question)
    checks = checker.feed(f"{statement} [1].") + checker.finish()
    return all(check.supported for check in checks) if checks else None


def measure(folder: Path) -> list[str]:
    """One row of the table: marked of checked, by kind."""
    passages, questions = read_set(folder)
    counts: Counter[tuple[str, bool | None]] = Counter()
    for question in questions:
        for kind, statement, passage in make_statements(question, passages):
            asked = question["question"] if kind == "true" else ""
            language = question["lang"]
            counts[kind, judge(statement, make_hit(passage, language), language, asked)] += 1
    cells = []
    for kind in KINDS:
        marked, checked = counts[kind, False], counts[kind, False] + counts[kind, True]
        cells.append(f"{marked} of {checked} ({100 * marked / max(checked, 1):.1f} %)")
    return [folder.name, *cells]


def main() -> None:
    """Measure every set with passages in one language and print."""
    root = os.environ.get("ACERVO_EVAL_DIR")
    if not root:
        sys.exit("Set ACERVO_EVAL_DIR to a folder with sets of questions; docs/evaluation.md describes them.")
    random.seed(1)
    table = Table("set", *KINDS, title="Sentences marked as not found in the source")
    for folder in sorted(Path(root).iterdir()):
        if (folder / "passages.jsonl").exists() and "_on_" not in folder.name:
            table.add_row(*measure(folder))
    Console(width=120).print(table)


main()
