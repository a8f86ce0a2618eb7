"""Means and scales to tables and symbols: every one of them, and back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import LatentsChecksumError
from c3d_export.runtime.bundle import TABLES
from c3d_export.runtime.c2f.bundle import LARGEST, MOST_FRACTION
from c3d_export.runtime.c2f.codec import Side
from c3d_export.runtime.c2f.prior import MOST_TABLES, Prior

BINS = {
    "one": np.ones(TABLES, np.uint8),
    "four": np.full(TABLES, MOST_TABLES // TABLES, np.uint8),
    "uneven": np.array([*range(1, 17), *([1] * 47), 73], np.uint8),
}
FRACTIONS = range(1, MOST_FRACTION + 1)
MEANS = np.arange(-LARGEST, LARGEST + 1, dtype=np.int16)
LATENTS = np.array([-LARGEST, -300, -2, -1, 0, 1, 2, 77, LARGEST], np.int16)


def side_of(prior: Prior, index: int, means: NDArray[np.int16] = MEANS) -> Side:
    indexes = np.full(means.shape, index, np.uint8)
    return Side(np.zeros((1, 1, 1), np.float32), *prior.tables(indexes, means))


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("bins", BINS)
def test_every_scale_and_mean_has_a_table_of_its_scale(bins: str, fraction: int) -> None:
    prior, number = Prior(BINS[bins], fraction), BINS[bins].astype(int)
    first = np.cumsum(number) - number
    half = 1 << (fraction - 1)
    for index in range(TABLES):
        side = side_of(prior, index)
        within = side.table.astype(int) - first[index]
        assert side.table.dtype == np.uint8
        assert within.min() == 0
        assert within.max() == number[index] - 1
        rest = MEANS.astype(int) - (side.centre.astype(int) << fraction)
        assert np.abs(rest).max() <= half, "the whole number next to the mean"
        # The longer the rest, the later the table; equal lengths share out the tables.
        wanted = np.minimum(np.abs(rest) * number[index] // half, number[index] - 1)
        assert np.array_equal(within, wanted)
        assert np.array_equal(side.sign, np.where(rest < 0, -1, 1))


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_latents_and_symbols_invert_for_every_mean(fraction: int) -> None:
    side = side_of(Prior(BINS["four"], fraction), 9)
    for z in LATENTS:
        symbols = side.symbols(np.full_like(MEANS, z))
        assert symbols.dtype == np.int16
        wanted = (int(z) - side.centre.astype(int)) * side.sign
        assert np.array_equal(symbols, wanted), "no symbol wraps around"
        assert np.array_equal(side.latents(symbols), np.full_like(MEANS, z))


def test_a_negative_rest_turns_the_sign() -> None:
    """What is coded of -z by a mean of -m is what is coded of z by m; halves go upwards."""
    prior = Prior(BINS["uneven"], 4)
    uneven = MEANS[(MEANS & 15) != 8]
    for z in LATENTS:
        up, down = (side_of(prior, 12, s * uneven) for s in (1, -1))
        symbols = up.symbols(np.full_like(uneven, z)), down.symbols(np.full_like(uneven, -z))
        whole = (uneven & 15) == 0
        assert np.array_equal(up.table, down.table)
        assert np.array_equal(symbols[0][~whole], symbols[1][~whole])
        assert np.array_equal(symbols[0][whole], -symbols[1][whole])
    half = side_of(prior, 12, np.array([8, -8, 24], np.int16))
    assert half.centre.tolist() == [1, 0, 2]
    assert half.sign.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("symbol", [32767, -32768, LARGEST + 1, -LARGEST - 1])
def test_symbols_beyond_all_latents_are_errors(symbol: int) -> None:
    side = side_of(Prior(BINS["one"], 6), 0, np.zeros((2, 3, 4), np.int16))
    symbols = np.zeros((2, 3, 4), np.int16)
    assert not side.latents(symbols).any()
    symbols[1, 2, 3] = symbol
    with pytest.raises(LatentsChecksumError, match="run c3d-export doctor"):
        side.latents(symbols)
