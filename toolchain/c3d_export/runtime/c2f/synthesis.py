"""Synthesis of a bundle in integers, in C: pixels that are exact on every host.

`quantize/post/c2f_synthesis.py` says what is computed; its layers are arrays of the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleMemberError
from ..hyperprior.arraylayers import ArrayLayers, Magnitudes, forms
from ..hyperprior.convolution import Convolution
from ..hyperprior.packing import FASTEST
from ..images import Frame
from ..slices import Workers
from .prior import Ints

UPS: Final = ("up0", "up1", "up2")
SIDES: Final = ("side0", "side1", "side2")
BLOCKS: Final = ("block1", "block2", "block3")
ENDS: Final = ("up4", "tail", "pixels")
GDNS: Final = ("gdn0", "gdn1", "gdn2")
_UP: Final = {"transposed": True, "stride": 2, "padding": 1}
_GEOMETRY: Final[dict[str, dict[str, Any]]] = {
    **dict.fromkeys((*UPS, *SIDES, "up4"), _UP),
    **{name: {"padding": 1} for name in (*BLOCKS, "tail")},
}
_KERNELS: Final = {**dict.fromkeys((*UPS, *SIDES, "up4"), 5), **dict.fromkeys((*BLOCKS, "tail"), 3)}
HALF_ROWS: Final = 96
"""Rows at half resolution that the last layers work on at once: what they hold stays in caches."""
HALO: Final = 5

Arrays = Mapping[str, NDArray[Any]]


def synthesis_forms() -> dict[str, tuple[str, int]]:
    """The arrays that a bundle with this synthesis has: element type and rank."""
    ends = {f"synthesis_z3_{end}": ("<i2", 1) for end in ("low", "high")}
    return forms((*UPS, *SIDES, *BLOCKS, *ENDS), GDNS) | ends


class IntegerSynthesis:
    """Nothing in it changes but the kernel; for use by many threads."""

    def __init__(self, arrays: Arrays, features: NDArray[Any], workers: Workers) -> None:
        """features: (n,) the largest |h2| and, of four channels that become one, |h1|. Raises
        BundleMemberError or BundleGraphError for arrays that do not fit together."""
        self._layers: dict[str, Convolution] = {}
        self._gdns, self._made = [], ArrayLayers(arrays, workers)
        self._low, self._high = (arrays[f"synthesis_z3_{end}"] for end in ("low", "high"))
        inputs = np.maximum(-self._low.astype(np.int64), self._high)
        try:
            for up, name in zip(UPS, GDNS, strict=True):
                gdn, inputs = self._made.gdn(name, self._add(up, inputs))
                self._gdns.append(gdn)
            for name in SIDES:
                features = self._add(name, features)
            self._half, trunk = len(inputs), np.concatenate([inputs, features])
            inputs = trunk
            for name in BLOCKS:
                inputs = self._add(name, inputs)
            if len(inputs) != len(trunk):
                raise ValueError("the residual block makes another number of channels")
            inputs = inputs + trunk
            for name in ENDS:
                inputs = self._add(name, inputs)
        except ValueError as error:
            raise BundleMemberError(f"the bundle's synthesis does not fit: {error}") from error
        low = arrays["synthesis_pixels_low"]
        if len(inputs) != 3 or low.min() < 0 or inputs.max() > 255:
            raise BundleMemberError("the bundle's synthesis gives no pixels")

    def _add(self, name: str, inputs: Magnitudes) -> Magnitudes:
        size, geometry = _KERNELS.get(name, 1), _GEOMETRY.get(name, {})
        self._layers[name], outputs = self._made.convolution(name, inputs, size, **geometry)
        return outputs

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
