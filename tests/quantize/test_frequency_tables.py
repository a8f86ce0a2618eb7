"""Frequency tables: what the coder accepts, what they cost, where the encoder rounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.quantize.tables import (
    COUNT_RADIUS,
    MAX_RADIUS,
    TABLES,
    TOTAL,
    TableBank,
    best_table,
    build_tables,
    count_symbols,
    radius_of,
    rounding_points,
    table_scale,
    to_frequencies,
)

WIDTH = 2 * COUNT_RADIUS + 1


@pytest.fixture(scope="module")
def bank() -> TableBank:
    return build_tables()


def _tables(bank: TableBank) -> list[NDArray[np.uint32]]:
    ends = np.cumsum(bank.sizes.astype(np.int64) + 1)
    return np.split(bank.frequencies, ends[:-1])


def _laplace_counts() -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    counts = np.zeros((TABLES, WIDTH), np.int64)
    for index in range(TABLES):
        symbols = np.rint(rng.laplace(0, table_scale(index), 2000)).clip(-30_000, 30_000)
        count_symbols(counts, symbols.astype(np.int16), np.full(2000, index, np.uint8))
    return counts


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=TOTAL // 4), st.floats(1e-3, 1e6))
def test_frequencies_sum_to_the_total_and_none_is_zero(weights: list[float], one: float) -> None:
    frequencies = to_frequencies(np.array([*weights, one]))
    assert frequencies.sum() == TOTAL
    assert frequencies.min() >= 1
    assert frequencies.dtype == np.uint32


def test_frequencies_are_in_proportion() -> None:
    assert to_frequencies(np.array([1.0, 1.0])).tolist() == [2048, 2048]
    assert to_frequencies(np.array([3.0, 1.0, 0.0])).tolist() == [3071, 1024, 1]
    assert to_frequencies(np.ones(3)).tolist() == [1366, 1365, 1365]


@pytest.mark.parametrize("counts", [None, _laplace_counts()], ids=["gaussian", "counted"])
def test_the_coder_accepts_the_bank_and_codes_with_each_table(
    counts: NDArray[np.int64] | None,
) -> None:
    bank = build_tables(counts)
    tables = _arith.Tables(bank.frequencies, bank.minimums, bank.sizes)
    assert tables.count == TABLES
    symbols = np.tile(np.array([0, 1, -1, 5, -400, 401, 32767, -32768], np.int16), TABLES)
    indexes = np.repeat(np.arange(TABLES, dtype=np.uint8), 8)
    out = np.empty_like(symbols)
    _arith.decode(tables, _arith.encode(tables, symbols, indexes), indexes, out)
    assert np.array_equal(out, symbols)


@pytest.mark.parametrize("counts", [None, _laplace_counts()], ids=["gaussian", "counted"])
def test_tables_cover_both_signs_alike(counts: NDArray[np.int64] | None) -> None:
    bank = build_tables(counts)
    radii = -bank.minimums.astype(int)
    assert np.array_equal(bank.sizes, 2 * radii + 1)
    assert radii.max() <= MAX_RADIUS
    assert (np.diff(radii) >= 0).all()
    for table in _tables(bank):
        inside = table[:-1].astype(int)
        # Largest remainders fall on one side of a pair.
        assert np.abs(inside - inside[::-1]).max() <= 1


def test_a_table_codes_its_gaussian_in_little_more_than_the_entropy(bank: TableBank) -> None:
    rng = np.random.default_rng(1)
    for index in (20, 30, 40):
        symbols = np.rint(rng.normal(0, table_scale(index), 50_000)).astype(int)
        entropy = np.log2(table_scale(index) * np.sqrt(2 * np.pi * np.e))
        bits = bank.bits()[index][symbols - int(bank.minimums[index])].mean()
        assert bits <= entropy * 1.02 + 0.05


def test_counts_make_the_tables_of_what_was_counted_cheaper(bank: TableBank) -> None:
    counts = _laplace_counts()
    fitted = build_tables(counts)
    radius = radius_of(table_scale(24))
    seen = counts[24, COUNT_RADIUS - radius : COUNT_RADIUS + radius + 1]
    before, after = (seen @ b.bits()[24][:-1] for b in (bank, fitted))
    assert after < before


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
    assert (np.diff(points) >= -1e-3).all()
    assert points.min() >= 0.15
    assert points[0] < 0.4
    assert 0.45 < points[-1] <= 0.5
    assert (rounding_points(bank, 0.0) == 0.5).all()
    assert (rounding_points(bank, 1.0) <= points).all()
    assert (rounding_points(build_tables(_laplace_counts()), 1.0) <= 0.5).all()
