"""From a float coarse-to-fine network to its integer entropy path, by a few frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from ...models.c2f.network import CoarseToFine, Latents
from ...models.c2f.predictor import Predictor, head_kernel, joined, maps_of, next_maps
from ...models.c2f.transforms import SLOPE, HyperSynthesis
from ...models.entropy import TABLES
from ...models.layers import depth_to_space
from ...runtime.c2f.bundle import MOST_FRACTION
from ...runtime.c2f.patches import PLACES, STAGES
from .c2f import (
    LATENT_LARGEST,
    MEAN_LARGEST,
    EntropyPath,
    IntegerLevel,
    IntegerPredictor,
    table_of_log_scale,
)
from .convert import IN_FLOAT32, MARGIN, convert, input_grid, integer_layer
from .grid import Grid, even_grid, observe, shared_units
from .grid import joined as joined_grids
from .layer import Affine, affines_of

LIMITS: Final = IN_FLOAT32
HEADROOM: Final = 4.0
"""Means may be this many times larger than the latents of the calibration."""


@torch.no_grad()
def convert_entropy(network: CoarseToFine, frames: Sequence[Tensor]) -> EntropyPath:
    """frames: (1, 3, H, W) in -1..1, sides multiples of 64, for the calibration."""
    known = [network.analyse(x) for x in frames]
    fraction = _fraction(known)
    fine = _level(network.h_s2, network.predictor3, [z.z2 for z in known], fraction)
    coarse = None
    if network.h_s1 is not None and network.predictor2 is not None:
        top = [z.z1 for z in known if z.z1 is not None]
        # The reconstruction makes one channel of four of them.
        coarse = _level(network.h_s1, network.predictor2, top, fraction, groups=4)
    return EntropyPath(fine, coarse, fraction, network.top().scale.detach().reshape(-1))


def _fraction(known: Sequence[Latents]) -> int:
    """The most bits behind the point for which means keep MEAN_LARGEST."""
    largest = max(float(z.abs().max()) for latents in known for z in (latents.z3, latents.z2))
    bits = MOST_FRACTION
    while bits > 1 and HEADROOM * largest * (1 << bits) > MEAN_LARGEST:
        bits -= 1
    return bits


def _range(zs: Sequence[Tensor]) -> Grid:
    """Whole latents, over MARGIN times the largest magnitude that was seen, and one more."""
    seen = observe(zs)
    largest = (MARGIN * torch.maximum(seen.low.abs(), seen.high.abs())).round() + 1
    largest = largest.clamp_max(float(LATENT_LARGEST))
    return Grid(torch.ones_like(largest), -largest, largest)


def _level(
    h_s: HyperSynthesis,
    predictor: Predictor,
    zs: Sequence[Tensor],
    fraction: int,
    groups: int = 1,
) -> IntegerLevel:
    """groups: of h's channels, which get the same units."""
    layers = list(h_s)
    chain, (after,) = (affines_of(nn.Sequential(*part)) for part in (layers[:-2], layers[-1:]))
    shuffled = []
    for z in zs:
        for affine in chain:
            z = affine(z)
        shuffled.append(depth_to_space(z, 2))
    middle = input_grid(after, observe(shuffled), LIMITS)
    # The four positions that one becomes are channels of their own before the shuffle.
    before = convert(chain, zs, _range(zs), joined_grids([middle] * 4))
    hs = [after(x) for x in shuffled]
    features = input_grid(Affine(predictor.conv1), observe(hs), LIMITS)
    features = joined_grids([shared_units(features, groups)] * groups)
    last = integer_layer(after, middle, features, LIMITS)
    return IntegerLevel(before, last, features, _predictor(predictor, hs, features, fraction))


def _predictor(
    source: Predictor, hs: Sequence[Tensor], features: Grid, fraction: int
) -> IntegerPredictor:
    maps = [maps_of(h) for h in hs]
    units = [features]
    for stage in STAGES[:-1]:
        maps = [next_maps(m, stage, source.layer) for m in maps]
        # All kinds of a layer's outputs meet as the same channels of the next one: one unit.
        following = Affine(source.convolution(stage + 1), SLOPE)
        units.append(input_grid(following, observe(x for m in maps for x in m.values()), LIMITS))
    last = [joined(next_maps(m, STAGES[-1], source.layer)) for m in maps]
    mean, index = _head(source.mean), _head(source.log_scale)
    of_heads = _head_grid(mean, index, fraction, last)
    units.append(_shared(of_heads))
    convs = [
        integer_layer(Affine(source.convolution(s), SLOPE), units[s - 1], units[s], LIMITS)
        for s in STAGES
    ]
    first, step = table_of_log_scale()
    assert index.bias is not None
    # To the nearest table; the first and the last stand for what is beyond.
    index.bias -= first
    tables = even_grid(index.out_channels, step, 0, TABLES - 1)
    means = even_grid(mean.out_channels, 2.0**-fraction, -MEAN_LARGEST, MEAN_LARGEST)
    return IntegerPredictor(
        convs,
        integer_layer(Affine(index), of_heads, tables, LIMITS),
        integer_layer(Affine(mean), of_heads, means, LIMITS),
    )


def _head(linear: nn.Linear) -> nn.Conv2d:
    """A copy as a 1x1 convolution."""
    weight = head_kernel(linear.weight.detach())
    conv = nn.Conv2d(weight.shape[1], len(weight), 1)
    assert conv.bias is not None
    conv.weight.copy_(weight)
    conv.bias.copy_(linear.bias.detach())
    return conv


def _head_grid(mean: nn.Conv2d, index: nn.Conv2d, fraction: int, last: Sequence[Tensor]) -> Grid:
    """Units of the inputs (place, channel) of both heads; a channel has the same in all places."""
    both = nn.Conv2d(mean.in_channels, 1, 1, bias=False)
    step = table_of_log_scale()[1]
    weights = torch.cat([index.weight / step, mean.weight * 2**fraction])
    both.weight = nn.Parameter(weights, requires_grad=False)
    grid = input_grid(Affine(both), observe(last), LIMITS)
    return joined_grids([shared_units(grid, len(PLACES))] * len(PLACES))


def _shared(grid: Grid) -> Grid:
    """The units of a channel of `_head_grid`."""
    return Grid(*(t[: len(t) // len(PLACES)] for t in (grid.step, grid.low, grid.high)))
