"""The four networks of mbt2018-mean and mbt2018 as ONNX graphs.

    g_a: pixels uint8 (1, H, W, 3) -> y float32 (1, h, w, M)          H = 16 h
    h_a: y (1, h, w, M), h and w multiples of 4 -> z (1, h/4, w/4, N), distances from the medians
    h_s: z (1, hz, wz, N + 1) whole, the last plane ones -> out (1, 4 hz, 4 wz, 2 M) whole
    g_s: y_hat (1, h, w, M) -> pixels uint8 (1, H, W, 3)

g_a, h_a and g_s are float, and differ a little from host to host. h_s is integers held in float32:
exact, whatever the order of the sums. Channels are first inside, which ONNX Runtime's kernels want.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, int8, int16, nn

from ...models.mbt.gdn import GDN
from ...models.mbt.network import MeanScaleHyperprior
from ...quantize.post.layer import IntegerChain, IntegerLayer
from ..emit import CONTRIB

OPSET = 17
IR_VERSION = 8
FLOAT, BYTE = TensorProto.FLOAT, TensorProto.UINT8


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
        self.declare(0, name, kind, [1, "h", "w", channels])
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
        low = self.node("Mul", [x, self.number(slope)], f"{x}.negative")
        return self.node("Max", [x, low], f"{x}.leaky")

    def gdn(self, name: str, layer: GDN, x: str) -> str:
        beta, gamma = layer.coefficients()
        return self.normalised(name, beta, gamma, layer.inverse, x)

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

    def float_chain(self, name: str, layers: nn.Sequential, x: str) -> str:
        for number, layer in enumerate(layers):
            here = f"{name}.{number}"
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert layer.bias is not None
                weight = self.constant(f"{here}.weight", layer.weight)
                bias = self.constant(f"{here}.bias", layer.bias)
                x = self.convolution(here, x, weight, bias, layer, _pair(layer))
            elif isinstance(layer, GDN):
                x = self.gdn(here, layer, x)
            elif isinstance(layer, nn.LeakyReLU):
                x = self.leaky(x, layer.negative_slope)
            else:
                raise TypeError(f"no ONNX form of {layer}")
        return x

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


def build_graphs(network: MeanScaleHyperprior, h_s: IntegerChain) -> dict[str, bytes]:
    """Graph -> a complete serialised model. h_s: of `quantize/post/mbt.py`, ones plane included."""
    spec = network.spec
    m, n = spec.latents, spec.hyper
    return {
        "g_a": _analysis(network, m),
        "h_a": _hyper_analysis(network, m, n),
        "h_s": _hyper_synthesis(h_s, m, n),
        "g_s": _synthesis(network, m),
    }


def _analysis(network: MeanScaleHyperprior, m: int) -> bytes:
    g = Graph("g_a")
    x = g.node("Div", [g.enter("pixels", BYTE, 3), g.number(255)], "unit")
    g.leave(g.float_chain("g_a", network.g_a, x), "y", FLOAT, m)
    return g.serialised()


def _hyper_analysis(network: MeanScaleHyperprior, m: int, n: int) -> bytes:
    g = Graph("h_a")
    z = g.float_chain("h_a", network.h_a, g.enter("y", FLOAT, m))
    medians = network.entropy_bottleneck.medians()[None, :, None, None]
    g.leave(g.node("Sub", [z, g.constant("medians", medians)], "distance"), "z", FLOAT, n)
    return g.serialised()


def _hyper_synthesis(h_s: IntegerChain, m: int, n: int) -> bytes:
    g = Graph("h_s")
    x = g.enter("z", FLOAT, n + 1)
    for number, layer in enumerate(h_s.layers()):
        x = g.integer_layer(f"h_s.{number}", layer, x)
    g.leave(x, "out", FLOAT, 2 * m)
    return g.serialised()


def _synthesis(network: MeanScaleHyperprior, m: int) -> bytes:
    g = Graph("g_s")
    x = g.float_chain("g_s", network.g_s, g.enter("y_hat", FLOAT, m))
    x = g.node("Round", [g.node("Mul", [x, g.number(255)], "grey")], "whole")
    x = g.node("Clip", [x, g.number(0), g.number(255)], "clipped")
    g.leave(x, "pixels", BYTE, 3)
    return g.serialised()
