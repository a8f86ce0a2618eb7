"""From the Gaussian of a rounded latent to a table and a symbol.

A latent is a whole number, its mean is not. The symbol is its distance from the whole number next
to the mean; what is left of the mean, -1/2..1/2, shapes the distribution as much as the scale does,
where the scale is small. So there are tables for several lengths of that rest, the more the
smaller the scale, for rests above zero; below zero the symbol's sign turns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int16]

MOST_TABLES: Final = 256


class Prior:
    """bins: (64,) uint8, at least 1: how many lengths of the rest each scale has tables for, in the
    order of the tables. fraction: bits of a mean behind the point, at least 1."""

    def __init__(self, bins: Bytes, fraction: int) -> None:
        self.fraction = fraction
        half = 1 << (fraction - 1)
        length = np.arange(half + 1)
        first = np.cumsum(bins, dtype=np.int64) - bins
        within = np.minimum(length * bins[:, None].astype(np.int64) // half, bins[:, None] - 1)
        self._table = (first[:, None] + within).astype(np.uint8)

    def tables(self, index: Bytes, mean: Ints) -> tuple[Bytes, Ints, Ints]:
        """index: of the scale, mean: in 1/2^fraction, any equal shapes -> the table; the whole
        number next to the mean; which way symbols count from it, 1 or -1."""
        half = 1 << (self.fraction - 1)
        centre = (mean + np.int16(half)) >> np.int16(self.fraction)
        rest = mean - (centre << np.int16(self.fraction))
        sign = np.where(rest < 0, np.int16(-1), np.int16(1))
        return self._table[index, np.abs(rest)], centre, sign
