"""Frequency tables of the entropy coder, and the encoder's rounding points.

Table i starts as a Gaussian of its scale; counts of the symbols that the frozen network really
codes under it (heavier tails, since a predicted scale is never exact) then refine it. The coder's
own builder turns these weights into integers, so that a host needs no mathematics library to
agree; docs/arith-format.md describes shapes, groups and the builder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ..models.entropy import FINE_PER_TABLE, SCALE_MIN, STEPS_PER_OCTAVE, TABLES

PRIOR = 400.0
"""Weight of the Gaussian against the counts, in symbols."""
COUNT_RADIUS = 1024
"""Counts cover -COUNT_RADIUS..COUNT_RADIUS; larger magnitudes count as the outermost."""
RADII = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96)
"""Groups on each side of zero that a table may have: the cheapest is taken."""
ESCAPE_BITS = 16.0
"""Bits of an escaped symbol besides those of the escape."""
_UNIT = 2.0**31
"""Sum of the integer weights that the builder is given; each must fit 32 bits."""


@dataclass(frozen=True)
class TableBank:
    """frequencies: uint32, all tables in a row (zero, groups ascending, escape). shapes: uint16
    (TABLES, 4), columns bits, fold, groups below and above zero."""

    frequencies: NDArray[np.uint32]
    shapes: NDArray[np.uint16]

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """(TABLES, 2 COUNT_RADIUS + 1): what each symbol costs under each table."""
        ends = np.cumsum(self.shapes[:, 2:].astype(np.int64).sum(1) + 2)
        parts = np.split(self.frequencies, ends[:-1])
        return np.stack([_bits(*item) for item in zip(parts, self.shapes, strict=True)])


def _bits(frequencies: NDArray[np.uint32], shape: NDArray[np.uint16]) -> NDArray[np.float64]:
    """What each symbol of -COUNT_RADIUS..COUNT_RADIUS costs."""
    bits, fold, below, above = (int(x) for x in shape)
    cost = bits - np.log2(frequencies.astype(np.float64))
    symbols = np.arange(-COUNT_RADIUS, COUNT_RADIUS + 1)
    groups = (symbols - (symbols > 0)) >> fold
    inside = (groups >= -below) & (groups < above)
    result: NDArray[np.float64] = np.full(len(symbols), cost[-1] + ESCAPE_BITS)
    result[inside] = cost[1 + groups[inside] + below]
    result[COUNT_RADIUS] = cost[0]
    return result


def table_scale(index: int) -> float:
    """Standard deviation of table `index`, the middle of the fine indexes that share it."""
    fine = FINE_PER_TABLE * index + (FINE_PER_TABLE - 1) / 2
    return float(SCALE_MIN * 2 ** (fine / STEPS_PER_OCTAVE))


def _gaussian(scale: float) -> NDArray[np.float64]:
    """Probabilities of the magnitudes 0..COUNT_RADIUS of either sign, what is beyond in the last.

    Tails as differences of the complementary error function, which keeps its precision there.
    """
    edges = (np.arange(COUNT_RADIUS + 1) - 0.5) / (scale * math.sqrt(2.0))
    upper = np.array([0.5 * math.erfc(edge) for edge in edges] + [0.0])
    inside: NDArray[np.float64] = upper[:-1] - upper[1:]
    inside[0] = 1.0 - 2.0 * upper[1]
    return inside


def _measured(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts of the magnitudes, half of both signs' together."""
    even = (counts + counts[::-1]) / 2.0
    return even[COUNT_RADIUS:]


def _groups(masses: NDArray[np.float64], fold: int, radius: int) -> NDArray[np.float64]:
    """Masses of zero, of the groups ascending, of what escapes."""
    covered = radius << fold
    below, above = masses[:COUNT_RADIUS][::-1], masses[COUNT_RADIUS + 1 :]
    sides = [m[:covered].reshape(radius, 1 << fold).sum(1) for m in (below, above)]
    rest = below[covered:].sum() + above[covered:].sum()
    zero = masses[COUNT_RADIUS : COUNT_RADIUS + 1]
    return np.concatenate([zero, sides[0][::-1], sides[1], [rest]])


def cheapest_table(masses: NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """The table, frequencies and shape, whose fold and radius cost the fewest bits for these
    masses (2 COUNT_RADIUS + 1) of the symbols from -COUNT_RADIUS on."""
    best, least = None, math.inf
    for fold in range(_arith.MAX_FOLD + 1):
        for radius in RADII:
            if radius << fold >= COUNT_RADIUS:
                continue
            groups = _groups(masses, fold, radius)
            # Integers that sum to about 2^31.
            weights = np.rint(groups * (_UNIT / groups.sum())).astype(np.uint32)
            frequencies = np.empty(len(weights), np.uint32)
            bits = _arith.build_table(weights, fold, radius, radius, frequencies)
            # What `_bits` says, summed over groups instead of symbols: half of the time.
            cost = groups @ (bits - np.log2(frequencies)) + groups[-1] * ESCAPE_BITS
            if cost < least:
                shape = np.array([bits, fold, radius, radius], np.uint16)
                best, least = (frequencies, shape), float(cost)
    assert best is not None
    return best


def build_tables(counts: NDArray[np.int64] | None = None) -> TableBank:
    """counts: (TABLES, 2 COUNT_RADIUS + 1) symbols seen under each table, or None."""
    tables = []
    for index in range(TABLES):
        weights = _gaussian(table_scale(index)) * PRIOR
        if counts is not None:
            weights = weights + _measured(counts[index])
        tables.append(cheapest_table(np.concatenate([weights[:0:-1], weights])))
    return bank_of(tables)


def bank_of(tables: Sequence[tuple[NDArray[np.uint32], NDArray[np.uint16]]]) -> TableBank:
    """Tables, each frequencies and shape, as a bank in this order."""
    frequencies, shapes = zip(*tables, strict=True)
    return TableBank(np.concatenate(frequencies), np.stack(shapes))


def count_symbols(
    counts: NDArray[np.int64], symbols: NDArray[np.int16], indexes: NDArray[np.uint8]
) -> None:
    """Adds symbols to counts (tables, 2 COUNT_RADIUS + 1) in place."""
    clipped = np.clip(symbols.astype(np.int64), -COUNT_RADIUS, COUNT_RADIUS) + COUNT_RADIUS
    width = 2 * COUNT_RADIUS + 1
    flat = np.bincount(indexes.astype(np.int64) * width + clipped, minlength=counts.size)
    counts += flat.reshape(counts.shape)


def best_table(bank: TableBank, histogram: NDArray[np.int64]) -> int:
    """The table that codes a histogram (2 COUNT_RADIUS + 1) in the fewest bits."""
    return int(np.argmin(bank.bits @ histogram))


def rounding_points(bank: TableBank, strength: float) -> NDArray[np.float32]:
    """(TABLES,) float32: a symbol's magnitude is floor(|r| + point).

    Rate-distortion optimal decision between 0 and 1 at a step whose slope is lambda: with
    step^2 = 18 / (ln 2 lambda) a coefficient's distortion in bits is lambda step^2 / 3 = 8.66
    times its squared error in steps, so the threshold moves by (R1 - R0) / (2 * 8.66).
    strength: share of it that is applied, 0 for plain rounding.
    """
    slope = 18.0 / math.log(2.0) / 3.0
    extra = np.maximum(0.0, bank.bits[:, COUNT_RADIUS + 1] - bank.bits[:, COUNT_RADIUS])
    points = 0.5 - np.minimum(0.35, strength * extra / (2 * slope))
    return points.astype(np.float32)
