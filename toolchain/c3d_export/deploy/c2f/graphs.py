"""The networks of a coarse-to-fine codec as ONNX graphs.

    g_a:      pixels uint8 (1, H, W, 3) -> z3, z2 and, where it exists, z1, all rounded, float32
              (1, h, w, C), h = H / 16, and halves of it; H and W multiples of 64
    side2:    z1 whole -> h (1, 2h, 2w, features), index and mean of z2 (1, 2h, 2w, n), all whole
    side3:    z2 whole -> the same of z3
    features: z3, h2 and, where it exists, h1 -> y (1, F, 8h, 8w) and side (1, F', 8h, 8w), channels
              first: what the last layers read in bands of rows
    picture:  y, side, first row of a band, the one after its last, int64 (1,) -> pixels uint8
              (1, 2 rows, 16w, 3)

g_a, features and picture are float; side2 and side3 are integers held in float32, exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from onnx import TensorProto
from torch import nn

from ...models.c2f.gdn import GDN
from ...models.c2f.network import CoarseToFine
from ...models.c2f.transforms import SLOPE, DepthToSpace, Down, SpaceToDepth, Up
from ...quantize.post.c2f import EntropyPath, IntegerLevel
from ...quantize.post.layer import IntegerLayer
from ...runtime.c2f.patches import PLACES, REACH, STAGES, Piece, Place, pieces
from ..floatgraph import BYTE, FLOAT, PART_NAMES, Graph

END: Final = int(np.iinfo(np.int64).max)
INT64: Final = TensorProto.INT64


class C2FGraph(Graph):
    """Adds what the layers of this family need."""

    def read(self, x: str, output: str, piece: Piece) -> str:
        """What a part of a kernel reads of a map."""
        (top, bottom), (left, right) = piece.rows.crop, piece.columns.crop
        if not any((top, bottom, left, right)):
            return x
        ends = [-n if n else END for n in (bottom, right)]
        return self.slice(x, output, [top, left], ends)

    def taps(self, weight: str, output: str, piece: Piece) -> str:
        """That part of a kernel."""
        begin, end = zip(piece.rows.kernel, piece.columns.kernel, strict=True)
        return self.slice(weight, output, list(begin), list(end))

    def concat(self, parts: list[str], output: str) -> str:
        return parts[0] if len(parts) == 1 else self.node("Concat", parts, output, axis=1)

    def float_layer(self, name: str, layer: nn.Module, x: str) -> str:
        if isinstance(layer, GDN):
            return self.normalised(name, *layer.coefficients(), layer.inverse, x)
        if isinstance(layer, nn.ReLU):
            return self.node("Max", [x, self.number(0)], f"{name}.relu")
        if isinstance(layer, SpaceToDepth | DepthToSpace):
            return self.node(type(layer).__name__, [x], f"{name}.moved", blocksize=2)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            # Their padding; of an up-sampling layer its row of zeros at the start and what is cut
            # off there come to one row.
            uneven = {"pads": [1, 1, 2, 2]} if isinstance(layer, Down) else {}
            return self.affine(name, layer, x, **({"cut": 1} if isinstance(layer, Up) else uneven))
        raise TypeError(f"no ONNX form of {layer}")

    def float_layers(self, name: str, layers: Iterable[nn.Module], x: str) -> str:
        for number, layer in enumerate(layers):
            x = self.float_layer(f"{name}.{number}", layer, x)
        return x

    def rounded(self, x: str, output: str) -> str:
        return self.node("Round", [x], output)

    def enter_first(self, name: str) -> str:
        """An input with channels first."""
        self.declare(0, name, FLOAT, [1, f"c.{name}", "h", "w"])
        return name

    def leave_first(self, value: str, name: str) -> None:
        """An output with channels first; value: a node's."""
        self.declare(1, name, FLOAT, [1, f"c.{name}", f"h.{name}", f"w.{name}"])
        self.rename(value, name)

    def enter_rows(self, name: str) -> str:
        """A number of rows, int64 (1,)."""
        self.declare(0, name, INT64, [1])
        return name


def build_graphs(network: CoarseToFine, path: EntropyPath) -> dict[str, bytes]:
    """Graph -> a complete serialised model."""
    sides = {name: _side(name, level) for name, level in path.levels().items()}
    return {
        "g_a": _analysis(network),
        **sides,
        "features": _features(network, path),
        "picture": _picture(network),
    }


def _analysis(network: CoarseToFine) -> bytes:
    g, spec = C2FGraph("g_a"), network.spec
    x = g.node("Div", [g.enter("pixels", BYTE, 3), g.number(127.5)], "double")
    x = g.node("Sub", [x, g.number(1)], "centred")
    z3 = g.rounded(g.float_layers("g_a", network.g_a, x), "z3.first")
    z2 = g.rounded(g.float_layers("h_a2", network.h_a2, z3), "z2.first")
    g.leave(z3, "z3", FLOAT, spec.latents)
    g.leave(z2, "z2", FLOAT, spec.fine.latents)
    if network.h_a1 is not None and spec.coarse is not None:
        z1 = g.rounded(g.float_layers("h_a1", network.h_a1, z2), "z1.first")
        g.leave(z1, "z1", FLOAT, spec.coarse.latents)
    return g.serialised()


def _side(name: str, level: IntegerLevel) -> bytes:
    g = C2FGraph(name)
    x = g.enter("z", FLOAT, len(level.source.step))
    before = level.before.layers()
    for number, layer in enumerate(before):
        x = g.integer_layer(f"h_s.{number}", layer, x)
    x = g.node("DepthToSpace", [x], "h_s.moved", blocksize=2)
    h = g.integer_layer(f"h_s.{len(before)}", level.after, x)
    joined = _predicted(g, level, h)
    predictor = level.predictor
    g.leave(h, "h", FLOAT, len(level.features.step))
    for output, layer in (("index", predictor.index), ("mean", predictor.mean)):
        made = g.integer_layer(f"predictor.{output}", layer, joined)
        g.leave(made, output, FLOAT, len(layer.scale))
    return g.serialised()


def _predicted(g: C2FGraph, level: IntegerLevel, h: str) -> str:
    """What both heads read."""
    pads = [0, 0, REACH, REACH, 0, 0, REACH, REACH]
    maps = {(0, 0): g.node("Pad", [h, g.whole(pads)], "padded")}
    for stage in STAGES:
        layer: IntegerLayer = getattr(level.predictor, f"conv{stage}")
        name = f"predictor.conv{stage}"
        stored = g.stored(name, layer)
        maps = {p: _place(g, name, layer, stored, stage, p, maps) for p in PLACES}
    return g.concat([maps[place] for place in PLACES], "places")


def _place(
    g: C2FGraph,
    name: str,
    layer: IntegerLayer,
    stored: list[tuple[str, str]],
    stage: int,
    place: Place,
    maps: dict[Place, str],
) -> str:
    """One map of a predictor's layer, by the part of the kernel that it needs."""
    here, parts = f"{name}.at{place[0]}{place[1]}", pieces(stage, place)
    read = [g.read(maps[p.source], f"{here}.read{i}", p) for i, p in enumerate(parts)]
    x = g.concat(read, f"{here}.reads")
    spans = [axis.kernel for axis in parts[0]]
    geometry = {"kernel_shape": [end - begin for begin, end in spans], "pads": [0] * 4}
    sums = []
    for part, (weight, bias) in zip(PART_NAMES[layer.radix > 1], stored, strict=True):
        cut = [g.taps(weight, f"{here}{part}.weight{i}", p) for i, p in enumerate(parts)]
        kernel = g.concat(cut, f"{here}{part}.kernel")
        inputs, output = [x, kernel, bias], f"{here}{part}.out"
        sums.append(g.node("Conv", inputs, output, strides=[1, 1], **geometry))
    return g.requantised(name, layer, sums, f".at{place[0]}{place[1]}")


def _features(network: CoarseToFine, path: EntropyPath) -> bytes:
    g, recon = C2FGraph("features"), network.reconstruction
    z3 = g.enter("z3", FLOAT, network.spec.latents)
    joined = [_values(g, "h2", path.fine)]
    if path.coarse is not None:
        h1 = _values(g, "h1", path.coarse)
        joined.append(g.node("DepthToSpace", [h1], "h1.moved", blocksize=2))
    # The last GDN is in `picture`: its three tensors at half resolution are the largest of all.
    y = g.float_layers("g_s", list(network.g_s)[:-1], z3)
    x = g.float_layer("up1", recon.up1, g.concat(joined, "joined"))
    x = g.leaky(g.float_layer("up2", recon.up2, x), SLOPE)
    g.leave_first(y, "y")
    g.leave_first(g.float_layer("up3", recon.up3, x), "side")
    return g.serialised()


def _values(g: C2FGraph, name: str, level: IntegerLevel) -> str:
    """Hyper-features from the integers that stand for them."""
    step = level.features.step.float()[None, :, None, None]
    x = g.enter(name, FLOAT, step.shape[1])
    return g.node("Mul", [x, g.constant(f"{name}.step", step)], f"{name}.value")


def _picture(network: CoarseToFine) -> bytes:
    g, recon = C2FGraph("picture"), network.reconstruction
    limits = [g.enter_rows(name) for name in ("first", "last")]
    axis = g.whole([2])
    y, side = (
        g.node("Slice", [g.enter_first(name), *limits, axis], f"{name}.band")
        for name in ("y", "side")
    )
    y = g.float_layer("g_s.last", network.g_s[-1], y)
    trunk = g.concat([y, g.leaky(side, SLOPE)], "trunk")
    x = trunk
    for name in ("block1", "block2", "block3"):
        x = g.leaky(g.float_layer(name, getattr(recon, name), x), SLOPE)
    x = g.float_layer("up4", recon.up4, g.node("Add", [x, trunk], "residual"))
    x = g.leaky(g.float_layer("tail", recon.tail, x), SLOPE)
    x = g.float_layer("pixels", recon.pixels, x)
    x = g.node("Mul", [g.node("Add", [x, g.number(1)], "positive"), g.number(127.5)], "grey")
    x = g.node("Clip", [g.node("Round", [x], "whole"), g.number(0), g.number(255)], "clipped")
    g.leave(x, "pixels", BYTE, 3)
    return g.serialised()
