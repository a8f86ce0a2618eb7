"""Integer layers of a bundle's graph as convolutions in C: the graph has their one set of weights.

A layer `name` of `deploy/hyperprior/graphs.py` is either one sum (`name.weight`, `name.bias`) or
two, `radix * upper + lower` (`name.upper.weight`, ..., `name.radix`), of which each stays below
2^24 and is exact in float32. Their whole is one sum of int16 times int16 in int32; as float32 it is
rounded once, as the graph's last addition rounds. So both compute the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleGraphError
from ..graphtensors import Constants
from ..slices import Workers
from .convolution import Convolution
from .packing import NARROW

LARGEST_SUM: Final = 1 << 31
"""No partial sum may reach it."""
LARGEST_RADIX: Final = 256
_PARTS: Final = ("scale", "negative", "low", "high")
_AXES: Final = {False: (0, 2, 3, 1), True: (1, 2, 3, 0)}
"""From ONNX's weights to (O, kh, kw, I); those of transposed convolutions begin with the inputs."""


@dataclass(frozen=True)
class StoredLayer:
    """taps: (O, kh, kw, I) int16. bias: (O,) int32. scaling: scale, negative, low, high, each (O,)
    float32. inputs: (I,) the largest |input| of each channel."""

    name: str
    taps: NDArray[np.int16]
    bias: NDArray[np.int32]
    scaling: list[NDArray[np.float32]]
    inputs: NDArray[np.int64]

    @property
    def outputs(self) -> NDArray[np.int64]:
        """(O,) magnitudes of what comes out, for the layer behind it."""
        return np.maximum(*(np.abs(end) for end in self.scaling[2:])).astype(np.int64)

    def convolution(
        self, taps: NDArray[np.int16] | None = None, repeats: int = 1, **geometry: Any
    ) -> Convolution:
        """geometry: as Convolution has it. taps: another kernel than the layer's own, over so many
        repeats of its input channels. Raises BundleGraphError where sums may pass int32."""
        inputs = np.tile(self.inputs, repeats)
        try:
            weight = self.taps if taps is None else np.ascontiguousarray(taps)
            layer = Convolution(weight, self.bias, *self.scaling, magnitude=inputs, **geometry)
        except ValueError as error:
            raise _foreign(self.name, error) from error
        if layer.largest_total(inputs) >= LARGEST_SUM:
            raise BundleGraphError(
                f"layer {self.name} of the bundle may pass 32 bits; export it again from the float"
                " network"
            )
        return layer


def stored_layer(
    constants: Constants, name: str, inputs: NDArray[Any], *, transposed: bool = False
) -> StoredLayer:
    """The layer of this name. inputs: (I,), the largest |input| of each channel, whole numbers.

    Raises BundleGraphError for constants that are missing, of another type, shape or range.
    """
    try:
        weight, bias = (_whole(constants, name, part) for part in ("weight", "bias"))
        scaling = [_floats(constants, f"{name}.{part}", len(bias)) for part in _PARTS]
        taps = np.ascontiguousarray(weight.transpose(_AXES[transposed]), np.int16)
        if taps.shape[3] != len(inputs) or taps.shape[0] != len(bias):
            raise ValueError(f"{taps.shape[3]} inputs where {len(inputs)} come in")
        _check_ranges(scaling)
    except (KeyError, ValueError) as error:
        raise _foreign(name, error) from error
    return StoredLayer(name, taps, bias.astype(np.int32), scaling, inputs.astype(np.int64))


def _foreign(name: str, error: Exception) -> BundleGraphError:
    return BundleGraphError(
        f"layer {name} of the bundle is none of ours ({error}); get the bundle again from its maker"
    )


def integer_convolution(
    constants: Constants,
    name: str,
    magnitude: NDArray[Any],
    *,
    transposed: bool = False,
    workers: Workers | None = None,
    **geometry: Any,
) -> Convolution:
    """A layer and its convolution at once; raises as both do."""
    layer = stored_layer(constants, name, magnitude, transposed=transposed)
    return layer.convolution(transposed=transposed, workers=workers, **geometry)


def largest_outputs(constants: Constants, name: str) -> NDArray[np.int64]:
    """(O,) magnitudes of what a layer gives, for the layer behind it; of a checked layer."""
    ends = [np.abs(constants[f"{name}.{part}"].reshape(-1)) for part in ("low", "high")]
    return np.maximum(*ends).astype(np.int64)


def _whole(constants: Constants, name: str, part: str) -> NDArray[np.int64]:
    """Weights (4 axes) or biases (1 axis) of a layer, its parts put together."""
    kind: tuple[type[Any], ...] = (np.int16, np.int8) if part == "weight" else (np.float32,)
    axes, limit = (4, -NARROW.min) if part == "weight" else (1, 1 << 31)
    if f"{name}.radix" not in constants:
        return _typed(constants, f"{name}.{part}", kind, axes, limit)
    radix = _typed(constants, f"{name}.radix", (np.float32,), 0, LARGEST_RADIX)
    upper, lower = (
        _typed(constants, f"{name}.{end}.{part}", kind, axes, limit) for end in ("upper", "lower")
    )
    if upper.shape != lower.shape:
        raise ValueError(f"the two halves of {part} have different shapes")
    whole = upper * radix + lower
    if whole.size and not -limit <= whole.min() <= whole.max() < limit:
        raise ValueError(f"{part} beyond {limit - 1}")
    return whole


def _typed(
    constants: Constants, name: str, kinds: tuple[type[Any], ...], axes: int, limit: int
) -> NDArray[np.int64]:
    """Whole numbers from -limit to limit; anything else is a ValueError."""
    array = constants[name]
    if array.dtype not in kinds or array.ndim != axes:
        raise ValueError(f"{name} is {array.dtype} with {array.ndim} axes")
    if not (np.abs(array.astype(np.float64)) <= limit).all() or (array != np.rint(array)).any():
        raise ValueError(f"{name} has no whole numbers up to {limit}")
    return array.astype(np.int64)


def _floats(constants: Constants, name: str, outputs: int) -> NDArray[np.float32]:
    """One number for each output, of shape (1, O, 1, 1) in the graph."""
    array = constants[name]
    if array.dtype != np.float32 or array.shape != (1, outputs, 1, 1):
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} is no finite number")
    return np.asarray(array.reshape(-1))


def _check_ranges(scaling: list[NDArray[np.float32]]) -> None:
    _, _, low, high = scaling
    whole = np.array_equal(low, np.rint(low)) and np.array_equal(high, np.rint(high))
    if not (whole and (low >= -65535).all() and (low <= high).all() and (high <= 65535).all()):
        raise ValueError("a range of outputs is wrong")
