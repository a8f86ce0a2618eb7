"""Frequency tables of rounded latents whose mean lies between two whole numbers.

`runtime/c2f/prior.py` says what a table stands for: a scale, and a range of lengths of the mean's
rest. Each starts as the Gaussians of that range together; counts then refine it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...models.entropy import TABLES
from ..tables import COUNT_RADIUS, PRIOR, TableBank, bank_of, cheapest_table, table_scale

BINS: Final[tuple[int, ...]] = (
    *(12, 12, 12, 12, 12, 12, 10, 10, 10, 10, 8, 8, 8, 8, 7, 7),
    *(6, 6, 5, 5, 5, 4, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2),
    *(2, 2, 2, 2, 2, *([1] * 27)),
)
"""Lengths of the rest that each scale has tables for, 256 in all: shared out greedily by the bits
that one more saves, for rests that are equally likely. What is left is .0015 bits a symbol at the
smallest scale and below .001 from the tenth on."""
SAMPLES: Final = 5
"""Rests of a range that its Gaussians are taken at."""

Counts = NDArray[np.int64]
Table = tuple[NDArray[np.uint32], NDArray[np.uint16]]


def gaussian(mean: float, scale: float) -> NDArray[np.float64]:
    """Probabilities of -COUNT_RADIUS..COUNT_RADIUS, integrated over unit bins, what is beyond in
    the outermost; they sum to 1. mean: within half a bin of zero."""
    root = scale * math.sqrt(2.0)
    near = int(min(COUNT_RADIUS, 12 * scale + 2))
    masses = np.zeros(2 * COUNT_RADIUS + 1)
    for symbol in range(-near, near + 1):
        distance = abs(symbol - mean)
        upper, lower = math.erfc((distance - 0.5) / root), math.erfc((distance + 0.5) / root)
        masses[COUNT_RADIUS + symbol] = 0.5 * (upper - lower)
    for end, side in ((0, -1), (-1, 1)):
        masses[end] += 0.5 * math.erfc((COUNT_RADIUS + 0.5 - side * mean) / root)
    return masses


def predicted_tables(counts: Counts | None = None) -> TableBank:
    """counts: (256, 2 COUNT_RADIUS + 1) symbols seen under each table, or None."""
    tables: list[Table] = []
    for index, bins in zip(range(TABLES), BINS, strict=True):
        for number in range(bins):
            rests = (number + (np.arange(SAMPLES) + 0.5) / SAMPLES) / (2 * bins)
            shapes = [gaussian(float(rest), table_scale(index)) for rest in rests]
            masses = np.mean(shapes, axis=0) * PRIOR
            if counts is not None:
                masses = masses + counts[len(tables)]
            tables.append(cheapest_table(masses))
    return bank_of(tables)


def top_tables(scales: NDArray[np.float64], counts: Counts | None = None) -> TableBank:
    """One for each channel of the coarsest latents, whose mean is 0; scales: (n,)."""
    tables: list[Table] = []
    for channel, scale in enumerate(scales):
        masses = gaussian(0.0, float(scale)) * PRIOR
        if counts is not None:
            masses = masses + counts[channel]
        tables.append(cheapest_table(masses))
    return bank_of(tables)
