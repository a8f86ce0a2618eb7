"""Copies: how the strongest latents reach the synthesis in finer units than a byte's.

A byte of v is too coarse for the latents that move whole blocks: rounding them to its unit cost
more than all other roundings together (docs/exactness.md). So the linear path of g_s sees them
several times, each time rounded at another point. That the copies add up to the finer number is
Hermite's identity,

    floor(x + 1/2n) + floor(x + 3/2n) + ... + floor(x + (2n-1)/2n) = round(n x),

and since each copy has a weight of its own, n of them also carry a weight n times as large as one
could. n is odd, so that v, rounded to the nearest, is one of the copies.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COPIES: Final = ((16, 5), (96, 3))
"""The first 16 latents come five times, those up to the 96th three times (docs/models.md)."""
FINE_ONE: Final = 256
"""Fixed-point one of the latents before they are rounded."""
NEAREST: Final = FINE_ONE // 2
FINE_MIN: Final = -128 * FINE_ONE
FINE_MAX: Final = 127 * FINE_ONE
"""Range of the latents in this unit: all their copies fit into a byte."""


class Run(NamedTuple):
    """Channels `first` to `first + channels - 1`, rounded as floor((fine + offset) / 256)."""

    first: int
    channels: int
    offset: int


def extra_runs(latents: int) -> list[Run]:
    """The copies beside v itself, in the order in which they follow it."""
    runs, first = [], 0
    for end, copies in COPIES:
        count = min(end, latents) - first
        offsets = [round(FINE_ONE * (i + 0.5) / copies) for i in range(copies)]
        if count > 0:
            runs += [Run(first, count, offset) for offset in offsets if offset != NEAREST]
            first += count
    return runs


def all_runs(latents: int) -> list[Run]:
    """v itself, then its copies: the inputs of g_s's linear path."""
    return [Run(0, latents, NEAREST), *extra_runs(latents)]


def copied_channels(latents: int) -> list[int]:
    """Of each input of g_s's linear path, the latent that it is a copy of."""
    return [c for run in all_runs(latents) for c in range(run.first, run.first + run.channels)]


def copied_offsets(latents: int) -> list[float]:
    """Of each of them, what is added before it is rounded down, in units of v."""
    return [run.offset / FINE_ONE for run in all_runs(latents) for _ in range(run.channels)]


def fine_channels(latents: int) -> int:
    """How many latents, from the first on, have more than one copy."""
    return min(COPIES[-1][0], latents)


def spread_channels(latents: int) -> int:
    """Latents with all their copies."""
    return len(copied_channels(latents))
