"""Banks that would corrupt memory or the coding are refused: one named test for each."""

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .reference import Table

# One group on each side, without and with a fold: 1 and 1 and 2 units.
PLAIN, PLAIN_SHAPE = [2044, 1, 1, 2], [11, 0, 1, 1]
FOLDED, FOLDED_SHAPE = [2048 - 4 * 32, 1, 1, 2], [11, 5, 1, 1]
HUGE = 2**32 - 1


def make(frequencies: list[int], shapes: list[int]) -> _arith.Tables:
    return _arith.Tables(np.array(frequencies, np.uint32), np.array(shapes, np.uint16))


def refuse(status: int, frequencies: list[int], shapes: list[int]) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        make(frequencies, shapes)
    assert caught.value.status == status


def test_what_the_attacks_begin_with_is_accepted() -> None:
    assert make(PLAIN + FOLDED, PLAIN_SHAPE + FOLDED_SHAPE).count == 2


def test_no_table() -> None:
    refuse(_arith.ERR_TABLES_COUNT, [], [])


def test_one_table_too_many() -> None:
    refuse(_arith.ERR_TABLES_COUNT, PLAIN * 257, PLAIN_SHAPE * 257)


def test_most_tables_are_accepted() -> None:
    assert make(PLAIN * 256, PLAIN_SHAPE * 256).count == _arith.MAX_TABLES


def test_largest_bank_is_accepted() -> None:
    """All limits at once: 256 tables of 511 groups on each side and 2047 units."""
    widest = Table(16, 5, 511, (65536 - 2047 * 32, *[2] * 1022, 3))
    tables = banks.compile_bank([widest] * 256)
    assert 256 * 4 * (2047 + 1024) < tables.nbytes < 4 << 20
    rng = np.random.default_rng(1)
    values, indexes = banks.random_values(rng, [widest] * 256, 10_000)
    payload = banks.encode(tables, values, indexes)
    np.testing.assert_array_equal(banks.decode(tables, payload, indexes), values)


@pytest.mark.parametrize("bits", [0, 10, 17, 32, 65535])
def test_bits_outside_the_range(bits: int) -> None:
    refuse(_arith.ERR_TABLES_RANGE, PLAIN, [bits, 0, 1, 1])


@pytest.mark.parametrize("fold", [6, 16, 31, 32, 65535])
def test_fold_outside_the_range(fold: int) -> None:
    refuse(_arith.ERR_TABLES_RANGE, FOLDED, [11, fold, 1, 1])


@pytest.mark.parametrize("side", [2, 3])
@pytest.mark.parametrize("groups", [512, 1024, 32768, 65535])
def test_too_many_groups(side: int, groups: int) -> None:
    shape = [11, 0, 0, 0]
    shape[side] = groups
    refuse(_arith.ERR_TABLES_SIZE, [1] * (groups + 2), shape)


def test_groups_that_wrap_16_bits_together() -> None:
    refuse(_arith.ERR_TABLES_SIZE, PLAIN, [11, 0, 32768, 32770])


def test_one_frequency_missing() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, PLAIN + PLAIN[:-1], PLAIN_SHAPE * 2)


def test_one_frequency_left_over() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, [*PLAIN, 1], PLAIN_SHAPE)


def test_no_frequencies() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, [], PLAIN_SHAPE)


def test_groups_that_the_frequencies_lack() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, PLAIN, [11, 0, 511, 511])


def test_zero_of_frequency_zero() -> None:
    refuse(_arith.ERR_TABLES_ZERO, [0, 1022, 1022, 4], PLAIN_SHAPE)


def test_group_of_frequency_zero() -> None:
    refuse(_arith.ERR_TABLES_ZERO, [2045, 0, 1, 2], PLAIN_SHAPE)


def test_escape_of_frequency_zero() -> None:
    refuse(_arith.ERR_TABLES_ZERO, [2046, 1, 1, 0], PLAIN_SHAPE)


def test_one_unit_too_many() -> None:
    refuse(_arith.ERR_TABLES_UNITS, [4096 - 2048, 1, 1, 2046], [12, 0, 1, 1])


def test_most_units_are_accepted() -> None:
    assert make([4096 - 2047, 1, 1, 2045], [12, 0, 1, 1]).count == 1


def test_units_that_wrap_32_bits() -> None:
    refuse(_arith.ERR_TABLES_UNITS, [2044, HUGE, 3, 2], PLAIN_SHAPE)


def test_units_of_many_huge_frequencies() -> None:
    refuse(_arith.ERR_TABLES_UNITS, [HUGE] * 1024, [16, 5, 511, 511])


def test_sum_one_short() -> None:
    refuse(_arith.ERR_TABLES_SUM, [2043, 1, 1, 2], PLAIN_SHAPE)


def test_sum_one_over() -> None:
    refuse(_arith.ERR_TABLES_SUM, [2045, 1, 1, 2], PLAIN_SHAPE)


def test_sum_without_the_fold() -> None:
    refuse(_arith.ERR_TABLES_SUM, PLAIN, FOLDED_SHAPE)


def test_sum_with_a_fold_too_many() -> None:
    refuse(_arith.ERR_TABLES_SUM, FOLDED, PLAIN_SHAPE)


def test_sum_of_other_bits() -> None:
    refuse(_arith.ERR_TABLES_SUM, PLAIN, [12, 0, 1, 1])


def test_sum_that_wraps_32_bits() -> None:
    """The zero's frequency plus the units is 2^32 + 2^11."""
    refuse(_arith.ERR_TABLES_SUM, [HUGE, 1, 1, 2047 - 2], PLAIN_SHAPE)


def test_sum_of_a_zero_beyond_16_bits() -> None:
    refuse(_arith.ERR_TABLES_SUM, [65536, 1, 1, 2], [16, 0, 1, 1])


def test_sums_that_balance_across_tables() -> None:
    refuse(_arith.ERR_TABLES_SUM, [2043, 1, 1, 2, 2045, 1, 1, 2], PLAIN_SHAPE * 2)


def test_last_table_is_checked_too() -> None:
    refuse(_arith.ERR_TABLES_SUM, PLAIN * 255 + [1, 1, 1, 1], PLAIN_SHAPE * 256)
    refuse(_arith.ERR_TABLES_RANGE, PLAIN * 256, PLAIN_SHAPE * 255 + [17, 0, 1, 1])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_shapes_that_are_no_multiple_of_four(count: int) -> None:
    with pytest.raises(ValueError, match="shapes must hold four numbers for each table"):
        make(PLAIN, (PLAIN_SHAPE * 2)[:count])


@pytest.mark.parametrize("kernel", [-1, 4, 2**31 - 1])
def test_kernel_that_does_not_exist(kernel: int) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        banks.compile_bank([banks.FLAT], kernel)
    assert caught.value.status == _arith.ERR_KERNEL


def test_bank_keeps_nothing_of_its_arguments() -> None:
    frequencies, shapes = np.array(PLAIN, np.uint32), np.array(PLAIN_SHAPE, np.uint16)
    tables = _arith.Tables(frequencies, shapes)
    values, indexes = np.arange(-5, 5).astype(np.int16), np.zeros(10, np.uint8)
    before = banks.encode(tables, values, indexes)
    frequencies[:] = 0
    shapes[:] = 0
    assert banks.encode(tables, values, indexes) == before


def build(weights: list[int], fold: int, below: int, above: int) -> tuple[int, list[int]]:
    out = np.zeros(len(weights), np.uint32)
    return _arith.build_table(np.array(weights, np.uint32), fold, below, above, out), out.tolist()


def refuse_build(status: int, weights: list[int], fold: int, below: int, above: int) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        build(weights, fold, below, above)
    assert caught.value.status == status


def test_build_without_weight() -> None:
    refuse_build(_arith.ERR_TABLES_ZERO, [0] * 4, 0, 1, 1)


def test_build_of_a_fold_too_many() -> None:
    refuse_build(_arith.ERR_TABLES_RANGE, [1] * 4, 6, 1, 1)


def test_build_of_too_many_groups() -> None:
    refuse_build(_arith.ERR_TABLES_SIZE, [1] * 514, 0, 512, 0)
    refuse_build(_arith.ERR_TABLES_SIZE, [1] * 65537, 0, 0, 65535)


@pytest.mark.parametrize("number", [-1, 65536, 2**31 - 1])
def test_build_of_numbers_beyond_16_bits(number: int) -> None:
    for position in range(3):
        numbers = [0, 0, 0]
        numbers[position] = number
        with pytest.raises(ValueError, match=r"must be in 0\.\.65535"):
            build([1, 1], *numbers)


EXTREMES = {
    "only zeros": [HUGE, *[0] * 1023],
    "no zeros": [0, *[HUGE] * 1023],
    "one group": [0, 0, HUGE, *[0] * 1021],
    "only escapes": [*[0] * 1023, HUGE],
    "all the same": [HUGE] * 1024,
    "smallest": [1, *[0] * 1023],
    "one that stands out": [1, HUGE, *[1] * 1022],
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("fold", range(6))
def test_extreme_weights_make_a_table(name: str, fold: int) -> None:
    bits, frequencies = build(EXTREMES[name], fold, 511, 511)
    tables = make(frequencies, [bits, fold, 511, 511])
    values = np.arange(-1000, 1000).astype(np.int16)
    indexes = np.zeros(2000, np.uint8)
    payload = banks.encode(tables, values, indexes)
    np.testing.assert_array_equal(banks.decode(tables, payload, indexes), values)


def test_any_weights_make_a_table() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        below, above = (int(n) for n in rng.integers(0, rng.choice([4, 60]), 2))
        fold = int(rng.integers(6))
        weights = 2.0 ** (32 * rng.random(below + above + 2)) * (rng.random() < 0.9)
        weights[rng.integers(len(weights))] = 1
        bits, frequencies = build(weights.astype(np.uint32).tolist(), fold, below, above)
        assert make(frequencies, [bits, fold, below, above]).count == 1
