"""Real questions on real documents, from the folder that ACERVO_EVAL_DIR names (docs/evaluation.md describes sets).

The floors lie somewhat under what was reached, by about what chance does.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from database.settings import ROOT

EVAL_DIR = os.environ.get("ACERVO_EVAL_DIR", "")
FLOORS = {
    "faquad": {"recall@1": 0.80, "recall@5": 0.95},
    "faquad_pdf": {"recall@5": 0.93},
    "pira_pt": {"recall@5": 0.91},
    "pira_en": {"recall@5": 0.93},
    "pira_pt_on_en": {"recall@5": 0.58},
    "piaf_fr": {"recall@1": 0.70, "recall@5": 0.85},
}


@pytest.mark.skipif(not EVAL_DIR, reason="ACERVO_EVAL_DIR names no folder with sets of questions")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FLOORS)
def test_recall_is_what_it_was(name: str, tmp_path: Path) -> None:
    folder = Path(EVAL_DIR) / name
    if not folder.is_dir():
        pytest.skip(f"ACERVO_EVAL_DIR holds no {name}")
    corpus = next(path for path in (folder / "passages.jsonl", folder / "corpus.json") if path.exists())
    command = [sys.executable, ROOT / "database/evaluate.py", folder / "questions.jsonl", "--corpus", corpus, "--json"]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout)
    reached = {figure: result[figure] for figure in FLOORS[name]}
    assert all(reached[figure] >= floor for figure, floor in FLOORS[name].items()), reached
