"""The payload is close to the information in the symbols."""

import math

import numpy as np

from c3d_export import _arith

from . import banks

N = 1_000_000
SCALES = [float(s) for s in np.exp(np.linspace(math.log(0.11), math.log(64), 64))]


def gaussian_symbols() -> tuple[banks.Symbols, banks.Indexes]:
    """Mostly small scales, as in the latents of a trained codec: four zeros in five."""
    rng = np.random.default_rng(2)
    indexes = np.minimum(63, rng.exponential(12, N)).astype(np.uint8)
    scales = np.array(SCALES)[indexes]
    return np.rint(rng.normal(size=N) * scales).astype(np.int16), indexes


def ideal_bits(symbols: banks.Symbols, indexes: banks.Indexes) -> float:
    """Return the information of the symbols under their true distribution."""
    total = 0.0
    for t, scale in enumerate(SCALES):
        values, counts = np.unique(symbols[indexes == t], return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            total -= count * math.log2(banks.gaussian(scale, value))
    return total


def table_bits(symbols: banks.Symbols, indexes: banks.Indexes) -> float:
    """Return the information of the symbols under the integer tables."""
    total = 0.0
    for t, scale in enumerate(SCALES):
        table = banks.gaussian_table(scale)
        values, counts = np.unique(symbols[indexes == t], return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            position = value - table.minimum if table.covers(value) else table.size
            raw = 0 if position < table.size else 16
            total += count * (raw - math.log2(table.frequencies[position] / 4096))
    return total


def test_rate_overhead() -> None:
    symbols, indexes = gaussian_symbols()
    tables = banks.compile_bank([banks.gaussian_table(scale) for scale in SCALES])
    payload = _arith.encode(tables, symbols, indexes)
    np.testing.assert_array_equal(banks.decode(tables, payload, indexes), symbols)
    bits = 8 * len(payload)
    assert 0 <= bits / ideal_bits(symbols, indexes) - 1 <= 0.005
    assert abs(bits / table_bits(symbols, indexes) - 1) <= 0.001
