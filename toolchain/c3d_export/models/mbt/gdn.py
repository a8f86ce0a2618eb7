"""Generalised divisive normalisation, with the parameters and buffers of CompressAI's."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _LowerBoundFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: Tensor) -> Tensor:
        ctx.save_for_backward(x, bound)
        return torch.max(x, bound)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, bound = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * ((x >= bound) | (gradient < 0)), None


class LowerBound(nn.Module):
    """max(x, bound), whose gradient lets what is below the bound come back above it."""

    bound: Tensor

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.register_buffer("bound", torch.tensor([bound]))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = _LowerBoundFunction.apply(x, self.bound)  # type: ignore[no-untyped-call]
        return result


class NonNegative(nn.Module):
    """Parameter -> value that is at least `minimum`: p^2 - offset^2 of a bounded p.

    Reparametrisation of Balle et al., ICLR 2018, appendix; offset 2^-18.
    """

    pedestal: Tensor

    def __init__(self, minimum: float = 0.0, offset: float = 2.0**-18) -> None:
        super().__init__()
        self.register_buffer("pedestal", torch.tensor([offset**2]))
        self.lower_bound = LowerBound((minimum + offset**2) ** 0.5)

    def parameter(self, value: Tensor) -> Tensor:
        """The parameter that stands for a value."""
        return torch.sqrt(torch.max(value + self.pedestal, self.pedestal))

    def forward(self, parameter: Tensor) -> Tensor:
        bounded: Tensor = self.lower_bound(parameter)
        return bounded**2 - self.pedestal


class GDN(nn.Module):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2); inverse: times instead of divided by.

    Balle, Laparra, Simoncelli, ICLR 2016, equation 3 (with the exponents 2 and 1/2). `beta` (C,)
    and `gamma` (C, C) are parameters of `NonNegative`.
    """

    def __init__(self, channels: int, *, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta_reparam, self.gamma_reparam = NonNegative(1e-6), NonNegative()
        self.beta = nn.Parameter(self.beta_reparam.parameter(torch.ones(channels)))
        self.gamma = nn.Parameter(self.gamma_reparam.parameter(0.1 * torch.eye(channels)))

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """beta (C,), gamma (C, C, 1, 1): bias and weight of the 1x1 convolution over squares."""
        return self.beta_reparam(self.beta), self.gamma_reparam(self.gamma)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        beta, gamma = self.coefficients()
        norm = F.conv2d(x**2, gamma, beta)
        return x * (torch.sqrt(norm) if self.inverse else torch.rsqrt(norm))
