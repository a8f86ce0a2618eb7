"""ONNX graphs node by node: float layers, and integer layers held in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, int8, int16, nn

from ..quantize.post.layer import IntegerLayer
from .emit import CONTRIB

OPSET = 17
IR_VERSION = 8
FLOAT, BYTE = TensorProto.FLOAT, TensorProto.UINT8
LEAST_OUTPUTS: Final = 16
"""With fewer a transposed convolution stays one: kernels of plain ones are for 16 outputs."""


class Graph:
    """Collects the nodes and initialisers of one graph."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._ports: list[list[Any]] = [[], []]

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: Tensor | NDArray[Any] | np.generic) -> str:
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        self._constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def number(self, value: float) -> str:
        return self.constant(f"number_{value:g}", np.float32(value))

    def declare(self, side: int, name: str, kind: int, shape: list[int | str]) -> None:
        """An input (side 0) or an output (1) of the graph."""
        self._ports[side].append(helper.make_tensor_value_info(name, kind, shape))

    def rename(self, value: str, name: str) -> None:
        """Gives what a node makes the name of an output; nothing else may use it."""
        (node,) = (n for n in self._nodes if value in n.output)
        node.output[0] = name

    def enter(self, name: str, kind: int, channels: int) -> str:
        """An input (1, h, w, C), as float32 with channels first."""
        self.declare(0, name, kind, [1, f"h.{name}", f"w.{name}", channels])
        x = name if kind == FLOAT else self.node("Cast", [name], f"{name}.float", to=FLOAT)
        return self.node("Transpose", [x], f"{name}.first", perm=[0, 3, 1, 2])

    def leave(self, value: str, name: str, kind: int, channels: int) -> None:
        self.declare(1, name, kind, [1, f"h.{name}", f"w.{name}", channels])
        x = value if kind == FLOAT else self.node("Cast", [value], f"{name}.bytes", to=kind)
        self.node("Transpose", [x], name, perm=[0, 2, 3, 1])

    def serialised(self) -> bytes:
        inputs, outputs = self._ports
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, self.name, inputs, outputs, constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="c3d-export"
        )
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def convolution(
        self,
        name: str,
        x: str,
        weight: str,
        bias: str,
        layer: nn.Module | IntegerLayer,
        size: tuple[int, int],
    ) -> str:
        """layer: whose stride and padding count; size: of its kernel."""
        transposed = isinstance(layer, nn.ConvTranspose2d) or getattr(layer, "transposed", False)
        stride, padding, output_padding = (
            _single(getattr(layer, key)) for key in ("stride", "padding", "output_padding")
        )
        geometry: dict[str, Any] = {"kernel_shape": list(size), "pads": [padding] * 4}
        geometry["strides"] = [stride] * 2
        if transposed:
            geometry["output_padding"] = [output_padding] * 2
        kind = "ConvTranspose" if transposed else "Conv"
        return self.node(kind, [x, weight, bias], f"{name}.out", **geometry)

    def leaky(self, x: str, slope: float) -> str:
        """Of float values; ONNX Runtime makes it a part of the convolution before."""
        return self.node("LeakyRelu", [x], f"{x}.leaky", alpha=float(slope))

    def normalised(self, name: str, beta: Tensor, gamma: Tensor, inverse: bool, x: str) -> str:
        """GDN; beta (C,), gamma (C, C, 1, 1)."""
        square = self.node("Mul", [x, x], f"{name}.square")
        norm = self.node(
            "Conv",
            [square, self.constant(f"{name}.gamma", gamma), self.constant(f"{name}.beta", beta)],
            f"{name}.norm",
            kernel_shape=[1, 1],
            pads=[0] * 4,
            strides=[1, 1],
        )
        root = self.node("Sqrt", [norm], f"{name}.root")
        return self.node("Mul" if inverse else "Div", [x, root], f"{name}.out")

    def whole(self, values: Sequence[int]) -> str:
        """A list of int64."""
        return self.constant("whole_" + "_".join(map(str, values)), np.array(values, np.int64))

    def slice(
        self, x: str, output: str, begin: Sequence[int], end: Sequence[int], step: int = 1
    ) -> str:
        """Of the last two axes of four."""
        limits = [self.whole(values) for values in (begin, end, (2, 3), (step, step))]
        return self.node("Slice", [x, *limits], output)

    def affine(self, name: str, layer: nn.Conv2d | nn.ConvTranspose2d, x: str, **more: Any) -> str:
        """A float convolution. more: pads other than its own, or what is cut off at the begin of a
        transposed one's outputs."""
        assert layer.bias is not None
        weight = self.constant(f"{name}.weight", layer.weight)
        bias, size = self.constant(f"{name}.bias", layer.bias), _pair(layer)
        if not isinstance(layer, nn.ConvTranspose2d):
            pads = more.get("pads", [_single(layer.padding)] * 4)
            strides = [_single(layer.stride)] * 2
            geometry = {"kernel_shape": list(size), "pads": pads, "strides": strides}
            return self.node("Conv", [x, weight, bias], f"{name}.out", **geometry)
        if layer.out_channels < LEAST_OUTPUTS and "cut" not in more:
            return self.convolution(name, x, weight, bias, layer, size)
        return self._phases(name, layer, (x, weight, bias), more.get("cut", _single(layer.padding)))

    def _phases(
        self, name: str, layer: nn.ConvTranspose2d, inputs: tuple[str, str, str], cut: int
    ) -> str:
        """A transposed convolution of stride 2 as four plain ones and a shuffle.

        They take as many multiplications, and ONNX Runtime's kernels for them are 1.1 to 1.7 times
        as fast. Output 2 m + p sees input m + d by tap p + cut - 2 d.
        """
        x, weight, bias = inputs
        turned = self.node("Transpose", [weight], f"{name}.turned", perm=[1, 0, 2, 3])
        phases = [_phase(p, cut, layer.kernel_size[0]) for p in (0, 1)]
        made = []
        for r, rows in enumerate(phases):
            for c, columns in enumerate(phases):
                here = f"{name}.phase{r}{c}"
                begin, end = (rows.taps[0], columns.taps[0]), (rows.end, columns.end)
                kernel = self.slice(turned, f"{here}.weight", begin, end, -2)
                geometry = {
                    "kernel_shape": [len(rows.taps), len(columns.taps)],
                    "pads": [rows.before, columns.before, rows.after, columns.after],
                    "strides": [1, 1],
                }
                made.append(self.node("Conv", [x, kernel, bias], f"{here}.out", **geometry))
        joined = self.node("Concat", made, f"{name}.phases", axis=1)
        return self.node("DepthToSpace", [joined], f"{name}.out", blocksize=2)

    def stored(self, name: str, layer: IntegerLayer) -> list[tuple[str, str]]:
        """Weights of a layer as float32 and its bias, for each sum that it has."""
        made = []
        for end, (taps, bias) in zip(PART_NAMES[layer.radix > 1], layer.parts(), strict=True):
            weight = taps.transpose(0, 1) if layer.transposed else taps
            kind = int8 if int(weight.abs().max()) <= 127 else int16
            whole = self.constant(f"{name}{end}.weight", weight.to(kind))
            as_float = self.node("Cast", [whole], f"{name}{end}.weight.float", to=FLOAT)
            made.append((as_float, self.constant(f"{name}{end}.bias", bias.float())))
        return made

    def integer_layer(self, name: str, layer: IntegerLayer, x: str) -> str:
        """`IntegerLayer.forward` in float32."""
        size = (layer.weight.shape[2], layer.weight.shape[3])
        sums = [
            self.convolution(f"{name}{end}", x, weight, bias, layer, size)
            for end, (weight, bias) in zip(
                PART_NAMES[layer.radix > 1], self.stored(name, layer), strict=True
            )
        ]
        return self.requantised(name, layer, sums)

    def requantised(self, name: str, layer: IntegerLayer, sums: list[str], at: str = "") -> str:
        """`IntegerLayer.requantised` of what its convolutions gave; at: of several uses, which."""
        # Without this Round ONNX Runtime may fold a factor into the weights, or let one sum go on
        # where the other ends.
        sums = [self.node("Round", [total], f"{total}.barrier") for total in sums]
        total, here = sums[0], f"{name}{at}"
        if layer.radix > 1:
            radix = self.constant(f"{name}.radix", np.float32(layer.radix))
            large = self.node("Mul", [sums[0], radix], f"{here}.large")
            total = self.node("Add", [large, sums[1]], f"{here}.total")
        parts = {key: getattr(layer, key)[None, :, None, None] for key in _PER_CHANNEL}
        named = {key: self.constant(f"{name}.{key}", part) for key, part in parts.items()}
        up = self.node("Mul", [total, named["scale"]], f"{here}.up")
        down = self.node("Mul", [total, named["negative"]], f"{here}.down")
        leaky = self.node("Max", [up, down], f"{here}.leaky")
        x = self.node("Max", [self.node("Round", [leaky], f"{here}.round"), named["low"]],
                      f"{here}.above")  # fmt: skip
        return self.node("Min", [x, named["high"]], f"{here}.clipped")


PART_NAMES = (("",), (".upper", ".lower"))
"""What stands behind a layer's name in the names of its sums: whole, or in two parts."""
_PER_CHANNEL = ("scale", "negative", "low", "high")


def _pair(layer: nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int]:
    return int(layer.kernel_size[0]), int(layer.kernel_size[1])


def _single(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


class _Phase(NamedTuple):
    """Outputs of one remainder by 2. taps: from the first input that they see on. before, after:
    inputs beyond an output's own that they see."""

    taps: list[int]
    before: int
    after: int

    @property
    def end(self) -> int:
        """Behind the last tap, counted down by two; below the first counts from behind."""
        last = self.taps[-1] - 2
        return last if last >= 0 else -(BEYOND)


BEYOND: Final = 1 << 16
"""More than any kernel has taps."""


def _phase(p: int, cut: int, kernel: int) -> _Phase:
    seen = [d for d in range(-kernel, kernel + 1) if 0 <= p + cut - 2 * d < kernel]
    return _Phase([p + cut - 2 * d for d in seen], max(0, -seen[0]), max(0, seen[-1]))
