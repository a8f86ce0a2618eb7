"""From a bundle back to the integer synthesis in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...quantize.post.c2f import EntropyPath
from ...quantize.post.c2f_synthesis import (
    BLOCKS,
    ENDS,
    SIDES,
    UPS,
    IntegerSynthesis,
)
from ...quantize.post.gdn import SQUARE_LARGEST, IntegerGDN
from ...quantize.post.grid import Grid, even_grid, joined
from ...quantize.post.layer import Affine, IntegerLayer
from ...runtime.bundle import Bundle
from ..hyperprior.restore import Arrays, grid_of


def restore_synthesis(bundle: Bundle, path: EntropyPath) -> IntegerSynthesis:
    """Of a bundle that opened as a codec, and so has arrays that fit together."""
    a = bundle.arrays
    layers: dict[str, IntegerLayer] = {}
    grid = grid_of(a["synthesis_z3_low"], a["synthesis_z3_high"])
    gdns = []
    for number, name in enumerate(UPS):
        layers[name] = _layer(a, name, grid)
        gdns.append(_gdn(a, f"gdn{number}"))
        grid = grid_of(gdns[-1].low.numpy(), gdns[-1].high.numpy())
    side = path.fine.features
    if path.coarse is not None:
        h1 = path.coarse.features
        side = joined([side, Grid(*(t.chunk(4)[0] for t in (h1.step, h1.low, h1.high)))])
    trunk = joined([grid, _chain(a, SIDES, side, layers)])
    branch = _chain(a, BLOCKS, trunk, layers)
    both = Grid(trunk.step, trunk.low + branch.low, trunk.high + branch.high)
    _chain(a, ENDS, both, layers)
    ends = (torch.from_numpy(a[f"synthesis_z3_{e}"].astype(np.float64)) for e in ("low", "high"))
    return IntegerSynthesis(layers, gdns, *ends)


def _chain(a: Arrays, names: tuple[str, ...], grid: Grid, layers: dict[str, IntegerLayer]) -> Grid:
    """Adds layers that follow one another; the range of what comes out."""
    for name in names:
        layers[name] = layer = _layer(a, name, grid)
        grid = grid_of(layer.low.numpy(), layer.high.numpy())
    return grid


def _layer(a: Arrays, name: str, source: Grid) -> IntegerLayer:
    taps = _double(a[f"synthesis_{name}_weight"]).permute(0, 3, 1, 2)
    outputs, inputs, size = taps.shape[:3]
    with torch.device("meta"):
        if name in UPS or name in SIDES or name == ENDS[0]:
            affine = Affine(nn.ConvTranspose2d(inputs, outputs, size, 2, 1))
        else:
            affine = Affine(nn.Conv2d(inputs, outputs, size, 1, size // 2))
    layer = IntegerLayer(affine, taps, _double(a[f"synthesis_{name}_bias"]), source)
    layer.requantise(torch.ones(outputs), 1.0, even_grid(outputs, 1.0, 0, 0))
    for part in ("scale", "negative", "low", "high"):
        layer.register_buffer(part, torch.from_numpy(np.array(a[f"synthesis_{name}_{part}"])))
    return layer


def _gdn(a: Arrays, name: str) -> IntegerGDN:
    squares = even_grid(a[f"synthesis_{name}_weight"].shape[3], 1.0, 0, SQUARE_LARGEST)
    parts = (torch.from_numpy(np.array(a[f"synthesis_{name}_out_{p}"])) for p in _OUT)
    return IntegerGDN(_layer(a, name, squares), *parts)


_OUT = ("scale", "low", "high")


def _double(array: NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(array.astype(np.float64))
