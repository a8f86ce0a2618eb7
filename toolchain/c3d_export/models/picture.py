"""From the outputs of g_s to pixels and their error, frame by frame: a frame stays in the cache."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from .straight import empty_nhwc


def _blocks(picture: Tensor, r: int) -> Tensor:
    """(3, H, W) -> a view (r, r, 3, H/r, W/r): what a depth-to-space by r puts where."""
    c, height, width = picture.shape
    return picture.reshape(c, height // r, r, width // r, r).permute(2, 4, 0, 1, 3)


class _Picture(Function):
    @staticmethod
    def forward(ctx: Any, linear: Tensor, correction: Tensor, units: tuple[float, float]) -> Tensor:
        ctx.parts = [(x.shape, x.dtype, math.isqrt(x.shape[1] // 3)) for x in (linear, correction)]
        ctx.units = units
        ratio = ctx.parts[0][2]
        height, width = (n * ratio for n in linear.shape[2:])
        out = empty_nhwc((len(linear), 3, height, width), linear.dtype, linear.device)
        for i in range(len(out)):
            coarse, fine = (_blocks(out[i], r) for _, _, r in ctx.parts)
            torch.mul(linear[i].view(coarse.shape), units[0], out=coarse)
            fine.add_(correction[i].view(fine.shape), alpha=units[1])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grads = [empty_nhwc(size, dtype, grad.device) for size, dtype, _ in ctx.parts]
        for i in range(len(grad)):
            for by, (_, _, ratio), unit in zip(grads, ctx.parts, ctx.units, strict=True):
                blocks = _blocks(grad[i], ratio)
                by[i].view(blocks.shape).copy_(blocks).mul_(unit)
        return *grads, None


def picture(linear: Tensor, correction: Tensor, units: tuple[float, float]) -> Tensor:
    """(B, 3 r^2, h, w) and (B, 3 s^2, h r/s, w r/s), channel order (dy, dx, c), each times its
    unit -> their sum as pixels (B, 3, r h, r w).
    """
    out: Tensor = _Picture.apply(linear, correction, units)  # type: ignore[no-untyped-call]
    return out


class _SquaredError(Function):
    @staticmethod
    def forward(ctx: Any, x_hat: Tensor, frame: Tensor) -> Tensor:
        error = torch.empty_like(x_hat)
        mean = x_hat.new_empty(len(x_hat))
        for i in range(len(x_hat)):
            torch.sub(x_hat[i], frame[i], out=error[i]).add_(128.0)
            mean[i] = error[i].square().mean()
        ctx.save_for_backward(error)
        return mean

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (error,) = ctx.saved_tensors
        return error * (grad * (2.0 / error[0].numel()))[:, None, None, None], None


def squared_error(x_hat: Tensor, frame: Tensor) -> Tensor:
    """(B,) mean squared error of x_hat + 128 against a frame (B, 3, H, W)."""
    out: Tensor = _SquaredError.apply(x_hat, frame)  # type: ignore[no-untyped-call]
    return out
