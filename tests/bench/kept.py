"""Results of finished parts, kept in files, so that a run that was stopped goes on where it was."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measures import Measure


@dataclass(frozen=True, slots=True)
class Result:
    """A finished part: its name, title, figures, the machine, and how long it took."""

    name: str
    title: str
    measures: Sequence[Measure]
    machine: dict[str, str]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "name": self.name,
            "title": self.title,
            "seconds": round(self.seconds, 1),
            "machine": self.machine,
            "measures": [measure.to_json() for measure in self.measures],
        }


class Kept:
    """The results in a folder, one file a part."""

    def __init__(self, folder: Path):
        self._folder = folder

    def read(self, name: str) -> Result | None:
        """What is kept of a part."""
        try:
            found = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        measures = [Measure.from_json(each) for each in found["measures"]]
        return Result(found["name"], found["title"], measures, found["machine"], found["seconds"])

    def write(self, result: Result) -> None:
        """Keep a part, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{result.name}.part"
        part.write_text(json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")
        os.replace(part, self._folder / f"{result.name}.json")

    def forget(self, names: Iterable[str]) -> None:
        """Drop these parts."""
        for name in names:
            (self._folder / f"{name}.json").unlink(missing_ok=True)
