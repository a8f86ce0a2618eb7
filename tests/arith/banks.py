"""Banks, values and short names for the tests of the entropy coder."""

import functools
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from c3d_export import _arith

from .reference import Table

Values: TypeAlias = npt.NDArray[np.int16]
Indexes: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float64]

FLAT = Table(11, 0, 1, (1024, 512, 256, 256))
"""One group of one value on each side of zero, and round numbers."""

KERNELS = [k for k in (1, 2, 3) if _arith.kernel_available(k)]

LANES = [1, 2, 4, 8, 16, 32, 64]


def shape_of(table: Table) -> tuple[int, int, int, int]:
    """Return the bits, fold, and the groups below and above zero."""
    above = len(table.frequencies) - 2 - table.below
    return table.bits, table.fold, table.below, above


def compile_bank(tables: Sequence[Table], kernel: int = _arith.KERNEL_AUTO) -> _arith.Tables:
    """Hand a bank to the C library."""
    frequencies = [f for table in tables for f in table.frequencies]
    shapes = [shape_of(table) for table in tables]
    return _arith.Tables(np.array(frequencies, np.uint32), np.array(shapes, np.uint16), kernel)


@functools.cache
def gaussian(scale: float) -> Floats:
    """Return the probabilities of 0, 1, 2, ... of a rounded Gaussian, to seven deviations."""
    edges = (np.arange(math.ceil(7 * scale) + 32) - 0.5) / (scale * math.sqrt(2))
    tails = np.array([0.5 * math.erfc(edge) for edge in edges])
    return np.asarray(tails[:-1] - tails[1:], np.float64)


def symmetric_table(scale: float, fold: int, groups: int) -> tuple[Table, float]:
    """Return a table for a rounded Gaussian, and the bits that a value costs with it."""
    half = gaussian(scale)
    covered = np.append(half[1:], np.zeros(groups << fold))[: groups << fold]
    side = covered.reshape(groups, -1).sum(1)
    escape = max(0.0, 1 - half[0] - 2 * side.sum())
    shares = np.concatenate([[half[0]], side[::-1], side, [escape]])
    out = np.zeros(len(shares), np.uint32)
    weights = np.rint(shares * 2**31).astype(np.uint32)
    bits = _arith.build_table(weights, fold, groups, groups, out)
    costs = bits - np.log2(out)
    costs[-1] += 16
    return Table(bits, fold, groups, tuple(out.tolist())), float(shares @ costs)


@functools.cache
def gaussian_table(scale: float) -> Table:
    """Return the cheapest table for a rounded Gaussian, of some folds and reaches."""
    tried = []
    for fold in range(6 if scale >= 4 else 1):
        for spread in (2, 2.5, 3, 3.5, 4, 5, 6):
            groups = math.ceil(spread * scale / 2**fold)
            if groups <= 511:
                tried.append(symmetric_table(scale, fold, groups))
    return min(tried, key=lambda entry: entry[1])[0]


def share(rng: np.random.Generator, total: int, n: int) -> list[int]:
    """Return n numbers of 1 or more that sum to the total, from flat to very peaked."""
    weights = rng.random(n) ** rng.integers(1, 12)
    extra = np.floor(weights / weights.sum() * (total - n)).astype(int)
    extra[rng.integers(n)] += total - n - int(extra.sum())
    return [int(e) + 1 for e in extra]


def random_table(
    rng: np.random.Generator, bits: int | None = None, fold: int | None = None
) -> Table:
    """Return a table of any shape; bits and fold can be given."""
    bits = int(rng.integers(11, 17)) if bits is None else bits
    fold = int(rng.integers(0, 6)) if fold is None else fold
    most = min(2047, (2**bits - 1) >> fold)
    units = int(rng.integers(1, most + 1)) if rng.random() < 0.7 else most
    widest = 511 if rng.random() < 0.5 else 12
    below = int(rng.integers(0, min(widest, units - 1) + 1))
    above = int(rng.integers(0, min(widest, units - 1 - below) + 1))
    others = share(rng, units, below + above + 1)
    return Table(bits, fold, below, (2**bits - (units << fold), *others))


def random_bank(rng: np.random.Generator, count: int) -> list[Table]:
    """Return so many tables of any shapes."""
    return [random_table(rng) for _ in range(count)]


def random_values(
    rng: np.random.Generator, tables: Sequence[Table], n: int, escapes: float = 0.02
) -> tuple[Values, Indexes]:
    """Return values drawn from the tables, with a share of them anywhere in int16."""
    indexes = rng.integers(0, len(tables), n).astype(np.uint8)
    values = rng.integers(-32768, 32768, n).astype(np.int16)
    for t, table in enumerate(tables):
        inside = (indexes == t) & (rng.random(n) >= escapes)
        weights = np.array(table.frequencies[:-1], float)
        weights[1:] *= 2**table.fold
        drawn = rng.choice(len(weights), int(inside.sum()), p=weights / weights.sum())
        low = rng.integers(0, 2**table.fold, len(drawn))
        rank = (drawn - 1 - table.below) * 2**table.fold + low
        values[inside] = np.where(drawn == 0, 0, rank + (rank >= 0)).astype(np.int16)
    return values, indexes


def random_means(rng: np.random.Generator, n: int) -> Values:
    """Return means anywhere in int16: with them the sums wrap around."""
    return rng.integers(-32768, 32768, n).astype(np.int16)


def encode(
    tables: _arith.Tables,
    values: Values,
    indexes: Indexes,
    means: Values | None = None,
    lanes: int = 0,
) -> bytes:
    """Return the payload of one part."""
    return _arith.encode([(tables, values, indexes, means)], lanes)


def decode(
    tables: _arith.Tables, payload: bytes, indexes: Indexes, means: Values | None = None
) -> Values:
    """Decode into an array filled with a value that a lazy decoder would leave behind."""
    out = np.full(len(indexes), 0x5A5A, np.int16)
    checksum = _arith.decode(tables, payload, indexes, out, means)
    assert checksum == _arith.checksum(out)
    return out


def status_of(
    tables: _arith.Tables, payload: bytes, indexes: Indexes, means: Values | None = None
) -> int:
    """Return the status that decoding ends with."""
    try:
        decode(tables, payload, indexes, means)
    except _arith.ArithError as error:
        return error.status
    return _arith.OK
