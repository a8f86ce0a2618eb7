"""What is encoded comes back, for every size, table, value and mean."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c3d_export import _arith

from . import banks
from .reference import Table

SIZES = [0, 1, 2, 3, 1023, 1024, 8191, 8192, 100_000]
NEVER_ZERO = Table(16, 5, 0, (32, 2046, 1))


def check(
    tables: Sequence[Table],
    values: banks.Values,
    indexes: banks.Indexes,
    means: banks.Values | None = None,
    lanes: int = 0,
) -> bytes:
    compiled = banks.compile_bank(tables)
    payload = banks.encode(compiled, values, indexes, means, lanes)
    np.testing.assert_array_equal(banks.decode(compiled, payload, indexes, means), values)
    head = 0 if len(values) == 0 else 1 + 4 * _arith.Decoder(payload).lanes
    assert head <= len(payload) <= head + 4 * len(values)
    return payload


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("count", [1, 5, 64, 65, 256])
def test_random_values_of_random_tables(n: int, count: int) -> None:
    rng = np.random.default_rng([n, count])
    tables = banks.random_bank(rng, count)
    values, indexes = banks.random_values(rng, tables, n)
    check(tables, values, indexes)
    means = banks.random_means(rng, n)
    check(tables, values + means, indexes, means)


@pytest.mark.parametrize("lanes", banks.LANES)
def test_sizes_around_multiples_of_the_lanes(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    tables = banks.random_bank(rng, 3)
    for rows, more in itertools.product((0, 1, 2, 7, 128, 129), (-1, 0, 1)):
        n = max(0, rows * lanes + more)
        check(tables, *banks.random_values(rng, tables, n), lanes=lanes)


@pytest.mark.parametrize("lanes", banks.LANES)
@pytest.mark.parametrize("value", [0, 1, -1, 5, 32767, -32768])
def test_one_value(value: int, lanes: int) -> None:
    payload = check([banks.FLAT], np.array([value], np.int16), np.zeros(1, np.uint8), lanes=lanes)
    assert _arith.Decoder(payload).lanes == lanes


@pytest.mark.parametrize("lanes", [0, 1, 16, 64])
@pytest.mark.parametrize("n", [1, 63, 64, 1000, 10_000])
def test_every_value_escaped(n: int, lanes: int) -> None:
    tables = [Table(11, fold, 0, (2048 - 2**fold, 1)) for fold in range(6)]
    rng = np.random.default_rng(n)
    values = rng.integers(1, 32768, n).astype(np.int16) * rng.choice([-1, 1], n).astype(np.int16)
    indexes = rng.integers(0, 6, n).astype(np.uint8)
    payload = check(tables, values, indexes, lanes=lanes)
    # One slot of 2^11 and sixteen raw bits; a lane's state holds less than two words.
    assert abs(len(payload) - 1 - n * 27 / 8) <= 4 * _arith.Decoder(payload).lanes


@pytest.mark.parametrize("fold", range(6))
@pytest.mark.parametrize("sides", [(0, 0), (0, 511), (511, 0), (511, 511), (1, 3)])
def test_all_values_of_int16(fold: int, sides: tuple[int, int]) -> None:
    groups = sum(sides)
    table = Table(16, fold, sides[0], (65536 - ((groups + 7) << fold), *[1] * groups, 7))
    values = np.arange(-32768, 32768, dtype=np.int16)
    check([table], values, np.zeros(65536, np.uint8))


@pytest.mark.parametrize("mean", [-32768, -1, 0, 1, 32767])
def test_all_values_with_one_mean(mean: int) -> None:
    values = np.arange(-32768, 32768, dtype=np.int16)
    means = np.full(65536, mean, np.int16)
    payload = check([NEVER_ZERO], values, np.zeros(65536, np.uint8), means)
    coded = (values - means).astype(np.int16)
    assert payload == check([NEVER_ZERO], coded, np.zeros(65536, np.uint8))


@pytest.mark.parametrize("zero", [1, 2, 2046, 2047])
def test_tables_of_two_values(zero: int) -> None:
    table = Table(11, 0, 0, (zero, 2048 - zero))
    payload = check([table], np.zeros(5000, np.int16), np.zeros(5000, np.uint8), lanes=8)
    bits = 5000 * math.log2(2048 / zero)
    assert abs(8 * (len(payload) - 33) - bits) <= 8 * 16 + bits / 1000


def test_every_frequency_divides_exactly() -> None:
    """The vector kernels divide floats: try all frequencies with states of all sizes."""
    rng = np.random.default_rng(3)
    for first in range(1, 2048, 256):
        most = min(first + 256, 2048)
        tables = [Table(11, 0, 0, (f, 2048 - f)) for f in range(first, most)]
        tables += [Table(16, 0, 0, (65536 - f, f)) for f in range(first, most)]
        for bank in (tables[: len(tables) // 2], tables[len(tables) // 2 :]):
            indexes = rng.integers(0, len(bank), 20_000).astype(np.uint8)
            values = rng.integers(0, 2, 20_000).astype(np.int16)
            check(bank, values, indexes, lanes=64)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_parts(data: st.DataObject) -> None:
    """Some parts, each with its own bank, some with means, pulled one after the other."""
    numbers = st.integers(-32768, 32767) | st.integers(-3, 3)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    parts: list[tuple[_arith.Tables, banks.Values, banks.Indexes, banks.Values | None]] = []
    for _ in range(data.draw(st.integers(1, 4))):
        tables = banks.compile_bank(banks.random_bank(rng, int(rng.integers(1, 70))))
        values = np.array(data.draw(st.lists(numbers, max_size=80)), np.int16)
        indexes = rng.integers(0, tables.count, len(values)).astype(np.uint8)
        means = banks.random_means(rng, len(values)) if rng.random() < 0.5 else None
        parts.append((tables, values, indexes, means))
    payload = _arith.encode(parts, data.draw(st.sampled_from([0, *banks.LANES])))
    decoder = _arith.Decoder(payload)
    for tables, values, indexes, means in parts:
        out = np.full(len(values), 0x5A5A, np.int16)
        decoder.pull(tables, indexes, out, means)
        np.testing.assert_array_equal(out, values)
    decoder.finish()


@pytest.mark.parametrize("lanes", [1, 16, 64])
def test_parts_whose_tables_depend_on_the_parts_before(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    first = banks.random_bank(rng, 2)
    second = [banks.gaussian_table(1 + k / 8) for k in range(256)]
    banks_of = banks.compile_bank(first), banks.compile_bank(second)
    values, indexes = banks.random_values(rng, first, 777)
    later = rng.normal(size=777).round().astype(np.int16)
    names = values.astype(np.uint8)
    payload = _arith.encode(
        [(banks_of[0], values, indexes), (banks_of[1], later, names, values)], lanes
    )
    decoder = _arith.Decoder(payload)
    out, out_later = np.empty(777, np.int16), np.empty(777, np.int16)
    crc = decoder.pull(banks_of[0], indexes, out)
    crc = decoder.pull(banks_of[1], out.astype(np.uint8), out_later, out, crc)
    decoder.finish()
    np.testing.assert_array_equal(out_later, later)
    assert crc == _arith.checksum(np.concatenate([values, later]))


def test_parts_without_values_change_nothing() -> None:
    tables = banks.compile_bank([banks.FLAT])
    values, indexes = np.arange(-50, 50).astype(np.int16), np.zeros(100, np.uint8)
    empty = (tables, values[:0], indexes[:0])
    assert _arith.encode([empty, empty]) == b""
    payload = banks.encode(tables, values, indexes)
    assert _arith.encode([empty, (tables, values, indexes), empty]) == payload
    decoder = _arith.Decoder(payload)
    assert decoder.pull(tables, indexes[:0], values[:0].copy()) == 0
    decoder.pull(tables, indexes, np.empty(100, np.int16))
    decoder.finish()


def test_only_the_length_of_the_arrays_counts() -> None:
    tables = banks.compile_bank([banks.FLAT])
    values = np.array([[0, 1, -1], [5, 0, 0]], np.int16)
    indexes = np.zeros((3, 2), np.uint8)
    out = np.empty((6, 1), np.int16)
    _arith.decode(tables, _arith.encode([(tables, values, indexes)]), indexes, out)
    assert out.ravel().tolist() == values.ravel().tolist()


def test_lanes_grow_with_the_payload() -> None:
    rng = np.random.default_rng(5)
    lanes = []
    for n in (1, 1000, 20_000, 200_000):
        values, indexes = banks.random_values(rng, [banks.FLAT], n)
        payload = check([banks.FLAT], values, indexes)
        lanes.append(_arith.Decoder(payload).lanes)
        assert lanes[-1] == 1 or 4 * lanes[-1] <= len(payload) / 50
    assert lanes == sorted(lanes)
    assert lanes[0] == 1
    assert lanes[-1] >= 16


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=255))
@settings(max_examples=60, deadline=None)
def test_any_slices(slices: list[bytes]) -> None:
    block = _arith.join_slices(slices)
    found = _arith.split_slices(block)
    assert [block[offset : offset + length] for offset, length in found] == slices
    for position in range(len(slices)):
        _arith.check_slice(block, position)
    assert len(block) == 6 + 8 * len(slices) + sum(map(len, slices))
