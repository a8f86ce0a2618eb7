"""One level of the hyperprior in C: the graph's own integer layers, without ONNX Runtime."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleGraphError
from ..bundle import TABLES
from ..graphtensors import Constants, graph_constants
from ..hyperprior.convolution import Convolution
from ..hyperprior.layers import StoredLayer, stored_layer
from ..hyperprior.packing import FASTEST, NARROW
from ..slices import Workers
from .bundle import LARGEST
from .patches import PLACES, REACH, STAGES, Piece, Place, pieces
from .prior import Bytes, Ints

_BEFORE: Final = ("h_s.0", "h_s.1", "h_s.2")
_AFTER: Final = "h_s.3"

Maps = dict[Place, Ints]


class Level:
    """z -> h, index of the scale and mean of the level below. Nothing in it changes but the kernel;
    for use by many threads. magnitude: (features,) the largest |h|."""

    def __init__(self, graph: bytes, title: str, inputs: NDArray[Any], workers: Workers) -> None:
        """inputs: (n,) the largest |z| of each channel. Raises BundleGraphError where the graph's
        constants are not those of a level."""
        constants = graph_constants(graph, title)
        self._before = []
        for name in _BEFORE:
            layer = _level_layer(constants, name, inputs, 1)
            self._before.append(layer.convolution(workers=workers))
            inputs = layer.outputs
        if len(inputs) % 4:
            raise _foreign(f"graph {title} does not shuffle groups of four")
        after = _level_layer(constants, _AFTER, inputs.reshape(4, -1).max(0), 3)
        self._after = after.convolution(padding=1, workers=workers)
        self.magnitude = after.outputs
        self._stages, inputs = self._patches(constants, after.outputs, workers)
        heads = [
            _level_layer(constants, f"predictor.{name}", np.tile(inputs, len(PLACES)), 1)
            for name in ("index", "mean")
        ]
        self._check_heads(*heads)
        self._index, self._mean = (head.convolution(workers=workers) for head in heads)

    def _patches(
        self, constants: Constants, inputs: NDArray[Any], workers: Workers
    ) -> tuple[dict[int, dict[Place, Convolution]], NDArray[Any]]:
        """The predictor's convolutions by stage and place; and what comes out of the last."""
        stages: dict[int, dict[Place, Convolution]] = {}
        for stage in STAGES:
            layer = _level_layer(constants, f"predictor.conv{stage}", inputs, 3)
            stages[stage] = {
                place: layer.convolution(_kernel(layer, parts), len(parts), workers=workers)
                for place in PLACES
                for parts in [pieces(stage, place)]
            }
            inputs = layer.outputs
        return stages, inputs

    def _check_heads(self, index: StoredLayer, mean: StoredLayer) -> None:
        *_, low, high = index.scaling
        if len(low) != len(mean.outputs):
            raise _foreign(f"{len(low)} indexes come with {len(mean.outputs)} means")
        if low.min() < 0 or high.max() >= TABLES or mean.outputs.max() > LARGEST:
            raise _foreign("indexes or means leave their range")

    @property
    def features(self) -> int:
        """Channels of h."""
        return int(self._after.outputs)

    @property
    def outputs(self) -> int:
        """Channels of index and mean."""
        return int(self._mean.outputs)

    def use_kernel(self, kernel: int = FASTEST) -> None:
        """For comparisons of one with another (`hyperprior/packing.py`)."""
        convs = [c for stage in self._stages.values() for c in stage.values()]
        for layer in [*self._before, self._after, *convs, self._index, self._mean]:
            layer.kernel = kernel

    def __call__(self, z: Ints) -> tuple[Ints, Bytes, Ints]:
        """z: (h, w, n) -> h (2h, 2w, features), index (2h, 2w, n'), mean (2h, 2w, n')."""
        x = z
        for layer in self._before:
            x = layer(x)
        h = self._after(moved(x))
        maps: Maps = {(0, 0): np.pad(h, ((REACH, REACH), (REACH, REACH), (0, 0)))}
        for stage, layers in self._stages.items():
            maps = {p: layer(_read(maps, pieces(stage, p))) for p, layer in layers.items()}
        joined = np.concatenate([maps[place] for place in PLACES], 2)
        return h, self._index(joined).astype(np.uint8), self._mean(joined)


def _foreign(fault: str) -> BundleGraphError:
    return BundleGraphError(f"in the bundle {fault}; get it again from its maker")


def _level_layer(constants: Constants, name: str, inputs: NDArray[Any], size: int) -> StoredLayer:
    """A layer whose kernel has this size, and whose outputs another one may read as int16."""
    layer = stored_layer(constants, name, inputs)
    if layer.taps.shape[1:3] != (size, size):
        raise _foreign(f"layer {name} has a kernel of another size than {size} x {size}")
    if layer.outputs.max() > NARROW.max:
        raise _foreign(f"layer {name} has outputs beyond {NARROW.max}")
    return layer


def _kernel(layer: StoredLayer, parts: list[Piece]) -> NDArray[np.int16]:
    cut = [layer.taps[:, slice(*p.rows.kernel), slice(*p.columns.kernel)] for p in parts]
    return np.concatenate(cut, 3)


def _read(maps: Maps, parts: list[Piece]) -> Ints:
    read = []
    for part in parts:
        x, (top, bottom), (left, right) = maps[part.source], part.rows.crop, part.columns.crop
        read.append(x[top : x.shape[0] - bottom, left : x.shape[1] - right])
    return np.ascontiguousarray(read[0]) if len(read) == 1 else np.concatenate(read, 2)


def moved(x: Ints) -> Ints:
    """Depth-to-space by 2, block offset slow and channel fast."""
    height, width, channels = x.shape
    blocks = x.reshape(height, width, 2, 2, channels // 4).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(2 * height, 2 * width, channels // 4)
