"""MiniLM's weights as an ONNX graph of plain operators.

The network is BERT (Devlin et al. 2019) with 6 layers of 12 heads, then the mean over the tokens
and L2 normalisation (Reimers and Gurevych 2019). Inputs: `words` float32 (batch, tokens, 384), the rows
of the tokens in the table of word embeddings; `mask` float32 (batch, tokens), 1 for real tokens. Output:
`vectors` float32 (batch, 384). The table is half of the weights, and a text needs few of its rows: it is
kept apart, and not in memory.
"""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper
from safetensors.numpy import load_file

from database.documents import Vector

LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12


class _Graph:
    """Collects nodes and constants; each method adds one step and returns its output's name."""

    def __init__(self, weights: dict[str, Any]):
        self.weights, self.nodes, self.constants = weights, [], {}  # type: dict[str, Any], list[Any], dict[str, Any]

    def constant(self, value: Any, name: str = "") -> str:
        name = name or f"c{len(self.constants)}"
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def dense(self, x: str, prefix: str) -> str:
        weight = self.constant(self.weights[f"{prefix}.weight"].T, f"{prefix}.weight")
        return self.op("Add", self.op("MatMul", x, weight), self.constant(self.weights[f"{prefix}.bias"]))

    def norm(self, x: str, prefix: str) -> str:
        scale, bias = (self.constant(self.weights[f"{prefix}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", x, scale, bias, epsilon=EPSILON, axis=-1)

    def heads(self, x: str, order: list[int]) -> str:
        shape = self.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64), "heads")
        return self.op("Transpose", self.op("Reshape", x, shape), perm=order)


def _embeddings(g: _Graph) -> str:
    # Every text is one segment, so the segment's row can be added to the positions for good.
    places = (
        g.weights["embeddings.position_embeddings.weight"] + g.weights["embeddings.token_type_embeddings.weight"][0]
    )
    zero = g.constant(np.array([0], np.int64))
    first = g.op("Slice", g.constant(places), zero, g.op("Shape", "words", start=1, end=2), zero)
    return g.norm(g.op("Add", "words", first), "embeddings.LayerNorm")


def _layer(g: _Graph, x: str, bias: str, prefix: str) -> str:
    query = g.heads(g.dense(x, f"{prefix}.attention.self.query"), [0, 2, 1, 3])
    key = g.heads(g.dense(x, f"{prefix}.attention.self.key"), [0, 2, 3, 1])
    value = g.heads(g.dense(x, f"{prefix}.attention.self.value"), [0, 2, 1, 3])
    root = g.constant(np.array((WIDTH // HEADS) ** 0.5, np.float32), "root")
    scores = g.op("Add", g.op("Div", g.op("MatMul", query, key), root), bias)
    mixed = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
    flat = g.op("Reshape", mixed, g.constant(np.array([0, 0, WIDTH], np.int64), "flat"))
    attended = g.dense(flat, f"{prefix}.attention.output.dense")
    x = g.norm(g.op("Add", attended, x), f"{prefix}.attention.output.LayerNorm")
    inner = g.op("Gelu", g.dense(x, f"{prefix}.intermediate.dense"))
    return g.norm(g.op("Add", g.dense(inner, f"{prefix}.output.dense"), x), f"{prefix}.output.LayerNorm")


def _pool(g: _Graph, x: str) -> str:
    axis = g.constant(np.array([1], np.int64), "axis")
    mask = g.op("Unsqueeze", "mask", g.constant(np.array([2], np.int64)))
    total = g.op("ReduceSum", g.op("Mul", x, mask), axis, keepdims=0)
    mean = g.op("Div", total, g.op("ReduceSum", mask, axis, keepdims=0))
    return g.op("LpNormalization", mean, axis=1, p=2)


def build_graph(weights: Path) -> tuple[bytes, Vector]:
    """The serialised ONNX model made from the safetensors file `weights`, and the table of word embeddings,
    float32 (tokens of the vocabulary, 384)."""
    g = _Graph(load_file(weights))
    table: Vector = g.weights["embeddings.word_embeddings.weight"]
    away = g.op("Mul", g.op("Sub", g.constant(np.array(1, np.float32)), "mask"), g.constant(np.array(-1e9, np.float32)))
    bias = g.op("Unsqueeze", away, g.constant(np.array([1, 2], np.int64)))
    x = _embeddings(g)
    for number in range(LAYERS):
        x = _layer(g, x, bias, f"encoder.layer.{number}")
    g.nodes.append(helper.make_node("Identity", [_pool(g, x)], ["vectors"]))
    graph = helper.make_graph(
        g.nodes,
        "minilm",
        [
            helper.make_tensor_value_info("words", TensorProto.FLOAT, ["batch", "tokens", WIDTH]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", "tokens"]),
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", WIDTH])],
        list(g.constants.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString()), table
