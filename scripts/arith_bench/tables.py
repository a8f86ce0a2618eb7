"""Tables for the scales: of all folds and reaches, those with the lowest expected cost."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arith_bench.data import REACH, SCALES, probabilities
from arith_bench.library import Library, Shape, address

# Reaches to try, in standard deviations.
SPREADS = (1.2, 1.6, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.5, 5.0, 6.0, 7.0)
MAX_FOLD = 5
MAX_GROUPS = 511
MAX_UNITS = 2047
ESCAPE_BITS = 16


@dataclass(frozen=True)
class Table:
    """One table and the bits that a symbol of its scale costs on average."""

    shape: tuple[int, int, int, int]
    frequencies: NDArray[np.uint32]
    cost: float


def _candidates(scale: float) -> Iterator[tuple[int, int]]:
    """Folds and groups on each side; a fold is of no use where neighbours differ much."""
    for fold in range(MAX_FOLD + 1 if scale >= 4.0 else 1):
        groups = {max(1, math.ceil(spread * scale / (1 << fold))) for spread in SPREADS}
        for count in sorted(groups):
            if count <= MAX_GROUPS and 2 * count + 1 <= MAX_UNITS:
                yield fold, count


def _build(library: Library, side: NDArray[np.float64], zero: float, fold: int) -> Table:
    """The table for a zero and the groups of one side, each twice; the rest is escaped."""
    count = len(side)
    escape = max(0.0, 1.0 - zero - 2.0 * float(side.sum()))
    shares = np.concatenate([[zero], side[::-1], side, [escape]])
    weights = np.rint(shares * (1 << 30)).astype(np.uint32)
    frequencies = np.zeros(len(weights), np.uint32)
    shape = Shape(0, fold, count, count)
    library.check(library.table_build(address(weights), ctypes.byref(shape), address(frequencies)))
    bits = shape.bits - np.log2(frequencies)
    bits[-1] += ESCAPE_BITS
    return Table((shape.bits, fold, count, count), frequencies, float(shares @ bits))


def best_table(library: Library, scale: float) -> Table:
    """The cheapest table for a rounded Gaussian of the scale."""
    half = probabilities(scale)[REACH:]
    tried = []
    for fold, count in _candidates(scale):
        side = half[1 : 1 + (count << fold)].reshape(count, -1).sum(1)
        tried.append(_build(library, side, float(half[0]), fold))
    return min(tried, key=lambda table: table.cost)


def all_tables(library: Library) -> list[Table]:
    """One table for each scale."""
    return [best_table(library, float(scale)) for scale in SCALES]


def create_bank(library: Library, tables: list[Table], kernel: int) -> int:
    """A bank of the tables for the kernel, as an address that lives until the process ends."""
    frequencies = np.concatenate([table.frequencies for table in tables])
    shapes = np.array([table.shape for table in tables], np.uint16)
    bank = ctypes.c_void_p()
    library.check(
        library.tables_create(
            address(frequencies),
            len(frequencies),
            address(shapes),
            len(tables),
            kernel,
            ctypes.byref(bank),
        )
    )
    if bank.value is None:
        raise RuntimeError("no bank")
    return bank.value
