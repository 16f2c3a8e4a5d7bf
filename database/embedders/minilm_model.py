"""MiniLM's files, made once from its weights, and the model that runs on them.

minilm-53aa51172d14-words.npy      the table of word embeddings, whose rows are read from the file as texts need them
minilm-53aa51172d14-layers-2.onnx  everything else, as a graph for onnxruntime; it is written last
"""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from database.documents import Vector
from database.embedders.batches import Batch
from database.errors import EmbedderError

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class ModelFiles:
    """Where the files are, below `folder`."""

    def __init__(self, folder: Path):
        name = f"minilm-{WEIGHTS_SHA256[:12]}"
        self.words, self.layers = folder / f"{name}-words.npy", folder / f"{name}-layers-2.onnx"
        # That of the version before, without a number, stays: one of its servers may be running, and opens it again.
        self._former = folder / f"{name}.onnx"

    def make(self, weights: Path) -> None:
        """Make them of the safetensors file `weights`, unless they are there. Raises `EmbedderError`. Blocks."""
        if self._are_there():
            return
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != WEIGHTS_SHA256:
            raise EmbedderError(f"{weights} has SHA-256 {digest}, not {WEIGHTS_SHA256}. Reinstall it: `make install`.")
        try:
            self._make(weights)
        except OSError as error:
            raise EmbedderError(f"DATA_DIR cannot be written: {error.strerror} ({self.layers.parent}).") from error

    def _are_there(self) -> bool:
        return self.layers.exists() and self.words.exists()

    def _make(self, weights: Path) -> None:
        from database.embedders.minilm_graph import build_graph

        self.layers.parent.mkdir(parents=True, exist_ok=True)
        # Always the same name, so that starts that were killed leave one such file and not many.
        with self.layers.with_suffix(".part").open("ab") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            if self._are_there():
                Path(part.name).unlink(missing_ok=True)
                return
            graph, table = build_graph(weights)
            with self.words.with_suffix(".part").open("wb") as words:
                np.save(words, table)
            os.replace(words.name, self.words)
            part.truncate(0)
            part.write(graph)
            part.flush()
            os.replace(part.name, self.layers)
        self._former.unlink(missing_ok=True)


class Model:
    """The model, open. As many threads compute one batch as `threads` says; 0 are one for each processor."""

    def __init__(self, files: ModelFiles, threads: int = 0):
        self._words = np.asarray(np.load(files.words, mmap_mode="r"))
        self._session = start_session(files.layers, threads)

    def run(self, batch: Batch) -> Vector:
        """The vectors of its texts, shape (texts, 384). Blocks, and may be called from several threads."""
        vectors: Vector = self._session.run(None, {"words": self._words[batch.ids], "mask": batch.mask})[0]
        return vectors


def start_session(graph: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the processor; 0 threads are one for each."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads cost a question half its speed when other work wants the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
