"""From a float mbt2018 or mbt2018-mean to its integer entropy path, by a few frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.mbt.network import JointAutoregressive, MeanScaleHyperprior
from ...runtime.hyperprior.waves import REACH
from .convert import IN_INT16, MARGIN, convert, input_grid, integer_layer
from .grid import Grid, even_grid, joined, observe
from .layer import Affine, affines_of
from .mbt import LATENT_LARGEST, SCALE_LARGEST, SCALE_ONE, EntropyPath

MOST_FRACTION: Final = 6
"""Bits behind the point that a latent and a mean have at most."""
HEADROOM: Final = 2.0
"""Latents may be this many times larger than those of the calibration."""


def _with_medians(network: MeanScaleHyperprior) -> list[Affine]:
    """h_s whose first layer has one more input, ones, by which the medians come in."""
    first, *rest = affines_of(network.h_s)
    old = first.layer
    assert isinstance(old, nn.ConvTranspose2d)
    weight = old.weight.detach()
    medians = network.entropy_bottleneck.medians()
    layer = nn.ConvTranspose2d(old.in_channels + 1, old.out_channels, 5, 2, 2, 1)
    added = (weight * medians[:, None, None, None]).sum(0, keepdim=True)
    with torch.no_grad():
        layer.weight.copy_(torch.cat([weight, added]))
        layer.bias.copy_(old.bias) if old.bias is not None and layer.bias is not None else None
    return [Affine(layer, first.slope), *rest]


def analyse(network: MeanScaleHyperprior, x: Tensor) -> tuple[Tensor, Tensor]:
    """x: (B, 3, H, W) 0..1, sides multiples of 16 -> y, and z as distances from the medians.

    y is repeated at its edges to a multiple of 4 before h_a, so that frames need no padding to
    multiples of 64, which would be coded.
    """
    y = network.g_a(x)
    padded = F.pad(y, (0, -y.shape[3] % 4, 0, -y.shape[2] % 4), mode="replicate")
    return y, network.h_a(padded) - network.entropy_bottleneck.medians()[:, None, None]


@torch.no_grad()
def convert_entropy(network: MeanScaleHyperprior, frames: Sequence[Tensor]) -> EntropyPath:
    """frames: (1, 3, H, W) 0..1, sides multiples of 16, for the calibration."""
    both = [analyse(network, x) for x in frames]
    ys, zs = [y for y, _ in both], [z.round() for _, z in both]
    m, n = network.spec.latents, network.spec.hyper
    seen = observe(zs)
    low, high = ((MARGIN * edge).round() for edge in (seen.low, seen.high))
    ones = torch.ones(1, dtype=torch.float64)
    z_range = Grid(
        torch.ones(n + 1, dtype=torch.float64),
        torch.cat([low.clamp(max=0) - 1, 0 * ones]),
        torch.cat([high.clamp(min=0) + 1, ones]),
    )
    inputs = [torch.cat([z, torch.ones_like(z[:, :1])], 1) for z in zs]
    fraction = _fraction(max(float(y.abs().max()) for y in ys))
    largest = LATENT_LARGEST
    target = joined(
        [
            even_grid(m, 1 / SCALE_ONE, 0, SCALE_LARGEST),
            even_grid(m, 2.0**-fraction, -largest, largest),
        ]
    )
    h_s = _with_medians(network)
    if not isinstance(network, JointAutoregressive):
        return EntropyPath(convert(h_s, inputs, z_range, target), z_range, fraction)
    params = [
        _run(h_s, x)[:, :, : y.shape[2], : y.shape[3]] for x, y in zip(inputs, ys, strict=True)
    ]
    return _with_context(network, params, ys, (h_s, inputs, z_range), fraction, target)


def _fraction(largest: float) -> int:
    """The most bits behind the point for which int16 holds HEADROOM times the largest latent."""
    bits = MOST_FRACTION
    while bits and HEADROOM * largest * (1 << bits) > LATENT_LARGEST:
        bits -= 1
    return bits


def _run(chain: Sequence[Affine], x: Tensor) -> Tensor:
    for affine in chain:
        x = affine(x)
    return x


def _with_context(
    network: JointAutoregressive,
    params: list[Tensor],
    ys: Sequence[Tensor],
    hyper: tuple[list[Affine], list[Tensor], Grid],
    fraction: int,
    target: Grid,
) -> EntropyPath:
    whole = [y.round() for y in ys]
    inputs = [
        torch.cat([p, network.context_prediction(y)], 1) for p, y in zip(params, whole, strict=True)
    ]
    chain = affines_of(network.entropy_parameters)
    joint = input_grid(chain[0], observe(inputs), IN_INT16)
    half = 2 * network.spec.latents
    first, second = (
        Grid(*(t[part] for t in (joint.step, joint.low, joint.high)))
        for part in (slice(half), slice(half, None))
    )
    seen = observe(whole)
    one = float(1 << fraction)
    low, high = ((HEADROOM * e * one).round() for e in (seen.low, seen.high))
    latents = Grid(
        torch.full_like(low, 1 / one),
        (low - 2 * one).clamp(-LATENT_LARGEST, 0),
        (high + 2 * one).clamp(0, LATENT_LARGEST),
    )
    context = integer_layer(_masked(network), latents, second, IN_INT16)
    h_s = convert(hyper[0], hyper[1], hyper[2], first)
    parameters = convert(chain, inputs, joint, target, IN_INT16)
    return EntropyPath(h_s, hyper[2], fraction, context, parameters)


def _masked(network: JointAutoregressive) -> Affine:
    """The context convolution as a plain one."""
    old = network.context_prediction
    layer = nn.Conv2d(old.in_channels, old.out_channels, 2 * REACH + 1, padding=REACH)
    with torch.no_grad():
        layer.weight.copy_(old.masked_weight())
        if old.bias is not None and layer.bias is not None:
            layer.bias.copy_(old.bias)
    return Affine(layer)
