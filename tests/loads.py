"""Running the loader as people do, and looking at what it left. For the tests of loading."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from database.settings import ROOT

MAIN = ROOT / "database/main.py"


@dataclass(frozen=True)
class Index:
    """All that an index holds, in an order that does not depend on how it came about."""

    record: dict[str, Any]
    documents: dict[str, dict[str, Any]]
    pages: list[tuple[Any, ...]]
    chunks: list[tuple[Any, ...]]
    windows: list[tuple[Any, ...]]
    vectors: np.ndarray[Any, np.dtype[np.float32]] = field(compare=False)

    def same_as(self, other: "Index") -> bool:
        """Equal; for vectors, as equal as arithmetic makes them."""
        return self == other and np.allclose(self.vectors, other.vectors, atol=1e-5)

    @property
    def names(self) -> dict[str, list[str]]:
        """The paths of each document that is ready."""
        return {i: [n["path"] for n in d["names"]] for i, d in self.documents.items() if d["state"] == "ready"}

    @property
    def text(self) -> str:
        """Every page's text."""
        return "\n".join(json.loads(record)["text"] for _, _, record in self.pages)


def read_index(data_dir: Path) -> Index:
    """What the embedded store in `data_dir` holds, `added_at` left out."""
    db = sqlite3.connect(data_dir / "index.sqlite")
    try:
        row = db.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
        records = [json.loads(r) for (r,) in db.execute("SELECT record FROM documents")]
        rows = db.execute(
            "SELECT w.id, chunk_id, document_id, page, language, text, words, grams, vector FROM windows w "
            "JOIN terms t ON t.rowid = w.rowid ORDER BY w.id"
        ).fetchall()
        return Index(
            json.loads(row[0]) if row else {},
            {record["id"]: {k: v for k, v in record.items() if k != "added_at"} for record in records},
            db.execute("SELECT * FROM pages ORDER BY document_id, number").fetchall(),
            db.execute("SELECT * FROM chunks ORDER BY id").fetchall(),
            [row[:-1] for row in rows],
            np.array([np.frombuffer(row[-1], np.float32) for row in rows]),
        )
    finally:
        db.close()


def watch_last(data_dir: Path, rows: str) -> dict[str, Any]:
    """The index record of the moment in which the last of these rows (of the embedded store) went; waits for both."""
    db = sqlite3.connect(data_dir / "index.sqlite", timeout=30)
    try:
        seen = False
        while True:
            count = f"SELECT (SELECT count(*) FROM {rows}), value FROM meta WHERE key = 'index'"
            left, record = db.execute(count).fetchone()
            if seen and not left:
                return dict(json.loads(record))
            seen = seen or bool(left)
            time.sleep(0.001)
    finally:
        db.close()


def list_tree(folder: Path) -> list[str]:
    """Every file below `folder`, apart from the model and SQLite's side files."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(f) for f in files if f.parts[0] != "models" and not f.name.endswith(("-wal", "-shm")))


def start_load(
    home: Path, *arguments: str | Path, settings: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start the loader on `home`/pdf and `home`/data; the working folder is `home`."""
    environment = {
        "PATH": os.environ["PATH"],
        "ACERVO_ENV_FILE": os.devnull,
        "HOME": str(home),
        "DATA_DIR": str(home / "data"),
        "PDF_DIR": str(home / "pdf"),
        **(settings or {}),
    }
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": home, "env": environment} | options
    return subprocess.Popen([sys.executable, MAIN, *arguments], text=True, **given)


def run_load(home: Path, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the loader to its end."""
    process = start_load(home, *arguments, **options)
    out, err = process.communicate(timeout=170)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
