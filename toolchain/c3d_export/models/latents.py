"""What the forward pass does with latents, with gradients of its own.

Autograd's record of it was a third of a training step: dozens of passes over tensors that no cache
holds, forwards and again backwards. Here a batch is worked on in portions that stay in the cache,
and the gradient is what calculus says it is; tests hold both to the plain formulas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from .entropy import LIKELIHOOD_FLOOR, STEPS_PER_OCTAVE, scale_of
from .straight import empty_nhwc

KNEE, CEILING, SHALLOW = 64.0, 512.0, 8.0
"""Activities are exact up to two steps, an eighth as steep up to sixteen, and constant beyond."""
PORTION = 1 << 17
"""Values that are worked on at once: half a megabyte in float32, of the 1 MB of a core's cache."""


def _portions(x: Tensor) -> Iterator[slice]:
    """Frames of a batch, so many at once that they fill a portion, and at least one."""
    count = max(1, PORTION // max(1, x[0].numel()))
    return (slice(i, i + count) for i in range(0, len(x), count))


def _bits(symbol: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`gaussian_bits`, and its derivatives by the symbol and by the fine index of the scale."""
    inverse = (scale * math.sqrt(2.0)).reciprocal_()
    distance = symbol.abs()
    near = (distance - 0.5).mul_(inverse)
    far = distance.add_(0.5).mul_(inverse)
    likelihood = (torch.erfc(near) - torch.erfc(far)).mul_(0.5)
    floored = likelihood <= LIKELIHOOD_FLOOR
    likelihood.clamp_min_(LIKELIHOOD_FLOOR)
    density_near, density_far = near.square().neg_().exp_(), far.square().neg_().exp_()
    weight = (likelihood * math.sqrt(math.pi)).reciprocal_().masked_fill_(floored, 0.0)
    by_fine = far.mul_(density_far).addcmul_(near, density_near, value=-1.0).mul_(weight)
    by_symbol = density_near.sub_(density_far).mul_(inverse).mul_(weight).mul_(symbol.sign())
    bits = likelihood.log2_().neg_()
    return bits, by_symbol.div_(math.log(2.0)), by_fine.div_(STEPS_PER_OCTAVE)


class _Rate(Function):
    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        mean: Tensor,
        index: Tensor,
        step: Tensor,
        offset: Tensor,
        noise: Tensor,
    ) -> Tensor:
        by_y, by_index = torch.empty_like(y), torch.empty_like(y)
        by_step, by_offset = torch.empty_like(step), torch.empty_like(offset)
        total = y.new_empty(len(y))
        for i in _portions(y):
            residual = (y[i] - mean[i]).div_(step[i])
            fine = index[i] - offset[i]
            scale = scale_of(fine.clamp(0.0, 255.0))
            bits, by_symbol, by_fine = _bits(residual + noise[i], scale)
            by_fine.masked_fill_((fine < 0.0).logical_or_(fine > 255.0), 0.0)
            total[i] = bits.sum((1, 2, 3))
            by_step[i] = residual.mul_(by_symbol).sum((2, 3), keepdim=True).neg_().div_(step[i])
            by_offset[i] = by_fine.sum((2, 3), keepdim=True).neg_()
            torch.div(by_symbol, step[i], out=by_y[i])
            by_index[i] = by_fine
        ctx.save_for_backward(by_y, by_index, by_step, by_offset)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad = grad[:, None, None, None]
        by_y, by_index, by_step, by_offset = ctx.saved_tensors
        moved = by_y * grad
        return moved, -moved, by_index * grad, by_step * grad, by_offset * grad, None


def rate(
    y: Tensor, mean: Tensor, index: Tensor, step: Tensor, offset: Tensor, noise: Tensor
) -> Tensor:
    """(B,) bits of (y - mean) / step + noise (B, M, h, w) under Gaussians of fine index
    `index - offset`, held to 0..255. step, offset: (B, M, 1, 1).
    """
    out: Tensor = _Rate.apply(y, mean, index, step, offset, noise)  # type: ignore[no-untyped-call]
    return out


class _Decode(Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, mean: Tensor, step: Tensor) -> Tensor:
        fine, error = torch.empty_like(y), torch.empty_like(y)
        for i in _portions(y):
            residual = (y[i] - mean[i]).div_(step[i])
            symbol = residual.round()
            torch.sub(symbol, residual, out=error[i])
            torch.addcmul(mean[i], symbol, step[i], out=fine[i]).clamp_(-128.0, 127.0)
        ctx.save_for_backward(fine, error)
        return fine

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        fine, error = ctx.saved_tensors
        moved = torch.ops.aten.hardtanh_backward(grad, fine, -128.0, 127.0)
        by_step = None
        if ctx.needs_input_grad[2]:
            portions = [(moved[i] * error[i]).sum((2, 3), keepdim=True) for i in _portions(moved)]
            by_step = torch.cat(portions)
        return moved, None, by_step


def decode(y: Tensor, mean: Tensor, step: Tensor) -> Tensor:
    """mean + round((y - mean) / step) * step, held to -128..127, straight-through.

    Of the mean it is independent, as far as a gradient can tell.
    """
    out: Tensor = _Decode.apply(y, mean, step)  # type: ignore[no-untyped-call]
    return out


class _Activity(Function):
    @staticmethod
    def forward(
        ctx: Any, v: Tensor, factor: Tensor, raw: int, base: int, quantized: bool
    ) -> Tensor:
        slope = torch.empty_like(v)
        shape = (len(v), base + v.shape[1], *v.shape[2:])
        out = empty_nhwc(shape, v.dtype, v.device)
        for i in _portions(v):
            moved = v[i] * factor[i]
            sign, size = moved.sign(), moved.abs_()
            if quantized:
                size.round_()
            low = size.clamp(max=KNEE)
            high = size.clamp(max=CEILING).sub_(low).div_(SHALLOW)
            steep = torch.where(size <= KNEE, 1.0, (size <= CEILING) / SHALLOW)
            torch.mul(steep.mul_(sign), factor[i], out=slope[i])
            low.add_(high.floor_() if quantized else high)
            out[i, :raw] = v[i, :raw]
            torch.mul(low[:, raw:base], sign[:, raw:base], out=out[i, raw:base])
            out[i, base:] = low
        ctx.save_for_backward(slope)
        ctx.split = (raw, base)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        raw, base = ctx.split
        by_v = torch.empty_like(slope)
        for i in _portions(slope):
            torch.mul(grad[i, base:], slope[i], out=by_v[i])
            by_v[i, raw:base].addcmul_(grad[i, raw:base], slope[i, raw:base].abs())
            by_v[i, :raw] += grad[i, :raw]
        return by_v, None, None, None, None


def activity(v: Tensor, factor: Tensor, raw: int, base: int, quantized: bool) -> Tensor:
    """v (B, n, h, w), factor (B, n, 1, 1) without a gradient -> (B, base + n, h, w): the first
    `raw` channels as they are, those up to `base` times factor and companded, then all
    magnitudes times factor and companded; on whole numbers when quantized.
    """
    out: Tensor = _Activity.apply(v, factor, raw, base, quantized)  # type: ignore[no-untyped-call]
    return out


class _Spread(Function):
    @staticmethod
    def forward(
        ctx: Any, fine: Tensor, runs: list[tuple[int, int]], offsets: Tensor | None
    ) -> Tensor:
        out = torch.cat([fine[:, first : first + count] for first, count in runs], 1)
        if offsets is not None:
            out.add_(offsets[:, None, None]).floor_()
        ctx.runs, ctx.channels = runs, fine.shape[1]
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        begin = ctx.channels  # the first run is all channels
        total = grad[:, :begin].clone()
        for first, count in ctx.runs[1:]:
            total[:, first : first + count] += grad[:, begin : begin + count]
            begin += count
        return total, None, None


def spread(fine: Tensor, runs: list[tuple[int, int]], offsets: Tensor | None) -> Tensor:
    """Copies of channels, (first, number) of each run, of which the first is all; with offsets
    (copies,): each plus its own, rounded down, straight-through.
    """
    out: Tensor = _Spread.apply(fine, runs, offsets)  # type: ignore[no-untyped-call]
    return out
