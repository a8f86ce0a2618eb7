"""From float layers to integer ones: how many bits go into weights and how many into activations.

The sum of a layer's products may reach `Limits.total`. With inputs of magnitude R_i (in values)
that fixes the unit of the sums of output o,

    s_o = (sum_i |w_oi| R_i + |b_o|) / total,

whatever the units of the inputs are: finer steps of the inputs leave fewer bits to the weights.
An input step t_i costs w_oi t_i / sqrt(12) by its own rounding, and s_o x_i / (t_i sqrt(12)) by the
rounding of the integer weight w_oi t_i / s_o. In units of s_o, summed over outputs and taps, both
together are least where they are equal:

    t_i^4 = x_i^2 n / sum_ok (w_oik / s_o)^2       (x_i^2: mean square, n: outputs times taps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .grid import Grid, Statistics, observe
from .layer import Affine, IntegerChain, IntegerLayer

MARGIN = 2.0
"""Ranges are this many times the largest magnitude that the calibration saw; beyond them values
are clipped. Both signs have the same range: the proof counts magnitudes, so that a sign which the
calibration did not see costs nothing."""
SHRINK = 1.0 + 2.0**-10
"""By how much the unit of the sums grows until rounded weights keep the limit too."""


@dataclass(frozen=True)
class Limits:
    """total: no partial sum, bias included, reaches it. weight, activation: largest |integer|, of
    split weights too: hosts also compute them whole, in int16.

    radix: the largest in which weights may be split, a power of two; 1 for none. A weight is then
    radix * high + low, both parts have sums of their own, each below total, and one addition makes
    the whole of them: two convolutions, for sums that are radix times as fine.
    """

    total: int
    weight: int
    activation: int
    radix: int = 1


IN_FLOAT32 = Limits(1 << 24, 32767, 32767, 16)
"""Integers held in float32: every order of adding gives the same. Weights are stored in int16."""
IN_INT16 = Limits((1 << 31) - 1, 32767, 32767)
"""int16 operands, int32 sums, in C."""


def phases(weight: Tensor, stride: int) -> list[Tensor]:
    """The taps (O, I, ...) that meet in one output position of a transposed convolution."""
    return [weight[:, :, r::stride, c::stride] for r in range(stride) for c in range(stride)]


def largest_sums(weight: Tensor, magnitude: Tensor, stride: int) -> Tensor:
    """(O,): bound of |sum w x| for |x_i| up to magnitude (I,); stride: of a transposed
    convolution, else 1."""
    parts = [p.abs().sum((2, 3)) @ magnitude for p in phases(weight, stride)]
    return torch.stack(parts).amax(0)


def part_sums(layer: IntegerLayer) -> Tensor:
    """(O,): bound of any partial sum of either part of the weights, its bias included."""
    stride = layer.stride if layer.transposed else 1
    sums = [
        largest_sums(taps, layer.source.magnitude, stride) + bias.abs()
        for taps, bias in layer.parts()
    ]
    return torch.stack(sums).amax(0)


def _stride(affine: Affine) -> int:
    return int(affine.layer.stride[0]) if affine.transposed else 1


def _range(seen: Statistics) -> Tensor:
    """(C,) the magnitudes that channels may have."""
    return MARGIN * torch.maximum(seen.low.abs(), seen.high.abs())


def _sum_units(affine: Affine, magnitude: Tensor, total: int) -> Tensor:
    """s_o (O,)."""
    sums = largest_sums(affine.weight, magnitude, _stride(affine)) + affine.bias.abs()
    return sums.clamp_min(1e-9) / total


def _radix(affine: Affine, magnitude: Tensor, limits: Limits) -> int:
    """The largest radix for which the low parts of any weights keep the limit."""
    taps = largest_sums(torch.ones_like(affine.weight[:1]), magnitude, _stride(affine))
    radix = limits.radix
    while radix > 1 and radix / 2 * (float(taps) + 1) >= limits.total:
        radix //= 2
    return radix


def input_grid(affine: Affine, seen: Statistics, limits: Limits) -> Grid:
    """The best units for the inputs of a layer; seen: of its inputs in float."""
    radix = limits.radix
    grid = _best_steps(affine, seen, limits, radix)
    # Finer sums want finer inputs, which leave less room for the low parts of the weights.
    while radix > 1 and _radix(affine, grid.magnitude, limits) < radix:
        radix //= 2
        grid = _best_steps(affine, seen, limits, radix)
    return grid


def _best_steps(affine: Affine, seen: Statistics, limits: Limits, radix: int) -> Grid:
    magnitude = _range(seen).clamp_min(1e-6)
    units = _sum_units(affine, magnitude, limits.total * radix)
    weight = affine.weight / units[:, None, None, None]
    n = weight.shape[0] * weight.shape[2] * weight.shape[3]
    energy = weight.square().sum((0, 2, 3)).clamp_min(1e-12)
    step = (seen.square.clamp_min(1e-12) * n / energy) ** 0.25
    return _grid(torch.maximum(step, magnitude / limits.activation), seen, limits)


def integer_layer(affine: Affine, source: Grid, target: Grid, limits: Limits) -> IntegerLayer:
    """source, target: units of its inputs and outputs. The limits hold for every input."""
    real = affine.weight * source.step[None, :, None, None]
    radix = _radix(affine, source.magnitude, limits)
    unit = _sum_units(affine, source.magnitude * source.step, limits.total * radix)
    unit = torch.maximum(unit, real.abs().amax((1, 2, 3)) / limits.weight)
    while True:
        weight, bias = (real / unit[:, None, None, None]).round(), (affine.bias / unit).round()
        layer = IntegerLayer(affine, weight, bias, source, radix)
        over = part_sums(layer) >= limits.total
        if not bool(over.any()):
            break
        unit = torch.where(over, unit * SHRINK, unit)
    layer.requantise(unit / target.step, affine.slope, target)
    return layer


@torch.no_grad()
def convert(
    chain: Sequence[Affine],
    inputs: Sequence[Tensor],
    source: Grid,
    target: Grid | None,
    limits: Limits = IN_FLOAT32,
) -> IntegerChain:
    """The integer form of a chain of layers.

    inputs: float tensors (B, C, h, w) of a calibration. source: their units. target: of the
    output; None for those that lose nothing to a following sum (range of the calibration).
    """
    units, xs = [source], list(inputs)
    for i, affine in enumerate(chain):
        xs = [affine(x) for x in xs]
        if i + 1 < len(chain):
            units.append(input_grid(chain[i + 1], observe(xs), limits))
    units.append(target or _fine_grid(observe(xs), limits))
    layers = [integer_layer(a, units[i], units[i + 1], limits) for i, a in enumerate(chain)]
    return IntegerChain(layers, units[-1])


def _fine_grid(seen: Statistics, limits: Limits) -> Grid:
    return _grid(_range(seen).clamp_min(1e-6) / limits.activation, seen, limits)


def _grid(step: Tensor, seen: Statistics, limits: Limits) -> Grid:
    """With these steps, over MARGIN times the largest magnitude that was seen."""
    largest = (_range(seen) / step).ceil().clamp_max(float(limits.activation))
    return Grid(step, -largest, largest)
