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
    """Over all of them together, at least one; each (B, C, h, w)."""
    parts = []
    for x in tensors:
        flat = x.transpose(0, 1).flatten(1)
        square = flat.double().square().sum(1)
        parts.append((square, flat.amin(1).double(), flat.amax(1).double(), flat.shape[1]))
    squares, lows, highs, counts = zip(*parts, strict=True)
    mean = torch.stack(squares).sum(0) / sum(counts)
    return Statistics(mean, torch.stack(lows).amin(0), torch.stack(highs).amax(0))


def shared_units(grid: Grid, groups: int) -> Grid:
    """Units and ranges of channels of which `groups` equally large groups must have the same:
    (C / groups,), the geometric middle of theirs."""
    steps, low, high = (t.reshape(groups, -1) for t in (grid.step, grid.low, grid.high))
    middle = steps.log().mean(0).exp()
    # Ranges stay within what the grid had: an integer type, and a bound on sums.
    most = grid.magnitude.max()
    ends = (low * steps / middle).floor().amin(0), (high * steps / middle).ceil().amax(0)
    return Grid(middle, *(end.clamp(-most, most) for end in ends))
