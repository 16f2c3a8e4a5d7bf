"""What every part is given: where to work, how thoroughly, and on which documents."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from database.settings import ROOT

EVALUATION_SET = "faquad_pdf"
SAMPLE = ROOT / "pdf"


@dataclass(frozen=True, slots=True)
class Work:
    """`folder` is the program's own and stays from run to run; `full` is `make bench-full`."""

    folder: Path
    full: bool

    @property
    def repetitions(self) -> int:
        """How often things that take minutes are measured."""
        return 3 if self.full else 1

    @property
    def index(self) -> Path:
        """The DATA_DIR with an index of the sample that ships with Acervo."""
        return self.folder / "sample"

    def make_data(self, name: str) -> Path:
        """An empty DATA_DIR in which nothing is made yet but the model's graph, which is made once after an
        installation and not with every load."""
        data = self.folder / name
        shutil.rmtree(data, ignore_errors=True)
        (data / "models").mkdir(parents=True)
        for file in (self.index / "models").iterdir():
            shutil.copy(file, data / "models")
        return data

    def find_set(self) -> tuple[Path, Path] | None:
        """Corpus and questions of ACERVO_EVAL_DIR, if it is set and holds them."""
        root = os.environ.get("ACERVO_EVAL_DIR", "")
        folder = Path(root) / EVALUATION_SET
        if not root or not (folder / "corpus.json").exists():
            return None
        return folder / "corpus.json", folder / "questions.jsonl"
