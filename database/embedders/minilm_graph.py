"""MiniLM's weights as an ONNX graph.

The network is BERT (Devlin et al. 2019) with 6 layers of 12 heads, then the mean over the tokens
and L2 normalisation (Reimers and Gurevych 2019). Inputs: `words` float32 (batch, tokens, 384), the rows
of the tokens in the table of word embeddings; `mask` float32 (batch, tokens), 1 for real tokens. Output:
`vectors` float32 (batch, 384). The table is half of the weights, and a text needs few of its rows: it is
kept apart, and not in memory.

Attention and normalisation are operators of onnxruntime's own: its standard LayerNormalization takes four
times as long as SkipLayerNormalization, which adds up first what is to be normalised.
"""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper
from safetensors.numpy import load_file

from database.documents import Vector

LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
OWN = "com.microsoft"


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

    def own(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """An operator of onnxruntime's own."""
        return self.op(kind, *inputs, domain=OWN, **attributes)

    def parameter(self, name: str) -> str:
        return self.constant(self.weights[name], name)

    def matmul(self, x: str, prefix: str) -> str:
        """Without the bias."""
        return self.op("MatMul", x, self.constant(self.weights[f"{prefix}.weight"].T, f"{prefix}.weight"))

    def add_norm(self, x: str, residual: str, prefix: str, *bias: str) -> str:
        """The sum of all, normalised."""
        scale, shift = self.parameter(f"{prefix}.weight"), self.parameter(f"{prefix}.bias")
        return self.own("SkipLayerNormalization", x, residual, scale, shift, *bias, epsilon=EPSILON)


def _embeddings(g: _Graph) -> str:
    # Every text is one segment, so the segment's row can be added to the positions for good.
    places = (
        g.weights["embeddings.position_embeddings.weight"] + g.weights["embeddings.token_type_embeddings.weight"][0]
    )
    zero = g.constant(np.array([0], np.int64))
    first = g.op("Slice", g.constant(places), zero, g.op("Shape", "words", start=1, end=2), zero)
    return g.add_norm("words", first, "embeddings.LayerNorm")


def _layer(g: _Graph, x: str, real: str, prefix: str) -> str:
    parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
    biases = g.constant(np.concatenate([g.weights[f"{part}.bias"] for part in parts]))
    mixed = g.own("MultiHeadAttention", *(g.matmul(x, part) for part in parts), biases, real, num_heads=HEADS)
    x = _add(g, mixed, x, f"{prefix}.attention.output")
    dense = f"{prefix}.intermediate.dense"
    inner = g.op("Gelu", g.op("Add", g.matmul(x, dense), g.parameter(f"{dense}.bias")))
    return _add(g, inner, x, f"{prefix}.output")


def _add(g: _Graph, found: str, x: str, prefix: str) -> str:
    """What a half of a layer found, added to what came in."""
    return g.add_norm(g.matmul(found, f"{prefix}.dense"), x, f"{prefix}.LayerNorm", g.parameter(f"{prefix}.dense.bias"))


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
    real = g.op("Cast", "mask", to=TensorProto.INT32)
    x = _embeddings(g)
    for number in range(LAYERS):
        x = _layer(g, x, real, f"encoder.layer.{number}")
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
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(OWN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString()), table
