"""Integer layers that a bundle has as arrays, back in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..quantize.post.gdn import SQUARE_LARGEST, IntegerGDN
from ..quantize.post.grid import Grid, even_grid
from ..quantize.post.layer import Affine, IntegerLayer
from ..runtime.hyperprior.arraylayers import OUT_PARTS, PREFIX, Arrays
from .hyperprior.restore import grid_of


def restore_layer(
    arrays: Arrays, name: str, source: Grid, *, up: tuple[int, int] | None = None
) -> IntegerLayer:
    """source: range of its inputs. up: padding and output padding of an up-sampling layer, None for
    plain convolutions, which keep the size."""
    taps = _double(arrays[f"{PREFIX}_{name}_weight"]).permute(0, 3, 1, 2)
    outputs, inputs, size = taps.shape[:3]
    with torch.device("meta"):
        if up is not None:
            affine = Affine(nn.ConvTranspose2d(inputs, outputs, size, 2, *up))
        else:
            affine = Affine(nn.Conv2d(inputs, outputs, size, 1, size // 2))
    layer = IntegerLayer(affine, taps, _double(arrays[f"{PREFIX}_{name}_bias"]), source)
    layer.requantise(torch.ones(outputs), 1.0, even_grid(outputs, 1.0, 0, 0))
    for part in ("scale", "negative", "low", "high"):
        layer.register_buffer(part, torch.from_numpy(np.array(arrays[f"{PREFIX}_{name}_{part}"])))
    return layer


def made_by(layer: IntegerLayer | IntegerGDN) -> Grid:
    """Range of what comes out."""
    return grid_of(layer.low.numpy(), layer.high.numpy())


def restore_gdn(arrays: Arrays, name: str) -> IntegerGDN:
    squares = even_grid(arrays[f"{PREFIX}_{name}_weight"].shape[3], 1.0, 0, SQUARE_LARGEST)
    parts = (torch.from_numpy(np.array(arrays[f"{PREFIX}_{name}_{part}"])) for part in OUT_PARTS)
    return IntegerGDN(restore_layer(arrays, name, squares), *parts)


def _double(array: NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(array.astype(np.float64))
