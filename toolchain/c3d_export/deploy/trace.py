"""What every node of a graph must compute, in PyTorch float64.

A tracer is an emitter (`emit.py`) that evaluates each node as it is written, so that the same
`spec.write(emitter, network)` which makes a graph also tells the value of each of its nodes.
`locate.py` holds a graph that went wrong against these values, node by node.

The kinds of nodes are implemented here once more, from the ONNX specification and without
ONNX Runtime. Integers and float32 products are exact in float64; where a flavour multiplies in
float32 (the requantisation), the product is rounded to float32 as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor

from ..models.network import Codec as Network
from ..quantize.freeze import ExactConv2d
from .emit import Emitter, FloatEmitter, QLinearEmitter
from .graphs import GraphSpec

Array = NDArray[Any]
Attributes = Mapping[str, Any]
Operation = Callable[[list[Tensor], Attributes], Tensor]

# What a kind of node gives, where it is not the type of its first input.
_TYPES: Mapping[str, type[np.generic]] = {
    "QLinearConv": np.uint8,
    "QLinearAdd": np.uint8,
    "MatMulInteger": np.int32,
    "Shape": np.int64,
}


@dataclass(frozen=True)
class Trace:
    """The reference of one graph on one input.

    nodes: by the name of their output, in topological order. values: of every node, input and
    constant, as ONNX Runtime gives them (batch axis of 1 and element type included). layers: the
    name of a layer in the graph -> its path in the network.
    """

    flavour: str
    nodes: Mapping[str, NodeProto]
    values: Mapping[str, Array]
    layers: Mapping[str, str]

    def layer_of(self, name: str) -> str:
        """The layer that a node belongs to, its path in the network; "" for none."""
        weights = [i for i in self.nodes[name].input if i.endswith(".weight")]
        # A matrix product bears the name of a graph output, and its weights tell the layer.
        for text in (name, *weights):
            parts = text.split(".")
            for end in range(len(parts), 0, -1):
                path = self.layers.get(".".join(parts[:end]))
                if path:
                    return path
        return ""


@dataclass
class _Record:
    nodes: dict[str, NodeProto] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    modules: dict[str, ExactConv2d] = field(default_factory=dict)


class _Tracer(Emitter):
    """Evaluates what the emitter beside it in the class's bases writes."""

    def __init__(self, feed: Mapping[str, Array]) -> None:
        super().__init__()
        self.record = _Record(values={name: x[np.newaxis] for name, x in feed.items()})

    def node(
        self, kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        super().node(kind, inputs, output, domain=domain, **attributes)
        values = self.record.values
        result = OPERATIONS[kind]([_tensor(values[name]) for name in inputs], attributes)
        kept = result.numpy().astype(_type(kind, attributes, values[inputs[0]]))
        self.record.nodes[output] = self.nodes[-1]
        values[output] = kept
        return output

    def constant(self, name: str, value: Array | np.generic) -> str:
        self.record.values[name] = np.asarray(value)
        return super().constant(name, value)

    def weights(self, name: str, conv: ExactConv2d) -> tuple[str, str, str]:
        names = super().weights(name, conv)
        self.record.modules[name] = conv
        for full in names:
            if full in self.shared:
                self.record.values[full] = numpy_helper.to_array(self.shared[full])
        return names


class _QLinearTracer(_Tracer, QLinearEmitter): ...


class _FloatTracer(_Tracer, FloatEmitter): ...


_TRACERS: Mapping[str, type[_Tracer]] = {"qlinear": _QLinearTracer, "float": _FloatTracer}


@torch.no_grad()
def trace(net: Network, spec: GraphSpec, flavour: str, feed: Mapping[str, Array]) -> Trace:
    """Evaluates a graph of a frozen network; feed: inputs by name, (h, w, C) uint8."""
    tracer = _TRACERS[flavour](feed)
    spec.write(tracer, net)
    record = tracer.record
    return Trace(flavour, record.nodes, record.values, _paths(net, record.modules))


def layer_paths(net: Network, spec: GraphSpec) -> dict[str, str]:
    """The name of each layer in a graph -> its path in the network, in the graph's order."""
    names = _Names()
    spec.write(names, net)
    return _paths(net, names.modules)


class _Names(QLinearEmitter):
    """Writes a graph for the names of its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, ExactConv2d] = {}

    def weights(self, name: str, conv: ExactConv2d) -> tuple[str, str, str]:
        self.modules[name] = conv
        return super().weights(name, conv)


def _paths(net: Network, modules: Mapping[str, ExactConv2d]) -> dict[str, str]:
    paths = {id(module): path for path, module in net.named_modules()}
    return {name: paths[id(module)] for name, module in modules.items()}


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(array.astype(np.float64))


def _type(kind: str, attributes: Attributes, first: Array) -> Any:
    if kind == "Cast":
        return helper.tensor_dtype_to_np_dtype(attributes["to"])
    return _TYPES.get(kind, first.dtype)


def _float32(x: Tensor) -> Tensor:
    """Rounds once to float32, as a product of two float32 does."""
    return x.float().double()


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, a: Attributes) -> Tensor:
    return F.conv2d(x, weight, bias, a["strides"], a["pads"][:2], 1, a.get("group", 1))


def _conv(i: list[Tensor], a: Attributes) -> Tensor:
    return _convolve(i[0], i[1], i[2], a)


def _qlinear_conv(i: list[Tensor], a: Attributes) -> Tensor:
    """Inputs: x, its scale and zero point, weights with theirs, the output's two, bias."""
    x, x_scale, x_zero, weight, scale, weight_zero, out_scale, out_zero, bias = i
    moved = (x - x_zero).permute(0, 3, 1, 2)
    total = _convolve(moved, weight - weight_zero, bias, a).permute(0, 2, 3, 1)
    factor = _float32(_float32(x_scale * scale) / out_scale)
    return (_float32(total * factor).round() + out_zero).clamp(0, 255)


def _qlinear_add(i: list[Tensor], _: Attributes) -> Tensor:
    a, a_scale, a_zero, b, b_scale, b_zero, out_scale, out_zero = i
    total = (a - a_zero) * a_scale + (b - b_zero) * b_scale
    return ((total / out_scale).round() + out_zero).clamp(0, 255)


def _matmul_integer(i: list[Tensor], _: Attributes) -> Tensor:
    return (i[0] - i[2]) @ (i[1] - i[3])


def _reshape(i: list[Tensor], _: Attributes) -> Tensor:
    """A target of 0 keeps the dimension."""
    target = [int(n) for n in i[1]]
    return i[0].reshape([n or i[0].shape[k] for k, n in enumerate(target)])


def _depth_to_space(i: list[Tensor], a: Attributes) -> Tensor:
    """Mode DCR: the block's row and column are the slowest part of the channel."""
    x, r = i[0], a["blocksize"]
    n, c, h, w = x.shape
    blocks = x.reshape(n, r, r, c // (r * r), h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // (r * r), h * r, w * r)


OPERATIONS: Mapping[str, Operation] = {
    "QLinearConv": _qlinear_conv,
    "QLinearAdd": _qlinear_add,
    "MatMulInteger": _matmul_integer,
    "Conv": _conv,
    "MatMul": lambda i, _: i[0] @ i[1],
    "Round": lambda i, _: i[0].round(),
    "Clip": lambda i, _: i[0].clamp(i[1], i[2]),
    "Mul": lambda i, _: _float32(i[0] * i[1]),
    "Add": lambda i, _: i[0] + i[1],
    "Sub": lambda i, _: i[0] - i[1],
    "Cast": lambda i, _: i[0],
    "Identity": lambda i, _: i[0],
    "Concat": lambda i, a: torch.cat(i, a["axis"]),
    "Transpose": lambda i, a: i[0].permute(a["perm"]),
    "Shape": lambda i, _: torch.tensor(i[0].shape, dtype=torch.float64),
    "Reshape": _reshape,
    "DepthToSpace": _depth_to_space,
}
"""Every kind of node that an emitter may write (`tests/deploy/test_trace.py` holds it to that)."""
