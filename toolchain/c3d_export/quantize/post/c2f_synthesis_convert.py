"""From a float synthesis of a coarse-to-fine network to its integer form, by a few frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.c2f.gdn import GDN
from ...models.c2f.network import CoarseToFine
from ...models.c2f.transforms import SLOPE
from ...models.layers import depth_to_space
from .c2f import EntropyPath
from .c2f_synthesis import (
    BLOCKS,
    ENDS,
    SIDES,
    TRUNK_LARGEST,
    UPS,
    IntegerSynthesis,
    even_up,
)
from .convert import IN_INT16, MARGIN, input_grid, integer_layer
from .gdn import LIMITS, IntegerGDN, convert_gdn, fine_grid, observe_widely
from .grid import Grid, Statistics, even_grid, joined
from .layer import Affine

SIDE_SLOPES: Final = (1.0, SLOPE, SLOPE)
ROWS: Final = 24
COLUMNS: Final = 40
"""Positions of z3, from the middle of each frame, that the calibration looks at: what lies at half
resolution takes gigabytes otherwise."""


Values = dict[str, Tensor]
"""What each layer gives, by the names of `c2f_synthesis.py`, and what enters: z3 and features."""


@torch.no_grad()
def convert_synthesis(
    network: CoarseToFine, path: EntropyPath, frames: Sequence[Tensor]
) -> IntegerSynthesis:
    """frames: (1, 3, H, W) in -1..1, sides multiples of 64, for the calibration."""
    return _Converter(network, path, [_values(network, path, x) for x in frames]).synthesis()


def _values(network: CoarseToFine, path: EntropyPath, x: Tensor) -> Values:
    """Of the middle of a frame, in float."""
    z, units = network.analyse(x), path.fine.features
    entering = units.values(path.fine.h_s(path.fine.clipped(z.z2))).float()
    if path.coarse is not None and z.z1 is not None:
        h1 = path.coarse.h_s(path.coarse.clipped(z.z1))
        moved = depth_to_space(path.coarse.features.values(h1).float(), 2)
        entering = torch.cat([entering, moved], 1)
    y, side = _middle(z.z3), _middle(entering)
    made = {"z3": y, "features": side}
    for number, name in enumerate(UPS):
        made[name] = network.g_s[2 * number](y)
        y = made[f"gdn{number}"] = network.g_s[2 * number + 1](made[name])
    recon = network.reconstruction
    for name, layer, slope in zip(
        SIDES, (recon.up1, recon.up2, recon.up3), SIDE_SLOPES, strict=True
    ):
        side = made[name] = F.leaky_relu(layer(side), slope)
    made["trunk"] = x = torch.cat([y, side], 1)
    for name in BLOCKS:
        x = made[name] = F.leaky_relu(getattr(recon, name)(x), SLOPE)
    made["up4"] = recon.up4(x + made["trunk"])
    made["tail"] = F.leaky_relu(recon.tail(made["up4"]), SLOPE)
    return made


def _middle(t: Tensor) -> Tensor:
    """(1, C, h, w) -> at most ROWS x COLUMNS of it."""
    rows, columns = min(t.shape[2], ROWS), min(t.shape[3], COLUMNS)
    top, left = (t.shape[2] - rows) // 2, (t.shape[3] - columns) // 2
    return t[:, :, top : top + rows, left : left + columns]


class _Converter:
    def __init__(self, network: CoarseToFine, path: EntropyPath, seen: Sequence[Values]) -> None:
        self.network, self.path, self.seen = network, path, seen
        recon = network.reconstruction
        ups = [network.g_s[0], network.g_s[2], network.g_s[4], recon.up1, recon.up2, recon.up3]
        slopes = (1.0, 1.0, 1.0, *SIDE_SLOPES)
        self.affines = {
            name: Affine(even_up(layer), slope)
            for name, layer, slope in zip((*UPS, *SIDES), ups, slopes, strict=True)
            if isinstance(layer, nn.ConvTranspose2d)
        }
        self.affines |= {name: Affine(getattr(recon, name), SLOPE) for name in (*BLOCKS, "tail")}
        self.affines["up4"] = Affine(even_up(recon.up4))
        self.affines["pixels"] = Affine(_positive(recon.pixels))

    def observe(self, *names: str) -> Statistics:
        return observe_widely(values[name] for values in self.seen for name in names)

    def before(self, name: str, made: str) -> Grid:
        """The best units for what `made` gives to the layer `name`."""
        return input_grid(self.affines[name], self.observe(made), LIMITS)

    def synthesis(self) -> IntegerSynthesis:
        z3, trunk = self._latents(), self._trunk()
        half = self.network.spec.g_s[2]
        y, side = (_channels(trunk, part) for part in (slice(half), slice(half, None)))
        squared = {name: fine_grid(self.observe(name), LIMITS.activation) for name in UPS}
        after = [self.before("up1", "gdn0"), self.before("up2", "gdn1"), y]
        chains = [
            (UPS[0], z3, squared["up0"]),
            (UPS[1], after[0], squared["up1"]),
            (UPS[2], after[1], squared["up2"]),
            *_steps(SIDES, [self._features(), *self._inputs(SIDES), side]),
            *_steps(BLOCKS, [trunk, *self._inputs(BLOCKS), trunk]),
            *_steps(ENDS, [_twice(trunk), *self._inputs(ENDS), even_grid(3, 1 / 127.5, 0, 255)]),
        ]
        layers = {
            name: integer_layer(
                self.affines[name], source, target, IN_INT16 if name == SIDES[0] else LIMITS
            )
            for name, source, target in chains
        }
        gdns = [self._gdn(n, squared[name], after[n]) for n, name in enumerate(UPS)]
        return IntegerSynthesis(layers, gdns, z3.low, z3.high)

    def _inputs(self, names: Sequence[str]) -> list[Grid]:
        """Units between the layers of a chain."""
        return [self.before(name, made) for made, name in pairwise(names)]

    def _latents(self) -> Grid:
        seen, most = self.observe("z3"), float(LIMITS.activation)
        low, high = ((MARGIN * edge).round().clamp(-most, most) for edge in (seen.low, seen.high))
        return Grid(torch.ones_like(low), low.clamp(max=0) - 1, high.clamp(min=0) + 1)

    def _features(self) -> Grid:
        """h2, and h1 of which four channels become one."""
        fine, coarse = self.path.fine.features, self.path.coarse
        if coarse is None:
            return fine
        units = coarse.features
        return joined([fine, _channels(units, slice(len(units.step) // 4))])

    def _trunk(self) -> Grid:
        """The same units for both that the residual block adds."""
        return fine_grid(self.observe("trunk", BLOCKS[-1]), TRUNK_LARGEST)

    def _gdn(self, number: int, source: Grid, target: Grid) -> IntegerGDN:
        gdn = self.network.g_s[2 * number + 1]
        assert isinstance(gdn, GDN)
        return convert_gdn(gdn, [v[UPS[number]] for v in self.seen], source, target)


def _steps(names: Sequence[str], grids: Sequence[Grid]) -> list[tuple[str, Grid, Grid]]:
    """Layers with the units before and behind each."""
    return [(name, *pair) for name, pair in zip(names, pairwise(grids), strict=True)]


def _channels(grid: Grid, part: slice) -> Grid:
    return Grid(grid.step[part], grid.low[part], grid.high[part])


def _twice(grid: Grid) -> Grid:
    """Of the sum of two numbers in these units."""
    return Grid(grid.step, 2 * grid.low, 2 * grid.high)


def _positive(pixels: nn.Conv2d) -> nn.Conv2d:
    """The last layer, with 0..2 for black to white."""
    made = nn.Conv2d(pixels.in_channels, 3, 1)
    assert made.bias is not None
    assert pixels.bias is not None
    made.weight.copy_(pixels.weight)
    made.bias.copy_(pixels.bias + 1)
    return made
