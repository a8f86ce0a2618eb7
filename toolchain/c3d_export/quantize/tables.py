"""Frequency tables of the entropy coder, and the encoder's rounding points.

Table i starts as a Gaussian of its scale; counts of the symbols that the frozen network really
codes under it (heavier tails, since a predicted scale is never exact) then refine it. Both are
integers that sum to 4096, so that a host needs no mathematics library to agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..models.entropy import FINE_PER_TABLE, SCALE_MIN, STEPS_PER_OCTAVE, TABLES

TOTAL = 4096
"""Sum of a table's frequencies (the coder's 12 bits)."""
MAX_RADIUS = 400
"""Largest magnitude with an entry of its own; beyond it a symbol is escaped (16 raw bits)."""
PRIOR = 400.0
"""Weight of the Gaussian against the counts, in symbols."""
COUNT_RADIUS = 512
"""Counts cover -COUNT_RADIUS..COUNT_RADIUS; larger magnitudes count as the outermost."""


@dataclass(frozen=True)
class TableBank:
    """frequencies: all tables in a row, the escape last in each. minimums, sizes: per table."""

    frequencies: NDArray[np.uint32]
    minimums: NDArray[np.int16]
    sizes: NDArray[np.uint16]

    def bits(self) -> list[NDArray[np.float64]]:
        """Cost in bits of each entry of each table."""
        ends = np.cumsum(self.sizes.astype(np.int64) + 1)
        return [np.log2(TOTAL / part) for part in np.split(self.frequencies, ends[:-1])]


def table_scale(index: int) -> float:
    """Standard deviation of table `index`, the middle of the fine indexes that share it."""
    fine = FINE_PER_TABLE * index + (FINE_PER_TABLE - 1) / 2
    return float(SCALE_MIN * 2 ** (fine / STEPS_PER_OCTAVE))


def _gaussian(scale: float, radius: int) -> NDArray[np.float64]:
    """Probabilities of -radius..radius and, last, of everything else."""
    edges = (np.arange(-radius, radius + 2) - 0.5) / (scale * math.sqrt(2.0))
    cumulative = np.array([0.5 * math.erfc(-e) for e in edges])
    inside = np.maximum(np.diff(cumulative), 0.0)
    return np.append(inside, max(0.0, 1.0 - float(inside.sum())))


def radius_of(scale: float) -> int:
    """Covered magnitudes: 6 standard deviations and 2, which real tails need."""
    return min(MAX_RADIUS, math.ceil(6 * scale) + 2)


def _measured(counts: NDArray[np.int64], radius: int) -> NDArray[np.float64]:
    """Symmetric probabilities (unnormalised counts) of -radius..radius and of the rest."""
    even = (counts + counts[::-1]) / 2.0
    inside = even[COUNT_RADIUS - radius : COUNT_RADIUS + radius + 1]
    return np.append(inside, even.sum() - inside.sum())


def to_frequencies(weights: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Integers of at least 1 that sum to TOTAL, in proportion to `weights` (largest remainder)."""
    free = TOTAL - len(weights)
    exact = weights / weights.sum() * free
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: free - int(whole.sum())]] += 1
    frequencies: NDArray[np.uint32] = (whole + 1).astype(np.uint32)
    return frequencies


def build_tables(counts: NDArray[np.int64] | None = None) -> TableBank:
    """counts: (TABLES, 2 COUNT_RADIUS + 1) symbols seen under each table, or None."""
    parts, radii = [], []
    for index in range(TABLES):
        scale = table_scale(index)
        radius = radius_of(scale)
        weights = _gaussian(scale, radius) * PRIOR
        if counts is not None:
            weights = weights + _measured(counts[index], radius)
        parts.append(to_frequencies(weights))
        radii.append(radius)
    minimums = np.array([-r for r in radii], np.int16)
    sizes = np.array([2 * r + 1 for r in radii], np.uint16)
    return TableBank(np.concatenate(parts), minimums, sizes)


def count_symbols(
    counts: NDArray[np.int64], symbols: NDArray[np.int16], indexes: NDArray[np.uint8]
) -> None:
    """Adds symbols to counts (TABLES, 2 COUNT_RADIUS + 1) in place."""
    clipped = np.clip(symbols.astype(np.int64), -COUNT_RADIUS, COUNT_RADIUS) + COUNT_RADIUS
    width = 2 * COUNT_RADIUS + 1
    flat = np.bincount(indexes.astype(np.int64) * width + clipped, minlength=TABLES * width)
    counts += flat.reshape(TABLES, width)


def best_table(bank: TableBank, histogram: NDArray[np.int64]) -> int:
    """The table that codes a histogram (2 COUNT_RADIUS + 1) in the fewest bits."""
    costs = []
    for bits, minimum in zip(bank.bits(), bank.minimums, strict=True):
        radius = -int(minimum)
        inside = histogram[COUNT_RADIUS - radius : COUNT_RADIUS + radius + 1]
        outside = int(histogram.sum() - inside.sum())
        costs.append(float(inside @ bits[:-1]) + outside * (bits[-1] + 16.0))
    return int(np.argmin(costs))


def rounding_points(bank: TableBank, strength: float) -> NDArray[np.float32]:
    """(TABLES,) float32: a symbol's magnitude is floor(|r| + point).

    Rate-distortion optimal decision between 0 and 1 at a step whose slope is lambda: with
    step^2 = 18 / (ln 2 lambda) a coefficient's distortion in bits is lambda step^2 / 3 = 8.66
    times its squared error in steps, so the threshold moves by (R1 - R0) / (2 * 8.66).
    strength: share of it that is applied, 0 for plain rounding.
    """
    slope = 18.0 / math.log(2.0) / 3.0
    points = []
    for bits, minimum in zip(bank.bits(), bank.minimums, strict=True):
        zero = -int(minimum)
        extra = max(0.0, float(bits[zero + 1] - bits[zero]))
        points.append(0.5 - min(0.35, strength * extra / (2 * slope)))
    return np.array(points, np.float32)
