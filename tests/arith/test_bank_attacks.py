"""Banks that would corrupt memory or the coding are refused: one named test for each."""

import numpy as np
import pytest

from c3d_export import _arith


def refuse(status: int, frequencies: list[int], minimums: list[int], sizes: list[int]) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        _arith.Tables(
            np.array(frequencies, np.uint32),
            np.array(minimums, np.int16),
            np.array(sizes, np.uint16),
        )
    assert caught.value.status == status


def test_no_table() -> None:
    refuse(_arith.ERR_TABLES_COUNT, [], [], [])


def test_one_table_too_many() -> None:
    refuse(_arith.ERR_TABLES_COUNT, [1, 4095] * 257, [0] * 257, [1] * 257)


def test_most_tables_are_accepted() -> None:
    tables = _arith.Tables(
        np.array([1, 4095] * 256, np.uint32), np.zeros(256, np.int16), np.ones(256, np.uint16)
    )
    assert tables.count == 256


def test_table_without_symbols() -> None:
    refuse(_arith.ERR_TABLES_SIZE, [1, 4095, 4096], [0, 0], [1, 0])


def test_table_one_symbol_too_wide() -> None:
    refuse(_arith.ERR_TABLES_SIZE, [1] * 1025 + [3071], [0], [1025])


def test_table_of_the_largest_stated_size() -> None:
    refuse(_arith.ERR_TABLES_SIZE, [1, 4095], [0], [65535])


def test_table_past_the_largest_symbol() -> None:
    refuse(_arith.ERR_TABLES_RANGE, [1] * 1024 + [3072], [32767 - 1022], [1024])


def test_table_up_to_the_largest_symbol_is_accepted() -> None:
    tables = _arith.Tables(
        np.array([1] * 1024 + [3072], np.uint32),
        np.array([32767 - 1023], np.int16),
        np.array([1024], np.uint16),
    )
    assert tables.count == 1


def test_one_frequency_missing() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, [1, 4095, 4096], [0, 0], [1, 1])


def test_one_frequency_left_over() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, [1, 4095, 1], [0], [1])


def test_no_frequencies() -> None:
    refuse(_arith.ERR_TABLES_LENGTH, [], [0], [1])


def test_symbol_of_frequency_zero() -> None:
    refuse(_arith.ERR_TABLES_ZERO, [0, 4095, 1], [0], [2])


def test_escape_of_frequency_zero() -> None:
    refuse(_arith.ERR_TABLES_ZERO, [1, 4095, 0], [0], [2])


def test_sum_one_short() -> None:
    refuse(_arith.ERR_TABLES_SUM, [1, 4094], [0], [1])


def test_sum_one_over() -> None:
    refuse(_arith.ERR_TABLES_SUM, [1, 4096], [0], [1])


def test_sum_that_wraps_32_bits() -> None:
    refuse(_arith.ERR_TABLES_SUM, [2**32 - 1, 4097], [0], [1])


def test_sums_that_balance_across_tables() -> None:
    refuse(_arith.ERR_TABLES_SUM, [1, 4096, 1, 4094], [0, 0], [1, 1])


def test_last_table_is_checked_too() -> None:
    refuse(_arith.ERR_TABLES_SUM, [1, 4095] * 255 + [1, 1], [0] * 256, [1] * 256)


def test_bank_keeps_nothing_of_its_arguments() -> None:
    frequencies = np.array([1, 4095], np.uint32)
    tables = _arith.Tables(frequencies, np.zeros(1, np.int16), np.ones(1, np.uint16))
    symbols, indexes = np.zeros(10, np.int16), np.zeros(10, np.uint8)
    before = _arith.encode(tables, symbols, indexes)
    frequencies[:] = 0
    assert _arith.encode(tables, symbols, indexes) == before


def test_minimums_and_sizes_of_different_length() -> None:
    with pytest.raises(ValueError, match="minimums and sizes must have the same length"):
        _arith.Tables(np.array([1, 4095], np.uint32), np.zeros(2, np.int16), np.ones(1, np.uint16))
