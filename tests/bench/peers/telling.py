"""What each pipeline takes and tells: PDFs and questions in, one line of JSON out."""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

DEPTH, LIMIT = 5, 60
"""Pages that are told for each question, and chunks that they are found among."""

Place = tuple[str, int]
"""A file and a page of it, from 1."""


class Telling:
    """Times the stages of a pipeline, and then puts the questions to it."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("files", nargs="+")
        parser.add_argument("--model", required=True, help="folder of the embedding model")
        parser.add_argument("--questions", help="file with a JSON list of questions")
        parser.add_argument("--reader", default="", help="which of a library's readers")
        given = parser.parse_args()
        self.files: list[str] = given.files
        self.model: str = given.model
        self.reader: str = given.reader
        self._questions: list[str] = json.loads(Path(given.questions).read_text()) if given.questions else []
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done within."""
        started = time.monotonic()
        yield
        self._stages[name] = time.monotonic() - started

    def end(self, pages: int, chunks: int, search: Callable[[str], Sequence[Place]]) -> None:
        """Loading has ended: ask, and tell everything. `search` gives the places of LIMIT chunks, best first."""
        told = {"loaded_s": time.monotonic() - float(os.environ["ACERVO_BENCH_STARTED"]), "cpu_s": _cpu_s()}
        ranked = [list(dict.fromkeys(search(question)))[:DEPTH] for question in self._questions]
        print(json.dumps({**told, "stages": self._stages, "pages": pages, "chunks": chunks, "ranked": ranked}))


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
