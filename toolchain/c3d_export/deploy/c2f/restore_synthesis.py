"""From a bundle back to the integer synthesis in PyTorch."""

from __future__ import annotations

import numpy as np
import torch

from ...quantize.post.c2f import EntropyPath
from ...quantize.post.c2f_synthesis import BLOCKS, ENDS, SIDES, UPS, IntegerSynthesis
from ...quantize.post.grid import Grid, joined
from ...quantize.post.layer import IntegerLayer
from ...runtime.bundle import Bundle
from ..arraylayers import made_by, restore_gdn, restore_layer
from ..hyperprior.restore import Arrays, grid_of

_UP = (1, 0)


def restore_synthesis(bundle: Bundle, path: EntropyPath) -> IntegerSynthesis:
    """Of a bundle that opened as a codec, and so has arrays that fit together."""
    a = bundle.arrays
    layers: dict[str, IntegerLayer] = {}
    grid = grid_of(a["synthesis_z3_low"], a["synthesis_z3_high"])
    gdns = []
    for number, name in enumerate(UPS):
        layers[name] = restore_layer(a, name, grid, up=_UP)
        gdns.append(restore_gdn(a, f"gdn{number}"))
        grid = made_by(gdns[-1])
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
        up = _UP if name in SIDES or name == ENDS[0] else None
        layers[name] = restore_layer(a, name, grid, up=up)
        grid = made_by(layers[name])
    return grid
