"""Roundings that let the gradient through, and a precise convolution.

Straight-through as one pass: x + (round(x) - x).detach() takes three, and as many backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function


def empty_nhwc(size: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(B, C, h, w) in the layout of the networks; another one would slow down what reads both."""
    return torch.empty(tuple(size), dtype=dtype, device=device, memory_format=torch.channels_last)


class _Straight(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad, None


def straight(x: Tensor, value: Tensor) -> Tensor:
    """value, with the gradient of x (straight-through estimator)."""
    out: Tensor = _Straight.apply(x, value.detach())  # type: ignore[no-untyped-call]
    return out


class _RoundedClip(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        out = x.round().clamp_(low, high)
        ctx.save_for_backward(out)
        ctx.limits = (low, high)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (out,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, out, *ctx.limits), None, None


def rounded_clip(x: Tensor, low: float, high: float) -> Tensor:
    """Rounded half to even and held to low..high (whole numbers), straight-through."""
    out: Tensor = _RoundedClip.apply(x, low, high)  # type: ignore[no-untyped-call]
    return out


def _rows(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B h, C, w, 1). PyTorch takes oneDNN for 1x1 convolutions of float32 on one
    thread only where a batch is 16 or more, and else a path of half the speed."""
    b, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(b * h, w, 1, c).permute(0, 3, 1, 2)


class _Pointwise(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        kind = x.device.type
        lower = torch.is_autocast_enabled(kind)
        ctx.dtype = torch.get_autocast_dtype(kind) if lower else x.dtype
        ctx.save_for_backward(x.to(ctx.dtype), weight.to(ctx.dtype))
        with torch.autocast(kind, enabled=False):
            rows = F.conv2d(_rows(x.to(weight.dtype)), weight, bias).permute(0, 2, 3, 1)
        b, _, h, w = x.shape
        return rows.reshape(b, h, w, len(weight)).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = (saved.permute(0, 2, 3, 1).flatten(0, 2) for saved in ctx.saved_tensors)
        flat = grad.permute(0, 2, 3, 1).flatten(0, 2)
        lower = flat.to(ctx.dtype)
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = (lower @ weight).to(grad.dtype).reshape(len(grad), *grad.shape[2:], -1)
            by_x = by_x.permute(0, 3, 1, 2)
        by_weight = (lower.T @ x).to(grad.dtype)[:, :, None, None]
        return by_x, by_weight, flat.sum(0)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1x1 convolution in float32, whose gradients alone are as precise as autocast is."""
    out: Tensor = _Pointwise.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out
