"""Frequency tables: what the coder accepts, what they cost, where the encoder rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.quantize.tables import (
    COUNT_RADIUS,
    ESCAPE_BITS,
    TABLES,
    TableBank,
    best_table,
    build_tables,
    count_symbols,
    rounding_points,
    table_scale,
)

WIDTH = 2 * COUNT_RADIUS + 1


@pytest.fixture(scope="module")
def bank() -> TableBank:
    return build_tables()


def _tables(bank: TableBank) -> list[NDArray[np.uint32]]:
    ends = np.cumsum(bank.shapes[:, 2:].astype(np.int64).sum(1) + 2)
    return np.split(bank.frequencies, ends[:-1])


def _laplace_counts() -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    counts = np.zeros((TABLES, WIDTH), np.int64)
    for index in range(TABLES):
        symbols = np.rint(rng.laplace(0, table_scale(index), 2000)).clip(-30_000, 30_000)
        count_symbols(counts, symbols.astype(np.int16), np.full(2000, index, np.uint8))
    return counts


@pytest.mark.parametrize("counts", [None, _laplace_counts()], ids=["gaussian", "counted"])
def test_the_coder_accepts_the_bank_and_codes_with_each_table(
    counts: NDArray[np.int64] | None,
) -> None:
    bank = build_tables(counts)
    tables = _arith.Tables(bank.frequencies, bank.shapes)
    assert tables.count == TABLES
    symbols = np.tile(np.array([0, 1, -1, 5, -400, 401, 32767, -32768], np.int16), TABLES)
    indexes = np.repeat(np.arange(TABLES, dtype=np.uint8), 8)
    out = np.empty_like(symbols)
    _arith.decode(tables, _arith.encode([(tables, symbols, indexes)]), indexes, out)
    assert np.array_equal(out, symbols)


def test_the_bank_outlives_a_network_in_the_second_cache() -> None:
    for counts in (None, _laplace_counts()):
        bank = build_tables(counts)
        assert _arith.Tables(bank.frequencies, bank.shapes).nbytes <= 512 * 1024


@pytest.mark.parametrize("counts", [None, _laplace_counts()], ids=["gaussian", "counted"])
def test_tables_cover_both_signs_alike(counts: NDArray[np.int64] | None) -> None:
    bank = build_tables(counts)
    assert np.array_equal(bank.shapes[:, 2], bank.shapes[:, 3])
    for table in _tables(bank):
        groups = table[1:-1].astype(int)
        # Units that are left over fall on one side of a pair.
        assert np.abs(groups - groups[::-1]).max() <= 1


def test_the_costs_are_those_of_the_coder(bank: TableBank) -> None:
    """A payload of symbols drawn by a table is as long as the bank says."""
    tables = _arith.Tables(bank.frequencies, bank.shapes)
    rng = np.random.default_rng(3)
    n = 20_000
    for index in range(0, TABLES, 3):
        chances = 2.0 ** -bank.bits[index]
        drawn = rng.choice(WIDTH, n, p=chances / chances.sum())
        values = (drawn - COUNT_RADIUS).astype(np.int16)
        data = _arith.encode([(tables, values, np.full(n, index, np.uint8))], 1)
        assert 8 * len(data) == pytest.approx(bank.bits[index, drawn].sum(), rel=2e-3, abs=60)


def test_a_table_codes_its_gaussian_in_little_more_than_the_entropy(bank: TableBank) -> None:
    rng = np.random.default_rng(1)
    for index in (20, 30, 40):
        scale = table_scale(index)
        symbols = np.rint(rng.normal(0, scale, 50_000)).astype(int)
        magnitudes, root = np.abs(symbols), scale * math.sqrt(2)
        chances = [
            0.5 * (math.erfc((m - 0.5) / root) - math.erfc((m + 0.5) / root))
            for m in range(int(magnitudes.max()) + 1)
        ]
        ideal = -np.log2(np.array(chances))[magnitudes].mean()
        assert bank.bits[index, symbols + COUNT_RADIUS].mean() <= ideal * 1.002


def test_counts_make_the_tables_of_what_was_counted_cheaper(bank: TableBank) -> None:
    counts = _laplace_counts()
    fitted = build_tables(counts)
    before, after = (counts[24] @ b.bits[24] for b in (bank, fitted))
    assert after < before


def test_what_no_table_covers_costs_an_escape(bank: TableBank) -> None:
    for index, table in enumerate(_tables(bank)):
        bits = int(bank.shapes[index, 0])
        reach = int(bank.shapes[index, 3]) << int(bank.shapes[index, 1])
        escape = bits - math.log2(int(table[-1])) + ESCAPE_BITS
        assert bank.bits[index, COUNT_RADIUS + reach + 1] == pytest.approx(escape)
        assert bank.bits[index, COUNT_RADIUS + reach] <= bits


def test_counting_is_literal() -> None:
    rng = np.random.default_rng(2)
    symbols = rng.integers(-32768, 32768, 500).astype(np.int16)
    symbols[:300] //= 1000
    indexes = rng.integers(0, TABLES, 500).astype(np.uint8)
    counts = np.ones((TABLES, WIDTH), np.int64)
    wanted = counts.copy()
    for symbol, index in zip(symbols.tolist(), indexes.tolist(), strict=True):
        wanted[index, min(max(symbol, -COUNT_RADIUS), COUNT_RADIUS) + COUNT_RADIUS] += 1
    count_symbols(counts, symbols, indexes)
    assert np.array_equal(counts, wanted)


@pytest.mark.parametrize("index", [6, 18, 30, 45])
def test_the_best_table_is_the_one_of_the_scale(bank: TableBank, index: int) -> None:
    rng = np.random.default_rng(index)
    symbols = np.rint(rng.normal(0, table_scale(index), 20_000)).astype(int)
    histogram = np.bincount(symbols + COUNT_RADIUS, minlength=WIDTH)
    assert abs(best_table(bank, histogram) - index) <= 1


def test_rounding_points_rise_with_the_scale_to_one_half(bank: TableBank) -> None:
    points = rounding_points(bank, 0.5)
    assert points.dtype == np.float32
    assert points.shape == (TABLES,)
    # Frequencies are integers: from one table to the next a point may fall by their grain.
    assert (np.diff(points) >= -2e-3).all()
    assert points.min() >= 0.15
    assert points[0] < 0.4
    assert 0.45 < points[-1] <= 0.5
    assert (rounding_points(bank, 0.0) == 0.5).all()
    assert (rounding_points(bank, 1.0) <= points).all()
    assert (rounding_points(build_tables(_laplace_counts()), 1.0) <= 0.5).all()
