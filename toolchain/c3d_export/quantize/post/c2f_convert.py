"""From a float coarse-to-fine network to its integer entropy path, by a few frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from ...models.c2f.network import CoarseToFine, Latents
from ...models.c2f.predictor import (
    PLACES,
    PlainPredictor,
    Predictor,
    first_maps,
    second_maps,
    third_maps,
)
from ...models.c2f.transforms import SLOPE, HyperSynthesis
from ...models.entropy import TABLES
from ...models.layers import depth_to_space
from .c2f import (
    LATENT_LARGEST,
    MEAN_LARGEST,
    EntropyPath,
    IntegerLevel,
    IntegerPredictor,
    table_of_log_scale,
)
from .convert import IN_FLOAT32, MARGIN, convert, input_grid, integer_layer
from .grid import Grid, even_grid, joined, observe
from .layer import Affine, IntegerLayer, affines_of

LIMITS: Final = IN_FLOAT32
MOST_FRACTION: Final = 6
"""Bits behind the point that a mean has at most."""
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
        coarse = _level(network.h_s1, network.predictor2, top, fraction)
    return EntropyPath(fine, coarse, fraction, network.top().scale.detach().reshape(-1))


def _fraction(known: Sequence[Latents]) -> int:
    """The most bits behind the point for which means keep MEAN_LARGEST."""
    largest = max(float(z.abs().max()) for latents in known for z in (latents.z3, latents.z2))
    bits = MOST_FRACTION
    while bits > 1 and HEADROOM * largest * (1 << bits) > MEAN_LARGEST:
        bits -= 1
    return bits


def _range(zs: Sequence[Tensor]) -> Grid:
    """Whole latents, over MARGIN times what was seen and one more."""
    seen, most = observe(zs), float(LATENT_LARGEST)
    low, high = ((MARGIN * edge).round() for edge in (seen.low, seen.high))
    step = torch.ones_like(low)
    return Grid(step, (low - 1).clamp(-most, -1), (high + 1).clamp(1, most))


def _level(
    h_s: HyperSynthesis, predictor: Predictor, zs: Sequence[Tensor], fraction: int
) -> IntegerLevel:
    layers = list(h_s)
    chain, after = affines_of(nn.Sequential(*layers[:-2])), Affine(layers[-1])
    shuffled = []
    for z in zs:
        for affine in chain:
            z = affine(z)
        shuffled.append(depth_to_space(z, 2))
    middle = input_grid(after, observe(shuffled), LIMITS)
    # The four positions that one becomes are channels of their own before the shuffle.
    before = convert(chain, zs, _range(zs), joined([middle] * 4))
    hs = [after(x) for x in shuffled]
    features = input_grid(Affine(predictor.conv1), observe(hs), LIMITS)
    last = integer_layer(after, middle, features, LIMITS)
    return IntegerLevel(before, last, features, _predictor(predictor, hs, features, fraction))


def _predictor(
    source: Predictor, hs: Sequence[Tensor], features: Grid, fraction: int
) -> IntegerPredictor:
    plain = source.plain()
    one, two, three = (
        {p: stage[f"{p[0]}{p[1]}"] for p in PLACES}
        for stage in (plain.conv1, plain.conv2, plain.conv3)
    )
    first = [first_maps(h, one) for h in hs]
    sizes = [(h.shape[2], h.shape[3]) for h in hs]
    second = [second_maps(maps, two, size) for maps, size in zip(first, sizes, strict=True)]
    third = [third_maps(maps, three) for maps in second]
    # All kinds of a layer's outputs meet as the same channels of the next one: one unit for them.
    conv1, conv2, conv3 = (Affine(c, SLOPE) for c in (source.conv1, source.conv2, source.conv3))
    of_first, of_second = (
        input_grid(layer, observe(m for x in maps for m in x.values()), LIMITS)
        for layer, maps in ((conv2, first), (conv3, second))
    )
    of_third = _head_grid(plain, third)
    return IntegerPredictor(
        integer_layer(conv1, features, of_first, LIMITS),
        integer_layer(conv2, of_first, of_second, LIMITS),
        integer_layer(conv3, of_second, _shared(of_third), LIMITS),
        _index_layer(plain, of_third),
        integer_layer(Affine(plain.mean), of_third, _means(plain, fraction), LIMITS),
    )


def _head_grid(plain: PlainPredictor, third: Sequence[Tensor]) -> Grid:
    """Units of the inputs (place, channel) of both heads; a channel has the same in all places."""
    heads = nn.Conv2d(plain.mean.in_channels, 1, 1)
    heads.weight, heads.bias = _both(plain), None
    grid = input_grid(Affine(heads), observe(third), LIMITS)
    places = (t.reshape(len(PLACES), -1) for t in (grid.step, grid.low, grid.high))
    step, low, high = places
    middle = step.log().mean(0).exp()
    ends = (low * step / middle).floor().amin(0), (high * step / middle).ceil().amax(0)
    most = float(LIMITS.activation)
    return joined([Grid(middle, *(end.clamp(-most, most) for end in ends))] * len(PLACES))


def _shared(grid: Grid) -> Grid:
    """The units of a channel of `_head_grid`."""
    return Grid(*(t[: len(t) // len(PLACES)] for t in (grid.step, grid.low, grid.high)))


def _both(plain: PlainPredictor) -> nn.Parameter:
    """The weights of mean and scale in the units of their outputs, which share their inputs."""
    step = table_of_log_scale()[1]
    weights = [plain.log_scale.weight / step, plain.mean.weight * 2**MOST_FRACTION]
    return nn.Parameter(torch.cat(weights), requires_grad=False)


def _means(plain: PlainPredictor, fraction: int) -> Grid:
    return even_grid(plain.mean.out_channels, 2.0**-fraction, -MEAN_LARGEST, MEAN_LARGEST)


def _index_layer(plain: PlainPredictor, source: Grid) -> IntegerLayer:
    """log-scale to the nearest table; the first and the last stand for what is beyond."""
    first, step = table_of_log_scale()
    old = plain.log_scale
    layer = nn.Conv2d(old.in_channels, old.out_channels, 1)
    assert layer.bias is not None
    assert old.bias is not None
    layer.weight.copy_(old.weight)
    layer.bias.copy_(old.bias - first)
    target = even_grid(old.out_channels, step, 0, TABLES - 1)
    return integer_layer(Affine(layer), source, target, LIMITS)
