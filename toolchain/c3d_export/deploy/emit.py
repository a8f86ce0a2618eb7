"""Two ways to write one integer network as ONNX nodes.

`QLinearEmitter`: uint8 activations, int8 weights, QLinearConv with channels last (the CPU
provider's own layout; its contrib operator has run there since ONNX Runtime 1.11).
`FloatEmitter`: the same integers held in float32, for providers without integer kernels (CUDA).

Both take and give the same tensors (uint8, channels last), and both name the same initialisers,
so that the weights of a network stand in a bundle once: a graph file is the nodes alone, and the
bytes of the weights file appended to it complete the protobuf message.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from ..quantize.freeze import ExactConv2d, exact

CONTRIB = "com.microsoft"
OFFSET = 128
"""Zero point of a signed activation in uint8."""


def _groups(conv: ExactConv2d) -> dict[str, Any]:
    """The attribute of a depthwise convolution; the others have none."""
    return {"group": conv.groups} if conv.groups > 1 else {}


@dataclass(frozen=True)
class Value:
    """A tensor in a graph; signed: its bytes are the integers + 128 (in the uint8 flavour)."""

    name: str
    signed: bool


class Emitter(ABC):
    """Collects nodes and initialisers of one graph."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.shared: dict[str, TensorProto] = {}
        self.own: dict[str, TensorProto] = {}

    def node(
        self, kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        made = helper.make_node(kind, inputs, [output], output, domain=domain, **attributes)
        self.nodes.append(made)
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        self.own[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weights(self, name: str, conv: ExactConv2d) -> tuple[str, str, str]:
        """Shared initialisers of a layer: weight int8, bias int32, scale float32."""
        parts = {"weight": conv.weight, "bias": conv.bias, "scale": conv.scale}
        if conv.in_c:
            # A matrix product; scale and bias are applied by the C pass.
            parts = {"weight": conv.weight[:, :, 0, 0].T}
        for part, tensor in parts.items():
            full = f"{name}.{part}"
            self.shared[full] = numpy_helper.from_array(tensor.contiguous().numpy(), full)
        return f"{name}.weight", f"{name}.bias", f"{name}.scale"

    @abstractmethod
    def enter(self, name: str, signed: bool) -> Value:
        """A graph input (1, h, w, C) uint8."""

    @abstractmethod
    def leave(self, value: Value, name: str) -> None:
        """A graph output (1, h, w, C) uint8."""

    @abstractmethod
    def conv(self, name: str, layer: nn.Module, x: Value) -> Value: ...

    @abstractmethod
    def product(self, name: str, layer: nn.Module, x: Value, output: str) -> None:
        """The sums of a 1x1 layer that goes on in C, without bias: graph output (1, h, w, O)
        int32."""

    @abstractmethod
    def add(self, name: str, x: Value, branch: Value) -> Value:
        """clip(x + branch) to 0..255."""

    @abstractmethod
    def depth_to_space(self, name: str, x: Value, channels: int) -> Value:
        """Blocks of 2; channels: of the output."""

    @abstractmethod
    def concat(self, name: str, values: list[Value]) -> Value: ...


class QLinearEmitter(Emitter):
    """uint8 / int8 with int32 sums."""

    def _zero(self, signed: bool) -> str:
        name = "zero_signed" if signed else "zero"
        return self.constant(name, np.uint8(OFFSET if signed else 0))

    def _one(self) -> str:
        return self.constant("one", np.float32(1))

    def enter(self, name: str, signed: bool) -> Value:
        return Value(name, signed)

    def leave(self, value: Value, name: str) -> None:
        self.node("Identity", [value.name], name)

    def conv(self, name: str, layer: nn.Module, x: Value) -> Value:
        conv = exact(layer)
        weight, bias, scale = self.weights(name, conv)
        size = 2 * conv.padding + 1
        zero = self.constant("zero_weight", np.int8(0))
        inputs = [x.name, self._one(), self._zero(x.signed), weight, scale, zero]
        self.node(
            "QLinearConv",
            [*inputs, self._one(), self._zero(conv.signed), bias],
            f"{name}.out",
            domain=CONTRIB,
            channels_last=1,
            kernel_shape=[size, size],
            pads=[conv.padding] * 4,
            strides=[conv.stride] * 2,
            **_groups(conv),
        )
        return Value(f"{name}.out", conv.signed)

    def product(self, name: str, layer: nn.Module, x: Value, output: str) -> None:
        weight, _, _ = self.weights(name, exact(layer))
        zero = self.constant("zero_weight", np.int8(0))
        self.node("MatMulInteger", [x.name, weight, self._zero(x.signed), zero], output)

    def add(self, name: str, x: Value, branch: Value) -> Value:
        one = self._one()
        inputs = [x.name, one, self._zero(x.signed), branch.name, one, self._zero(branch.signed)]
        inputs += [one, self._zero(x.signed)]
        self.node("QLinearAdd", inputs, f"{name}.out", domain=CONTRIB)
        return Value(f"{name}.out", x.signed)

    def depth_to_space(self, name: str, x: Value, channels: int) -> Value:
        """(1, h, w, 2, 2C) -> (1, h, 2, w, 2C): whole runs of 2C bytes move, which is fast."""
        wide = self.constant(f"{name}.wide", np.array([0, 0, -1, 2, 2 * channels], np.int64))
        split = self.node("Reshape", [x.name, wide], f"{name}.split")
        moved = self.node("Transpose", [split], f"{name}.moved", perm=[0, 1, 3, 2, 4])
        shape = self.node("Shape", [x.name], f"{name}.shape")
        ratio = self.constant(f"{name}.ratio", np.array([1, 2, 2, 0], np.int64))
        last = self.constant(f"{name}.last", np.array([0, 0, 0, channels], np.int64))
        grown = self.node("Mul", [shape, ratio], f"{name}.grown")
        target = self.node("Add", [grown, last], f"{name}.target")
        self.node("Reshape", [moved, target], f"{name}.out")
        return Value(f"{name}.out", x.signed)

    def concat(self, name: str, values: list[Value]) -> Value:
        self.node("Concat", [v.name for v in values], f"{name}.out", axis=3)
        return Value(f"{name}.out", values[0].signed)


class FloatEmitter(Emitter):
    """Integers in float32, NCHW inside; sums stay below 2^24 (`certificate.py`)."""

    def _float(self, name: str) -> str:
        return self.node("Cast", [name], f"{name}.float", to=TensorProto.FLOAT)

    def _offset(self) -> str:
        return self.constant("offset", np.float32(OFFSET))

    def enter(self, name: str, signed: bool) -> Value:
        x = self._float(name)
        if signed:
            x = self.node("Sub", [x, self._offset()], f"{name}.signed")
        return Value(self.node("Transpose", [x], f"{name}.nchw", perm=[0, 3, 1, 2]), signed)

    def leave(self, value: Value, name: str) -> None:
        x = value.name
        if value.signed:
            x = self.node("Add", [x, self._offset()], f"{name}.shifted")
        x = self.node("Transpose", [x], f"{name}.nhwc", perm=[0, 2, 3, 1])
        self.node("Cast", [x], name, to=TensorProto.UINT8)

    def conv(self, name: str, layer: nn.Module, x: Value) -> Value:
        conv = exact(layer)
        weight, bias, scale = self.weights(name, conv)
        size = 2 * conv.padding + 1
        total = self.node(
            "Conv",
            [x.name, self._float(weight), self._float(bias)],
            f"{name}.sum",
            kernel_shape=[size, size],
            pads=[conv.padding] * 4,
            strides=[conv.stride] * 2,
            **_groups(conv),
        )
        # Without this Round ONNX Runtime may fold the scale into the weights.
        total = self.node("Round", [total], f"{name}.barrier")
        shape = self.constant("per_channel", np.array([1, -1, 1, 1], np.int64))
        column = self.node("Reshape", [scale, shape], f"{name}.column")
        scaled = self.node("Mul", [total, column], f"{name}.scaled")
        rounded = self.node("Round", [scaled], f"{name}.rounded")
        self.node("Clip", [rounded, *self._range(conv.signed)], f"{name}.out")
        return Value(f"{name}.out", conv.signed)

    def _range(self, signed: bool) -> list[str]:
        low, high = (-OFFSET, OFFSET - 1) if signed else (0, 255)
        return [self.constant(f"value_{n}", np.float32(n)) for n in (low, high)]

    def product(self, name: str, layer: nn.Module, x: Value, output: str) -> None:
        weight, _, _ = self.weights(name, exact(layer))
        rows = self.node("Transpose", [x.name], f"{name}.rows", perm=[0, 2, 3, 1])
        total = self.node("MatMul", [rows, self._float(weight)], f"{name}.sum")
        total = self.node("Round", [total], f"{name}.barrier")
        self.node("Cast", [total], output, to=TensorProto.INT32)

    def add(self, name: str, x: Value, branch: Value) -> Value:
        total = self.node("Add", [x.name, branch.name], f"{name}.sum")
        self.node("Clip", [total, *self._range(x.signed)], f"{name}.out")
        return Value(f"{name}.out", x.signed)

    def depth_to_space(self, name: str, x: Value, channels: int) -> Value:
        self.node("DepthToSpace", [x.name], f"{name}.out", blocksize=2, mode="DCR")
        return Value(f"{name}.out", x.signed)

    def concat(self, name: str, values: list[Value]) -> Value:
        self.node("Concat", [v.name for v in values], f"{name}.out", axis=1)
        return Value(f"{name}.out", values[0].signed)
