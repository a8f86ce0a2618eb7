"""h_s of a bundle in C: two transposed convolutions of stride 2 and a plain one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleGraphError
from ..bundle import Bundle
from ..graphtensors import graph_constants
from ..slices import Workers
from .bundle import FLAVOUR
from .convolution import Convolution
from .layers import integer_convolution, largest_outputs
from .packing import FASTEST, Ints

_UP: Final = {"transposed": True, "stride": 2, "padding": 2, "output_padding": 1}
LAYERS: Final[dict[str, tuple[dict[str, Any], int]]] = {
    "h_s.0": (_UP, 2),
    "h_s.1": (_UP, 2),
    "h_s.2": ({"padding": 1}, 1),
}
"""Their geometry, and by how much each scales up."""


class HyperSynthesis:
    """Nothing in it changes but the kernel; for use by many threads."""

    def __init__(self, bundle: Bundle, workers: Workers) -> None:
        """Raises BundleGraphError where the graph's constants are not those of an h_s."""
        constants = graph_constants(bundle.graphs["h_s", FLAVOUR], "h_s")
        low, high = (bundle.arrays[name].astype(np.int64) for name in ("z_low", "z_high"))
        magnitude = np.append(np.maximum(abs(low), abs(high)), 1)  # the plane of ones
        self._layers: list[Convolution] = []
        for name, (geometry, scale) in LAYERS.items():
            layer = integer_convolution(constants, name, magnitude, workers=workers, **geometry)
            if layer.output_shape(4, 4)[:2] != (4 * scale, 4 * scale):
                raise BundleGraphError(
                    f"layer {name} of the bundle has another kernel than ours; get the bundle again"
                    " from its maker"
                )
            self._layers.append(layer)
            magnitude = largest_outputs(constants, name)
        if layer.outputs != 2 * bundle.latents:
            raise BundleGraphError(
                f"graph h_s of the bundle has {layer.outputs} outputs for {bundle.latents} latents;"
                " get the bundle again from its maker"
            )

    def use_kernel(self, kernel: int = FASTEST) -> None:
        for layer in self._layers:
            layer.kernel = kernel

    def __call__(self, z: Ints, rows: int, columns: int) -> NDArray[Any]:
        """z: (hz, wz, N) -> (rows, columns, 2 M) whole numbers, at most 4 hz rows, 4 wz
        columns."""
        x: NDArray[Any] = np.concatenate([z, np.ones((*z.shape[:2], 1), np.int16)], 2)
        # Of each layer only what the next one sees.
        seen = (
            (rows // 2 + 2, columns // 2 + 2),
            (rows + 1, columns + 1),
            (rows, columns),
        )
        for layer, size in zip(self._layers, seen, strict=True):
            x = layer(x, crop=size)
        return x
