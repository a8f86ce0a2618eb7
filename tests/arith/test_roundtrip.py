"""What is encoded comes back, for every size, table and value."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c3d_export import _arith

from . import banks
from .reference import Table

SIZES = [0, 1, 2, 7, 8, 9, 1022, 1023, 1024, 1025, 1031, 1032, 100_000]


def check(tables: list[Table], symbols: banks.Symbols, indexes: banks.Indexes) -> bytes:
    compiled = banks.compile_bank(tables)
    payload = _arith.encode(compiled, symbols, indexes)
    np.testing.assert_array_equal(banks.decode(compiled, payload, indexes), symbols)
    return payload


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("count", [1, 5, 256])
def test_random_symbols_of_random_tables(n: int, count: int) -> None:
    rng = np.random.default_rng([n, count])
    tables = banks.random_bank(rng, count)
    check(tables, *banks.random_symbols(rng, tables, n))


@pytest.mark.parametrize("n", SIZES)
def test_every_symbol_escaped(n: int) -> None:
    tables = [Table(0, (4095, 1))]
    symbols = np.random.default_rng(n).integers(1, 32768, n).astype(np.int16)
    payload = check(tables, symbols, np.zeros(n, np.uint8))
    # An escape of frequency 1 and sixteen raw bits, within the bound of three words each.
    assert len(payload) >= n * 28 // 8
    assert len(payload) <= (32 if n >= 1024 else 4) + 6 * n


@pytest.mark.parametrize("minimum", [-32768, -2, 0, 32766])
def test_all_values_of_int16(minimum: int) -> None:
    symbols = np.arange(-32768, 32768, dtype=np.int16)
    check([Table(minimum, (1, 4000, 95))], symbols, np.zeros(65536, np.uint8))


@pytest.mark.parametrize("size", [254, 255, 256, 257, 511, 512, 1023, 1024])
@pytest.mark.parametrize("at_the_top", [False, True])
def test_every_position_of_wide_tables(size: int, at_the_top: bool) -> None:
    minimum = 32768 - size if at_the_top else -32768
    table = Table(minimum, (*[1] * size, 4096 - size))
    symbols = np.arange(minimum - 3, minimum + size + 3).clip(-32768, 32767).astype(np.int16)
    check([table], symbols, np.zeros(len(symbols), np.uint8))


@pytest.mark.parametrize("frequency", [1, 2, 2048, 4095])
def test_single_symbol_tables(frequency: int) -> None:
    tables = [Table(7, (frequency, 4096 - frequency))]
    payload = check(tables, np.full(5000, 7, np.int16), np.zeros(5000, np.uint8))
    bits = 5000 * math.log2(4096 / frequency)
    assert abs(8 * (len(payload) - 32) - bits) <= 8 * 16 + bits / 1000


def test_every_frequency_divides_exactly() -> None:
    """The encoder multiplies by a reciprocal: try all frequencies with states of all sizes."""
    rng = np.random.default_rng(3)
    for first in range(1, 4095, 256):
        tables = [Table(0, (f, 4096 - f)) for f in range(first, min(first + 256, 4096))]
        indexes = rng.integers(0, len(tables), 20_000).astype(np.uint8)
        check(tables, np.zeros(20_000, np.int16), indexes)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_symbols(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    values = st.integers(-32768, 32767) | st.integers(-3, 3)
    symbols = np.array(data.draw(st.lists(values, max_size=60)), np.int16)
    rng = np.random.default_rng(seed)
    tables = banks.random_bank(rng, int(rng.integers(1, 4)))
    indexes = rng.integers(0, len(tables), len(symbols)).astype(np.uint8)
    check(tables, symbols, indexes)


def test_only_the_length_of_the_arrays_counts() -> None:
    tables = banks.compile_bank([Table(-1, (1, 4000, 90, 5))])
    symbols = np.array([[0, 1, -1], [5, 0, 0]], np.int16)
    indexes = np.zeros((3, 2), np.uint8)
    out = np.empty((6, 1), np.int16)
    _arith.decode(tables, _arith.encode(tables, symbols, indexes), indexes, out)
    assert out.ravel().tolist() == symbols.ravel().tolist()
