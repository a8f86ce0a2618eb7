"""The entropy models of CompressAI: a factorised prior for z, Gaussians for y.

Both hold the integer tables of CompressAI's coder as buffers of any size, so that a checkpoint
comes back as it was; they are not used here (`deploy` makes tables of its own).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..noise import uniform_like
from .gdn import LowerBound

LIKELIHOOD_MIN = 1e-9
SCALE_MIN = 0.11
TAIL_MASS = 1e-9
FILTERS = (1, 3, 3, 3, 3, 1)
INIT_SCALE = 10.0


class _Tabled(nn.Module):
    """An entropy model with tables of an integer coder, empty before they are made."""

    tables: tuple[str, ...] = ("_offset", "_quantized_cdf", "_cdf_length")

    def __init__(self) -> None:
        super().__init__()
        self.likelihood_lower_bound = LowerBound(LIKELIHOOD_MIN)
        for name in ("_offset", "_quantized_cdf", "_cdf_length"):
            self.register_buffer(name, torch.empty(0, dtype=torch.int32))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in self.tables:
            given = state.get(prefix + name)
            if given is not None and not getattr(self, name).numel():
                setattr(self, name, torch.empty_like(given))
        super()._load_from_state_dict(state, prefix, *rest)


def quantize(x: Tensor, mean: Tensor | None, training: bool) -> Tensor:
    """Additive uniform noise in training, else rounded to a whole distance from the mean."""
    if training:
        return x + uniform_like(x)
    return x.round() if mean is None else (x - mean).round() + mean


class EntropyBottleneck(_Tabled):
    """A factorised prior: one cumulative function per channel, by a tiny monotone network.

    Balle et al., ICLR 2018, appendix 6.1. quantiles: (C, 1, 3), lower tail, median, upper tail.
    """

    target: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        scale = INIT_SCALE ** (1 / (len(FILTERS) - 1))
        matrices, biases, factors = [], [], []
        for inputs, outputs in pairwise(FILTERS):
            first = math.log(math.expm1(1 / scale / outputs))
            matrices.append(torch.full((channels, outputs, inputs), first))
            biases.append(torch.rand(channels, outputs, 1) - 0.5)
            factors.append(torch.zeros(channels, outputs, 1))
        self.matrices, self.biases = nn.ParameterList(matrices), nn.ParameterList(biases)
        self.factors = nn.ParameterList(factors[:-1])
        quantiles = torch.tensor([-INIT_SCALE, 0.0, INIT_SCALE]).repeat(channels, 1, 1)
        self.quantiles = nn.Parameter(quantiles)
        end = math.log(2 / TAIL_MASS - 1)
        self.register_buffer("target", torch.tensor([-end, 0.0, end]))

    def medians(self) -> Tensor:
        """(C,) what z is rounded to a whole distance from."""
        return self.quantiles[:, 0, 1].detach()

    def cumulative_logits(self, x: Tensor, *, fixed: bool = False) -> Tensor:
        """x: (C, 1, n) -> logits of the cumulative function there. fixed: no gradient but of x."""
        for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            parts = [matrix, bias] + ([self.factors[i]] if i < len(self.factors) else [])
            matrix, bias, *factor = [p.detach() for p in parts] if fixed else parts
            x = F.softplus(matrix) @ x + bias
            if factor:
                x = x + torch.tanh(factor[0]) * torch.tanh(x)
        return x

    def likelihood(self, x: Tensor) -> Tensor:
        """x: (C, 1, n) -> probability of the unit bin around each value."""
        lower, upper = self.cumulative_logits(x - 0.5), self.cumulative_logits(x + 0.5)
        # Both on the side of the sigmoid where its values are small, and so precise.
        sign = -torch.sign(lower + upper).detach()
        return (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z: (B, C, h, w) -> z_hat and the likelihoods, of the same shape."""
        noisy = quantize(z, self.medians()[:, None, None], self.training)
        values = noisy.transpose(0, 1).reshape(z.shape[1], 1, -1)
        likelihood = self.likelihood_lower_bound(self.likelihood(values))
        shape = (z.shape[1], z.shape[0], *z.shape[2:])
        z_hat, likelihood = (t.reshape(shape).transpose(0, 1) for t in (values, likelihood))
        return z_hat.contiguous(), likelihood.contiguous()

    def auxiliary_loss(self) -> Tensor:
        """What trains the quantiles alone (CompressAI's aux_loss)."""
        return (self.cumulative_logits(self.quantiles, fixed=True) - self.target).abs().sum()


class GaussianConditional(_Tabled):
    """Gaussians integrated over unit bins; scales at least SCALE_MIN."""

    tables = ("_offset", "_quantized_cdf", "_cdf_length", "scale_table")

    def __init__(self) -> None:
        super().__init__()
        self.lower_bound_scale = LowerBound(SCALE_MIN)
        self.register_buffer("scale_table", torch.empty(0))
        self.register_buffer("scale_bound", torch.tensor([SCALE_MIN]))

    def likelihood(self, y_hat: Tensor, scales: Tensor, means: Tensor) -> Tensor:
        """Balle et al. 2018, equation 5, on the negative side, where erfc keeps its precision."""
        scales, distance = self.lower_bound_scale(scales), (y_hat - means).abs()
        upper, lower = ((half - distance) / scales for half in (0.5, -0.5))
        bins = 0.5 * (torch.erfc(-(2**-0.5) * upper) - torch.erfc(-(2**-0.5) * lower))
        result: Tensor = self.likelihood_lower_bound(bins)
        return result

    def forward(self, y: Tensor, scales: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """y, scales, means: (B, M, h, w) -> y_hat and the likelihoods, of the same shape."""
        y_hat = quantize(y, means, self.training)
        return y_hat, self.likelihood(y_hat, scales, means)
