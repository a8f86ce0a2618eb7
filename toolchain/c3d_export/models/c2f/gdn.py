"""Generalised divisive normalisation (Balle et al., ICLR 2016), as it was published."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import Function

BETA_MIN: Final = 1e-6
GAMMA_INIT: Final = 0.1
OFFSET: Final = 2.0**-18
"""Reparametrisation offset: parameters are stored as sqrt(value + OFFSET^2), and held above what
keeps the value at its minimum, so that a gradient step cannot make it negative."""
PEDESTAL: Final = OFFSET**2


class _LowerBound(Function):
    """max(x, bound) whose gradient passes where it would lead back above the bound."""

    @staticmethod
    def forward(ctx, x: Tensor, bound: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp_min(bound)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return grad * ((x >= ctx.bound) | (grad < 0)), None


def _lower_bound(x: Tensor, bound: float) -> Tensor:
    if not x.requires_grad:
        return x.clamp_min(bound)
    out: Tensor = _LowerBound.apply(x, bound)  # type: ignore[no-untyped-call]
    return out


class GDN(nn.Module):
    """(B, C, h, w) -> the same: x / sqrt(beta + gamma x^2), or with `inverse` x * sqrt(...).

    beta (C,) and gamma (C, C; row: output, column: input) are stored reparametrised (OFFSET).
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.sqrt(torch.ones(channels) + PEDESTAL))
        self.gamma = nn.Parameter(torch.sqrt(GAMMA_INIT * torch.eye(channels) + PEDESTAL))

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """beta (C,) and gamma (C, C, 1, 1) themselves."""
        beta = _lower_bound(self.beta, (BETA_MIN + PEDESTAL) ** 0.5).square() - PEDESTAL
        gamma = _lower_bound(self.gamma, OFFSET).square() - PEDESTAL
        return beta, gamma[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        beta, gamma = self.coefficients()
        norm = F.conv2d(x.square(), gamma, beta)
        if torch.is_grad_enabled():
            return x * (norm.sqrt() if self.inverse else norm.rsqrt())
        # The largest tensors of a codec are here: without gradients one of them is enough.
        return (norm.sqrt_() if self.inverse else norm.rsqrt_()).mul_(x)
