"""Units of integer tensors, and what a calibration saw of float ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """An integer tensor (B, C, h, w) stands for integer * step, the integer within low..high.

    step, low, high: (C,) float64; low and high are whole numbers. Laws: step > 0; low <= high.
    """

    step: Tensor
    low: Tensor
    high: Tensor

    @property
    def magnitude(self) -> Tensor:
        """(C,) the largest |integer|."""
        return torch.maximum(self.low.abs(), self.high.abs())

    def integers(self, x: Tensor) -> Tensor:
        """Values (B, C, h, w) to the integers that stand for them, float64."""
        step, low, high = (t[:, None, None] for t in (self.step, self.low, self.high))
        return (x.double() / step).round().clamp(low, high)

    def values(self, integers: Tensor) -> Tensor:
        return integers.double() * self.step[:, None, None]


def even_grid(channels: int, step: float, low: int, high: int) -> Grid:
    """The same unit and range for all channels."""
    parts = (torch.full((channels,), float(n), dtype=torch.float64) for n in (step, low, high))
    return Grid(*parts)


def joined(grids: Sequence[Grid]) -> Grid:
    """The grid of integer tensors that are concatenated along their channels."""
    return Grid(*(torch.cat([getattr(g, n) for g in grids]) for n in ("step", "low", "high")))


@dataclass(frozen=True)
class Statistics:
    """Of each channel (C,), float64: mean of the squares, smallest and largest value."""

    square: Tensor
    low: Tensor
    high: Tensor


def observe(tensors: Iterable[Tensor]) -> Statistics:
    """Over all of them together; each (B, C, h, w)."""
    flat = [x.double().transpose(0, 1).flatten(1) for x in tensors]
    values = torch.cat(flat, 1)
    return Statistics(values.square().mean(1), values.amin(1), values.amax(1))
