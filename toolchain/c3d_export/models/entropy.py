"""Scales, table indexes and likelihoods of the latents.

Table i of the bank stands for the standard deviation SCALE_MIN * 2^(i / 6) in symbol units; h_s
gives it in quarter steps (0..255), so that per-quality offsets lose nothing to rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCALE_MIN = 0.11
"""Standard deviation of table 0: below it a symbol is zero in all but 1 of 10^5 cases."""
STEPS_PER_OCTAVE = 24
TABLES = 64
FINE_PER_TABLE = 4
LIKELIHOOD_FLOOR = 2.0**-24
"""A symbol never costs more than its escape would."""


def scale_of(fine: Tensor) -> Tensor:
    """Fine index (quarter tables, real or integer) to standard deviation."""
    return SCALE_MIN * torch.exp(fine * (math.log(2.0) / STEPS_PER_OCTAVE))


def fine_of(scale: Tensor) -> Tensor:
    """Inverse of `scale_of`."""
    return torch.log2(scale / SCALE_MIN) * STEPS_PER_OCTAVE


def gaussian_bits(symbol: Tensor, scale: Tensor, floor: float = LIKELIHOOD_FLOOR) -> Tensor:
    """Bits of each symbol under a zero-mean Gaussian integrated over unit bins.

    Balle et al. 2018, equation 5, with both tails evaluated on the negative side, where the
    normal distribution function keeps its precision.
    """
    distance = symbol.abs()
    root = scale * math.sqrt(2.0)
    upper = torch.erfc((distance - 0.5) / root)
    lower = torch.erfc((distance + 0.5) / root)
    likelihood = 0.5 * (upper - lower)
    return -torch.log2(likelihood.clamp_min(floor))
