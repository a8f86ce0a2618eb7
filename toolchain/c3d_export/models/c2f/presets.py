"""At which rates the published coarse-to-fine networks were trained."""

from __future__ import annotations

from typing import Final

LAMBDAS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.01, 0.02, 0.04, 0.16)
"""Published weights of the squared error, low rates first, in the units of `PUBLISHED_UNIT`. All
rates of a game are tuned from one another."""
PUBLISHED_UNIT: Final = 4.0
"""Squared grey levels in one unit there: frames of -1..1, errors times 255^2. So their 0.01 is
0.04 a squared grey level."""


def mse_lambda(quality: int) -> float:
    """Weight of the squared error in grey levels for a quality 1..10, low rates first.

    Raises IndexError outside.
    """
    if quality < 1:
        raise IndexError(quality)
    return PUBLISHED_UNIT * LAMBDAS[quality - 1]
