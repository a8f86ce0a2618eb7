"""Synthesis of a bundle in integers, in C: pixels that are exact on every host.

`quantize/post/c2f_synthesis.py` says what is computed; its layers are arrays of the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleMemberError
from ..hyperprior.convolution import Convolution
from ..hyperprior.gdn import InverseGDN
from ..hyperprior.layers import StoredLayer
from ..hyperprior.packing import FASTEST
from ..images import Frame
from ..slices import Workers
from .prior import Ints

UPS: Final = ("up0", "up1", "up2")
SIDES: Final = ("side0", "side1", "side2")
BLOCKS: Final = ("block1", "block2", "block3")
ENDS: Final = ("up4", "tail", "pixels")
GDNS: Final = ("gdn0", "gdn1", "gdn2")
LAYERS: Final = (*UPS, *SIDES, *BLOCKS, *ENDS, *GDNS)
_UP: Final = {"transposed": True, "stride": 2, "padding": 1}
_GEOMETRY: Final[dict[str, dict[str, Any]]] = {
    **dict.fromkeys((*UPS, *SIDES, "up4"), _UP),
    **{name: {"padding": 1} for name in (*BLOCKS, "tail")},
}
_KERNELS: Final = {**dict.fromkeys((*UPS, *SIDES, "up4"), 5), **dict.fromkeys((*BLOCKS, "tail"), 3)}
_PARTS: Final[dict[str, tuple[str, int]]] = {
    "weight": ("<i2", 4),
    "bias": ("<i4", 1),
    "scale": ("<f4", 1),
    "negative": ("<f4", 1),
    "low": ("<f4", 1),
    "high": ("<f4", 1),
}
_OUT_PARTS: Final = ("out_scale", "out_low", "out_high")
HALF_ROWS: Final = 64
"""Rows at half resolution that the last layers work on at once: what they hold stays in caches."""
HALO: Final = 5
LARGEST: Final = 32767
"""Of a square, and of what squares come from."""

Arrays = Mapping[str, NDArray[Any]]


def synthesis_forms() -> dict[str, tuple[str, int]]:
    """The arrays that a bundle with this synthesis has: element type and rank."""
    forms = {f"synthesis_{n}_{part}": form for n in LAYERS for part, form in _PARTS.items()}
    forms |= {f"synthesis_{gdn}_{part}": ("<f4", 1) for gdn in GDNS for part in _OUT_PARTS}
    return forms | {f"synthesis_z3_{end}": ("<i2", 1) for end in ("low", "high")}


class IntegerSynthesis:
    """Nothing in it changes but the kernel; for use by many threads."""

    def __init__(self, arrays: Arrays, features: NDArray[Any], workers: Workers) -> None:
        """features: (n,) the largest |h2| and, of four channels that become one, |h1|. Raises
        BundleMemberError or BundleGraphError for arrays that do not fit together."""
        self._arrays, self._workers = arrays, workers
        try:
            self._low, self._high = (arrays[f"synthesis_z3_{e}"] for e in ("low", "high"))
            inputs = np.maximum(-self._low.astype(np.int64), self._high)
            self._layers: dict[str, Convolution] = {}
            self._gdns = []
            for up, gdn in zip(UPS, GDNS, strict=True):
                inputs = self._add(up, inputs)
                made, inputs = self._gdn(gdn, inputs)
                self._gdns.append(made)
            for name in SIDES:
                features = self._add(name, features)
            trunk = np.concatenate([inputs, features])
            self._half = len(inputs)
            inputs = trunk
            for name in BLOCKS:
                inputs = self._add(name, inputs)
            inputs = inputs + trunk
            for name in ENDS:
                inputs = self._add(name, inputs)
        except (ValueError, IndexError) as error:
            raise BundleMemberError(f"the bundle's synthesis does not fit: {error}") from error
        low = arrays["synthesis_pixels_low"]
        if len(inputs) != 3 or low.min() < 0 or inputs.max() > 255:
            raise BundleMemberError("the bundle's synthesis gives no pixels")

    def _stored(self, name: str, inputs: NDArray[np.int64]) -> StoredLayer:
        weight, bias, *scaling = (self._arrays[f"synthesis_{name}_{part}"] for part in _PARTS)
        size = _KERNELS.get(name, 1)
        if weight.shape != (len(bias), size, size, len(inputs)):
            raise ValueError(f"layer {name} has weights {weight.shape} for {len(inputs)} inputs")
        if any(len(part) != len(bias) for part in scaling):
            raise ValueError(f"layer {name} has scales of another length")
        if not all(np.isfinite(part).all() for part in scaling):
            raise ValueError(f"layer {name} has a scale that is no number")
        low, high = scaling[2:]
        whole = np.array_equal(low, np.rint(low)) and np.array_equal(high, np.rint(high))
        if not (whole and (low <= high).all() and low.min() >= -65535 and high.max() <= 65535):
            raise ValueError(f"layer {name} has a wrong range")
        return StoredLayer(name, np.asarray(weight), np.asarray(bias), scaling, inputs)

    def _add(self, name: str, inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        layer = self._stored(name, inputs)
        if layer.outputs.max() > LARGEST:
            raise ValueError(f"layer {name} gives more than int16 holds")
        geometry = _GEOMETRY.get(name, {})
        self._layers[name] = layer.convolution(workers=self._workers, **geometry)
        return layer.outputs

    def _gdn(self, name: str, inputs: NDArray[np.int64]) -> tuple[InverseGDN, NDArray[np.int64]]:
        layer = self._stored(name, np.full(len(inputs), LARGEST, np.int64))
        scale, low, high = (self._arrays[f"synthesis_{name}_{part}"] for part in _OUT_PARTS)
        ok = len(scale) == len(low) == len(high) == len(layer.bias) == len(inputs)
        if not (ok and layer.scaling[2].min() >= 0 and layer.scaling[3].max() > LARGEST):
            raise ValueError(f"{name} has a wrong range")
        inside = (low <= high).all() and low.min() >= -LARGEST and high.max() <= LARGEST
        whole = np.array_equal(low, np.rint(low)) and np.array_equal(high, np.rint(high))
        if not (inside and whole and np.isfinite(scale).all() and scale.min() >= 0):
            raise ValueError(f"{name} has a wrong scale or range")
        gdn = InverseGDN(layer.convolution(workers=self._workers), scale, low, high, self._workers)
        return gdn, np.maximum(np.abs(low), np.abs(high)).astype(np.int64)

    def use_kernel(self, kernel: int = FASTEST) -> None:
        """For comparisons of one with another (`hyperprior/packing.py`)."""
        for layer in [*self._layers.values(), *(gdn.norm for gdn in self._gdns)]:
            layer.kernel = kernel

    def __call__(self, z3: Ints, features: Ints) -> Frame:
        """z3: (h, w, C). features: (h, w, n), h2 and, of four channels one, h1 -> (16 h, 16 w, 3)
        uint8."""
        y: Ints = z3.clip(self._low, self._high)
        for name, gdn in zip(UPS[:-1], self._gdns[:-1], strict=True):
            y = self._up(name, y)
            out = np.empty_like(y)
            gdn(y, out)
            y = out
        y, side = self._up(UPS[-1], y), features
        for name in SIDES:
            side = self._up(name, side)
        rows = len(y)
        pixels = np.empty((2 * rows, 2 * y.shape[1], 3), np.uint8)
        for top in range(0, rows, HALF_ROWS):
            self._band(y, side, (top, min(rows, top + HALF_ROWS)), pixels)
        return pixels

    def _up(self, name: str, x: Ints) -> Ints:
        """The row and the column at the end are padding."""
        out: Ints = self._layers[name](x, crop=(2 * x.shape[0], 2 * x.shape[1]))
        return out

    def _band(self, y: Ints, side: Ints, rows: tuple[int, int], pixels: Frame) -> None:
        """Pixels of some rows at half resolution."""
        first, last = max(0, rows[0] - HALO), min(len(y), rows[1] + HALO)
        trunk = np.empty((last - first, y.shape[1], self._half + side.shape[2]), np.int16)
        trunk[:, :, self._half :] = side[first:last]
        self._gdns[-1](y[first:last], trunk)
        x: Ints = trunk
        for name in BLOCKS:
            x = self._layers[name](x)
        x += trunk
        x = self._up(ENDS[0], x)
        for name in ENDS[1:]:
            x = self._layers[name](x)
        begin, end = (2 * (row - first) for row in rows)
        pixels[2 * rows[0] : 2 * rows[1]] = x[begin:end]
