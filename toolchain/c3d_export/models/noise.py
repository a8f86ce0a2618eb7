"""The uniform noise that stands for rounding while a network trains.

Where several processes share a batch, each draws the noise of all of it and takes its own rows: a
crop then has the same noise, however many they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch
from torch import Tensor

_ROWS: ContextVar[tuple[range, int] | None] = ContextVar("rows", default=None)


@contextlib.contextmanager
def rows_of(rows: range, batch: int) -> Iterator[None]:
    """What is computed in the block is of these rows, neighbours of a batch of so many."""
    token = _ROWS.set((rows, batch))
    try:
        yield
    finally:
        _ROWS.reset(token)


def uniform_like(x: Tensor) -> Tensor:
    """Of -0.5..0.5, in the shape and layout of x (b, ...)."""
    shared = _ROWS.get()
    if shared is None:
        return torch.rand_like(x) - 0.5
    rows, batch = shared
    by_channel = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if by_channel else torch.contiguous_format
    size = (batch, *x.shape[1:])
    drawn = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout).uniform_()
    return drawn[rows.start : rows.stop] - 0.5
