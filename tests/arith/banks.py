"""Banks, symbols and short names for the tests of the entropy coder."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from c3d_export import _arith

from .reference import TOTAL, Table

Symbols: TypeAlias = npt.NDArray[np.int16]
Indexes: TypeAlias = npt.NDArray[np.uint8]


def compile_bank(tables: Sequence[Table]) -> _arith.Tables:
    """Hand a bank to the C library."""
    frequencies = [f for table in tables for f in table.frequencies]
    return _arith.Tables(
        np.array(frequencies, np.uint32),
        np.array([table.minimum for table in tables], np.int16),
        np.array([table.size for table in tables], np.uint16),
    )


def quantize(probabilities: Sequence[float]) -> tuple[int, ...]:
    """Round probabilities to frequencies of 1 or more that sum to 4096, losing few bits."""
    frequencies = [max(1, round(p * TOTAL)) for p in probabilities]
    while (excess := sum(frequencies) - TOTAL) != 0:
        sign = 1 if excess < 0 else -1
        costs = [
            -p * math.log2((f + sign) / f) if f + sign > 0 else math.inf
            for p, f in zip(probabilities, frequencies, strict=True)
        ]
        frequencies[costs.index(min(costs))] += sign
    return tuple(frequencies)


def gaussian(scale: float, symbol: int) -> float:
    """Return the probability that a rounded Gaussian of this scale is this symbol."""
    z = abs(symbol)
    unit = scale * math.sqrt(2)
    return 0.5 * (math.erfc((z - 0.5) / unit) - math.erfc((z + 0.5) / unit))


def gaussian_table(scale: float) -> Table:
    """Return the table of a Gaussian, as wide as a frequency of half a unit reaches."""
    reach = 1
    while reach < 400 and gaussian(scale, reach + 1) > 0.5 / TOTAL:
        reach += 1
    body = [gaussian(scale, k) for k in range(-reach, reach + 1)]
    return Table(-reach, quantize([*body, max(0.0, 1 - sum(body))]))


def random_table(rng: np.random.Generator, size: int) -> Table:
    """Return a table of `size` symbols anywhere in int16, from flat to very peaked."""
    weights = rng.random(size + 1) ** rng.integers(1, 12)
    extra = np.floor(weights / weights.sum() * (TOTAL - size - 1)).astype(int)
    extra[rng.integers(size + 1)] += TOTAL - size - 1 - int(extra.sum())
    minimum = int(rng.integers(-32768, 32768 - size + 1))
    return Table(minimum, tuple(int(f) + 1 for f in extra))


def random_bank(rng: np.random.Generator, count: int) -> list[Table]:
    """Return tables of random sizes, one in two of them narrow."""
    widest = [1024 if rng.random() < 0.5 else 40 for _ in range(count)]
    return [random_table(rng, int(rng.integers(1, w + 1))) for w in widest]


def random_symbols(
    rng: np.random.Generator, tables: Sequence[Table], n: int, escapes: float = 0.02
) -> tuple[Symbols, Indexes]:
    """Return symbols drawn from the tables, with a share of them anywhere in int16."""
    indexes = rng.integers(0, len(tables), n).astype(np.uint8)
    symbols = rng.integers(-32768, 32768, n).astype(np.int16)
    for t, table in enumerate(tables):
        inside = (indexes == t) & (rng.random(n) >= escapes)
        weights = np.array(table.frequencies[:-1], float)
        drawn = rng.choice(table.size, int(inside.sum()), p=weights / weights.sum())
        symbols[inside] = (drawn + table.minimum).astype(np.int16)
    return symbols, indexes


def decode(tables: _arith.Tables, payload: bytes, indexes: Indexes) -> Symbols:
    """Decode into an array filled with a value that a lazy decoder would leave behind."""
    out = np.full(len(indexes), 0x5A5A, np.int16)
    _arith.decode(tables, payload, indexes, out)
    return out


def status_of(tables: _arith.Tables, payload: bytes, indexes: Indexes) -> int:
    """Return the status that decoding ends with."""
    try:
        decode(tables, payload, indexes)
    except _arith.ArithError as error:
        return error.status
    return _arith.OK
