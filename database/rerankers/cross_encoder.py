"""A cross-encoder on onnxruntime, from a folder on this machine.

The folder is what the usual exports make: `tokenizer.json`, and `model.onnx` beside it or in `onnx/`.
The model takes `input_ids` and `attention_mask` (and `token_type_ids` if it has that input) and gives
one logit a pair, or two of which the second says that the passage answers.
Nogueira and Cho 2019, "Passage Re-ranking with BERT", https://arxiv.org/abs/1901.04085
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from database.errors import RerankerError

GRAPHS = ("model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx")
MAX_TOKENS = 512
BATCH = 8
"""Pairs in one run: more are no faster on a processor and take more memory."""


class CrossEncoder:
    """The `Reranker` in the folder `path`."""

    def __init__(self, path: Path):
        self.name = path.name
        self._path = path
        self._tokenizer: Any = None
        self._session: Any = None

    async def open(self) -> None:
        """Load tokenizer and graph. Raises `RerankerError` that names what is missing."""
        if self._session is None:
            await asyncio.to_thread(self._open)

    def _open(self) -> None:
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile
        from tokenizers import Tokenizer

        from database.embedders.minilm_model import start_session

        graph = next((self._path / name for name in GRAPHS if (self._path / name).is_file()), None)
        tokens = self._path / "tokenizer.json"
        if graph is None or not tokens.is_file():
            missing = "tokenizer.json" if graph else "model.onnx"
            raise self._wrong(f"there is no {missing} in it")
        try:
            session = start_session(graph)
        except (OSError, Fail, InvalidGraph, InvalidProtobuf, NoSuchFile) as error:
            raise self._wrong(str(error)) from error
        try:
            self._tokenizer = Tokenizer.from_file(str(tokens))
        except Exception as error:  # the class that the library itself raises
            raise self._wrong(f"{tokens.name}: {error}") from error
        self._tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
        self._tokenizer.enable_padding()
        self._session = session

    async def aclose(self) -> None:
        """Free the model."""
        self._session = None

    async def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities that the texts answer, shape (len(texts),)."""
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        parts = [await asyncio.to_thread(self._score, question, batch) for batch in batches]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch([(question[: 4 * MAX_TOKENS], text) for text in texts])
        columns = {
            "input_ids": [e.ids for e in encoded],
            "attention_mask": [e.attention_mask for e in encoded],
            "token_type_ids": [e.type_ids for e in encoded],
        }
        wanted = {taken.name for taken in self._session.get_inputs()}
        if not wanted <= columns.keys():
            raise self._wrong(f"the model wants {', '.join(sorted(wanted - columns.keys()))}")
        given = {name: np.asarray(rows, np.int64) for name, rows in columns.items() if name in wanted}
        logits = np.asarray(self._session.run(None, given)[0], np.float64).reshape(len(texts), -1)
        if logits.shape[1] > 2:
            raise self._wrong(f"the model gives {logits.shape[1]} numbers a pair, not one or two")
        margin = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0.0)
        return (1 / (1 + np.exp(-margin))).astype(np.float32)

    def _wrong(self, what: str) -> RerankerError:
        return RerankerError(
            f"The reranker in {self._path} cannot be used: {what}. RERANKER names a folder with tokenizer.json and "
            "model.onnx of a cross-encoder; leave it empty to do without."
        )
