"""The payload is close to the information in the values."""

import math

import numpy as np
import pytest

from c3d_export import _arith

from . import banks

N = 1_000_000
SCALES = [float(s) for s in np.exp(np.linspace(math.log(0.11), math.log(256), 64))]
ZEROS = 0.78


def weights_of(ratio: float) -> banks.Floats:
    """Return the shares of the scales where each is so many times the one before."""
    weights = ratio ** np.arange(64.0)
    return np.asarray(weights / weights.sum(), np.float64)


def shares() -> banks.Floats:
    """Return geometric shares with which 78 % of the values are zero, as in a trained codec."""
    zero = np.array([banks.gaussian(scale)[0] for scale in SCALES])
    low, high = 0.5, 1.0  # a lower ratio has more small scales, and so more zeros
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if weights_of(middle) @ zero > ZEROS else (low, middle)
    return weights_of(low)


@pytest.fixture(scope="module")
def drawn() -> tuple[banks.Values, banks.Indexes]:
    rng = np.random.default_rng(2)
    indexes = rng.choice(64, N, p=shares()).astype(np.uint8)
    values = np.rint(rng.normal(size=N) * np.array(SCALES)[indexes]).astype(np.int16)
    return values, indexes


def ideal_bits(values: banks.Values, indexes: banks.Indexes) -> float:
    """Return the information of the values under their true distribution."""
    total = 0.0
    for t, scale in enumerate(SCALES):
        total -= float(np.log2(banks.gaussian(scale)[np.abs(values[indexes == t])]).sum())
    return total


def table_bits(values: banks.Values, indexes: banks.Indexes) -> float:
    """Return the information of the values under the integer tables."""
    total = 0.0
    for t, scale in enumerate(SCALES):
        table = banks.gaussian_table(scale)
        mine, counts = np.unique(values[indexes == t], return_counts=True)
        for value, count in zip(mine.tolist(), counts.tolist(), strict=True):
            position, _ = table.place(value)
            raw = 16 if position == len(table.frequencies) - 1 else 0
            total += count * (raw + table.bits - math.log2(table.frequencies[position]))
    return total


def test_share_of_zeros(drawn: tuple[banks.Values, banks.Indexes]) -> None:
    assert abs((drawn[0] == 0).mean() - ZEROS) < 0.002


def test_rate_overhead(drawn: tuple[banks.Values, banks.Indexes]) -> None:
    values, indexes = drawn
    tables = banks.compile_bank([banks.gaussian_table(scale) for scale in SCALES])
    payload = banks.encode(tables, values, indexes)
    np.testing.assert_array_equal(banks.decode(tables, payload, indexes), values)
    lanes = _arith.Decoder(payload).lanes
    ideal = ideal_bits(values, indexes) / 8
    assert ideal <= len(payload) <= 1.0015 * ideal + 4 * lanes


@pytest.mark.parametrize("lanes", banks.LANES)
def test_coder_adds_next_to_nothing_to_its_tables(
    lanes: int, drawn: tuple[banks.Values, banks.Indexes]
) -> None:
    values, indexes = drawn
    tables = banks.compile_bank([banks.gaussian_table(scale) for scale in SCALES])
    payload = banks.encode(tables, values, indexes, lanes=lanes)
    bits = table_bits(values, indexes)
    assert abs(8 * len(payload) - bits) <= 32 * lanes + 0.0005 * bits
