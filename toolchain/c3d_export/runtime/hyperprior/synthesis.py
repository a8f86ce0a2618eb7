"""g_s of a bundle in integers, in C: pixels that are exact on every host.

Up-sampling layers with inverse GDN between; the last one as a 3x3 convolution that makes the four
pixels of a position at half resolution (`quantize/post/mbt_synthesis.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleMemberError
from ..images import Frame
from ..slices import Workers
from .arraylayers import ArrayLayers, forms
from .packing import FASTEST, Ints

UPS: Final = ("up0", "up1", "up2")
GDNS: Final = ("gdn0", "gdn1", "gdn2")
LAST: Final = "pixels"
_UP: Final = {"transposed": True, "stride": 2, "padding": 2, "output_padding": 1}
PIXELS: Final = 12
"""Three colours of the four pixels of a position."""
LATENT_LARGEST: Final = 32767
HALF_ROWS: Final = 16
"""Rows at half resolution that the last layers work on at once; even."""


def synthesis_forms() -> dict[str, tuple[str, int]]:
    """The arrays that a bundle with this synthesis has: element type and rank."""
    return forms((*UPS, LAST), GDNS)


class IntegerSynthesis:
    """Nothing in it changes but the kernel; for use by many threads."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], latents: int, workers: Workers) -> None:
        """latents: channels of y_hat. Raises BundleMemberError or BundleGraphError for arrays that
        do not fit together."""
        layers, inputs = ArrayLayers(arrays, workers), np.full(latents, LATENT_LARGEST, np.int64)
        self._ups, self._gdns = [], []
        try:
            for up, gdn in zip(UPS, GDNS, strict=True):
                convolution, inputs = layers.convolution(up, inputs, 5, **_UP)
                normalisation, inputs = layers.gdn(gdn, inputs)
                self._ups.append(convolution)
                self._gdns.append(normalisation)
            self._pixels, inputs = layers.convolution(LAST, inputs, 3, padding=1)
        except ValueError as error:
            raise BundleMemberError(f"the bundle's synthesis does not fit: {error}") from error
        low = arrays[f"synthesis_{LAST}_low"]
        if len(inputs) != PIXELS or low.min() < 0 or inputs.max() > 255:
            raise BundleMemberError("the bundle's synthesis gives no pixels")

    def use_kernel(self, kernel: int = FASTEST) -> None:
        """For comparisons of one with another (`packing.py`)."""
        for layer in [*self._ups, *(gdn.norm for gdn in self._gdns), self._pixels]:
            layer.kernel = kernel

    def __call__(self, y_hat: Ints) -> Frame:
        """y_hat: (h, w, M) in 1/2^fraction -> (16 h, 16 w, 3) uint8."""
        x = y_hat
        for up, gdn in zip(self._ups[:-1], self._gdns[:-1], strict=True):
            x = up(x)
            out = np.empty_like(x)
            gdn(x, out)
            x = out
        return self._half(x)

    def _half(self, x: Ints) -> Frame:
        """The last up-sampling, its GDN and the pixels, some rows at a time: all of half resolution
        would be hundreds of megabytes that go through no cache."""
        up, gdn = self._ups[-1], self._gdns[-1]
        rows, columns, channels = up.output_shape(x.shape[0], x.shape[1])
        pixels = np.empty((rows, 2, columns, 2, 3), np.uint8)
        kept = np.empty((HALF_ROWS + 2, columns, channels), np.int16)
        before = 0  # rows that stay from the step before, since pixels see them, too
        for begin in range(0, rows, HALF_ROWS):
            end = min(rows, begin + HALF_ROWS)
            window = kept[: before + end - begin]
            gdn(up(x, rows=(begin, end)), window[before:])
            made = self._pixels(window).reshape(len(window), columns, 2, 2, 3)
            # The outermost rows have seen no neighbours, unless there are none.
            first, last = before // 2, len(window) - (end < rows)
            top = begin - before
            pixels[top + first : top + last] = made[first:last].transpose(0, 2, 1, 3, 4)
            kept[:2], before = window[-2:], 2
        return pixels.reshape(2 * rows, 2 * columns, 3)
