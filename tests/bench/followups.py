"""How often a question that stands by itself is taken for a follow-up: `python -m tests.bench.followups`.

Each question comes after another one of its set, as if that were its history. Sets of questions are
taken from the folder that ACERVO_EVAL_DIR names (docs/evaluation.md).
"""

import json
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.joining import rewrite_by_rule

APART = 7
"""So far apart in the file two questions are seldom about the same passage."""


def find_rewritten(questions: list[str]) -> list[tuple[str, str]]:
    """Those that were rewritten, and into what."""
    pairs = [(q, rewrite_by_rule(q, [questions[(n - APART) % len(questions)]])) for n, q in enumerate(questions)]
    return [(question, query) for question, query in pairs if query != question]


def main(folder: Path) -> None:
    """Measure every set and print one row a set; with -v what was rewritten, too."""
    console = Console(width=120)
    table = Table("set", "questions", "rewritten", "share")
    for path in sorted(folder.glob("*/questions.jsonl")):
        questions = [json.loads(line)["question"] for line in path.open(encoding="utf-8")]
        rewritten = find_rewritten(questions)
        share = f"{100 * len(rewritten) / len(questions):.1f} %"
        table.add_row(path.parent.name, str(len(questions)), str(len(rewritten)), share)
        if "-v" in sys.argv:
            for question, query in rewritten:
                console.print(f"{path.parent.name}: {question} → {query}", highlight=False)
    console.print(table)


if __name__ == "__main__":
    main(Path(os.environ["ACERVO_EVAL_DIR"]))
