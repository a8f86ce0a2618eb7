"""Integer layers that are arrays of a bundle, not constants of a graph: those of synthesis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..slices import Workers
from .convolution import Convolution
from .gdn import InverseGDN
from .layers import StoredLayer

PARTS: Final[dict[str, tuple[str, int]]] = {
    "weight": ("<i2", 4),
    "bias": ("<i4", 1),
    "scale": ("<f4", 1),
    "negative": ("<f4", 1),
    "low": ("<f4", 1),
    "high": ("<f4", 1),
}
OUT_PARTS: Final = ("out_scale", "out_low", "out_high")
"""Of a GDN, beside the layer that makes its norms."""
LARGEST: Final = 32767
PREFIX: Final = "synthesis"

Arrays = Mapping[str, NDArray[Any]]
Magnitudes = NDArray[np.int64]


def forms(layers: Iterable[str], gdns: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Element type and rank of all arrays of these layers."""
    names = [*layers, *gdns]
    found = {f"{PREFIX}_{name}_{part}": form for name in names for part, form in PARTS.items()}
    return found | {f"{PREFIX}_{gdn}_{part}": ("<f4", 1) for gdn in gdns for part in OUT_PARTS}


class ArrayLayers:
    """Makes convolutions and GDNs of arrays whose types and ranks are known, their shapes and
    values not. All raise ValueError for what does not fit, and BundleGraphError for sums that may
    pass 32 bits."""

    def __init__(self, arrays: Arrays, workers: Workers) -> None:
        self._arrays, self._workers = arrays, workers

    def convolution(
        self, name: str, inputs: Magnitudes, size: int, **geometry: Any
    ) -> tuple[Convolution, Magnitudes]:
        """The layer, and the largest |output| of each channel. inputs: those of what comes in.
        size: of the kernel. geometry: as Convolution has it."""
        layer = self._stored(name, inputs, size)
        if layer.outputs.max() > LARGEST:
            raise ValueError(f"layer {name} gives more than int16 holds")
        return layer.convolution(workers=self._workers, **geometry), layer.outputs

    def gdn(self, name: str, inputs: Magnitudes) -> tuple[InverseGDN, Magnitudes]:
        """As `convolution`."""
        layer = self._stored(name, np.full(len(inputs), LARGEST, np.int64), 1)
        scale, low, high = (self._arrays[f"{PREFIX}_{name}_{part}"] for part in OUT_PARTS)
        same = len(scale) == len(low) == len(high) == len(layer.bias) == len(inputs)
        if not (same and layer.scaling[2].min() >= 0 and layer.scaling[3].max() > LARGEST):
            raise ValueError(f"{name} has a wrong range")
        _check_range(name, low, high, LARGEST)
        if not (np.isfinite(scale).all() and scale.min() >= 0):
            raise ValueError(f"{name} has a wrong scale")
        norm = layer.convolution(workers=self._workers)
        made = InverseGDN(norm, scale, low, high, self._workers)
        return made, np.maximum(np.abs(low), np.abs(high)).astype(np.int64)

    def _stored(self, name: str, inputs: Magnitudes, size: int) -> StoredLayer:
        weight, bias, *scaling = (self._arrays[f"{PREFIX}_{name}_{part}"] for part in PARTS)
        if weight.shape != (len(bias), size, size, len(inputs)):
            raise ValueError(f"layer {name} has weights {weight.shape} for {len(inputs)} inputs")
        if any(len(part) != len(bias) for part in scaling):
            raise ValueError(f"layer {name} has scales of another length")
        if not all(np.isfinite(part).all() for part in scaling):
            raise ValueError(f"layer {name} has a scale that is no number")
        _check_range(name, scaling[2], scaling[3], 65535)
        return StoredLayer(name, weight, bias, scaling, inputs)


def _check_range(name: str, low: NDArray[Any], high: NDArray[Any], most: int) -> None:
    whole = np.array_equal(low, np.rint(low)) and np.array_equal(high, np.rint(high))
    if not (whole and (low <= high).all() and low.min() >= -most and high.max() <= most):
        raise ValueError(f"layer {name} has a wrong range")
