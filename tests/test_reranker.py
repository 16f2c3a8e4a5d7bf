"""A second look at the best passages, by a small cross-encoder made here."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from database.errors import RerankerError
from database.rerankers import make_reranker, rerank
from database.rerankers.cross_encoder import MAX_TOKENS, CrossEncoder
from database.settings import IndexSettings
from tests.library import QUESTION, Library
from tests.llm_contract import make_hits
from tests.server import ask, serve

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "good": 4, "bad": 5, "question": 6}
WORTH = np.array([50, 0, 0, 0, 2, -2, 9], np.float32)
"""What each token of the passage adds to the logit; padding would show."""


def make_model(
    folder: Path, outputs: int = 1, inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids")
) -> Path:
    """A model that sums up what the words of the passage, and no others, are worth."""
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    special = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special)
    tokenizer.save(str(folder / "tokenizer.json"))
    constants = [numpy_helper.from_array(WORTH, "worth"), numpy_helper.from_array(np.array([1], np.int64), "axis")]
    columns = {1: ["sum"], 2: ["less", "sum"], 3: ["sum"] * 3}
    nodes = [
        helper.make_node("Gather", ["worth", "input_ids"], ["worths"]),
        helper.make_node("Mul", ["token_type_ids", "attention_mask"], ["counts"]),
        helper.make_node("Cast", ["counts"], ["shares"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["worths", "shares"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "axis"], ["sum"], keepdims=1),
        helper.make_node("Neg", ["sum"], ["less"]),
        helper.make_node("Concat", columns[outputs], ["logits"], axis=1),
    ]
    taken = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs]
    given = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])]
    graph = helper.make_graph(nodes, "tiny", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


async def open_model(folder: Path) -> CrossEncoder:
    reranker = CrossEncoder(folder)
    await reranker.open()
    return reranker


async def test_pairs_are_scored_whatever_stands_beside_them(tmp_path: Path) -> None:
    reranker = await open_model(make_model(tmp_path / "m"))
    texts = ["good", "bad", "good good bad good", "", *["bad bad"] * 9]
    scores = await reranker.score("question question", texts)
    expected = 1 / (1 + np.exp(-np.array([2, -2, 4, 0, *[-4] * 9])))
    assert scores == pytest.approx(expected, abs=1e-6)
    assert len(await reranker.score("question", [])) == 0


async def test_two_logits_are_told_apart(tmp_path: Path) -> None:
    reranker = await open_model(make_model(tmp_path / "m", outputs=2))
    assert await reranker.score("question", ["good"]) == pytest.approx([1 / (1 + np.exp(-4))])


async def test_long_passages_are_cut_and_long_questions_leave_them_room(tmp_path: Path) -> None:
    reranker = await open_model(make_model(tmp_path / "m"))
    [long] = await reranker.score("question", ["unknown " * 2 * MAX_TOKENS + "good"])
    assert long == 0.5
    [kept] = await reranker.score("question " * 40, ["good"])
    assert kept > 0.8


async def test_hits_come_in_the_new_order(tmp_path: Path) -> None:
    reranker = await open_model(make_model(tmp_path / "m"))
    hits = [replace(hit, parts={"words": 0.4}) for hit in make_hits(["bad", "nothing", "good", "nothing"])]
    ordered = await rerank(reranker, "question", hits)
    assert [hit.chunk.id for hit in ordered] == ["c2", "c1", "c3", "c0"]
    assert ordered[0].score == ordered[0].parts["rerank"] > 0.8 and ordered[0].parts["words"] == 0.4


async def test_questions_are_answered_in_its_order(library: Library, tmp_path: Path) -> None:
    make_model(tmp_path / "model")
    tokenizer = json.loads((tmp_path / "model/tokenizer.json").read_text())
    # Whatever the question is, the passage with this word is the one.
    tokenizer["model"]["vocab"]["hives"] = VOCABULARY["question"]
    (tmp_path / "model/tokenizer.json").write_text(json.dumps(tokenizer))
    async with serve(library.data_dir, reranker=str(tmp_path / "model")) as served:
        opening, *_ = (await ask(served, QUESTION, top_k=2)).lines
    best, *_ = opening["sources"]
    assert "hives" in best["text"] and best["score"] > 0.9


def break_nothing(folder: Path) -> None:
    """Leave the folder empty."""


def break_graph(folder: Path) -> None:
    make_model(folder / "x").joinpath("tokenizer.json").rename(folder / "tokenizer.json")
    (folder / "model.onnx").write_bytes(b"no graph")


def break_tokenizer(folder: Path) -> None:
    make_model(folder / "x").joinpath("model.onnx").rename(folder / "model.onnx")
    (folder / "tokenizer.json").write_text("{not json")


def break_tokenizer_shape(folder: Path) -> None:
    make_model(folder / "x").joinpath("model.onnx").rename(folder / "model.onnx")
    (folder / "tokenizer.json").write_text(json.dumps({"model": 3}))


@pytest.mark.parametrize("damage", [break_nothing, break_graph, break_tokenizer, break_tokenizer_shape])
async def test_a_folder_without_a_model_says_so(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    damage(tmp_path)
    with pytest.raises(RerankerError, match="RERANKER names a folder"):
        await open_model(tmp_path)


async def test_a_model_of_another_kind_says_so(tmp_path: Path) -> None:
    reranker = await open_model(make_model(tmp_path / "m", outputs=3))
    with pytest.raises(RerankerError, match="3 numbers"):
        await reranker.score("question", ["good"])


def test_none_without_the_setting(tmp_path: Path) -> None:
    assert make_reranker(IndexSettings.load(data_dir=tmp_path)) is None
    assert make_reranker(IndexSettings.load(data_dir=tmp_path, reranker=str(tmp_path))) is not None
