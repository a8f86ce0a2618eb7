"""From what an entropy path says to symbols and latents, in C."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _native

LARGEST = 32767
TABLE = np.searchsorted(np.arange(28, 60000, 950), np.arange(65536), side="right").astype(np.uint8)


def symbols(y: NDArray[np.float32], mean: NDArray[np.int16], fraction: int) -> Any:
    out = np.empty(y.shape, np.int16)
    _native.symbols(y, mean, y.size, fraction, out)
    return out


def y_hat(symbol: NDArray[np.int16], mean: NDArray[np.int16], fraction: int) -> Any:
    out = np.empty(symbol.shape, np.int16)
    return _native.y_hat(symbol, mean, symbol.size, fraction, out), out


def test_heads_are_table_indexes_and_means() -> None:
    rng = np.random.default_rng(1)
    out = rng.integers(0, 65536, (7, 2, 5)).astype(np.int32)
    out[:, 1] -= 32768
    out[0] = [[-1, 0, 65535, 65536, 2**31 - 1], [-(2**31), -32768, 32767, 32768, 0]]
    index, mean = np.empty((7, 5), np.uint8), np.empty((7, 5), np.int16)
    _native.heads(out, 7, 5, TABLE, index, mean)
    assert np.array_equal(index, TABLE[out[:, 0].clip(0, 65535)])
    assert np.array_equal(mean, out[:, 1].clip(-32768, 32767))


@pytest.mark.parametrize("fraction", [0, 3, 6])
def test_symbols_are_whole_distances_from_means(fraction: int) -> None:
    rng = np.random.default_rng(fraction)
    one = 1 << fraction
    mean = rng.integers(-9000, 9001, 5000).astype(np.int16)
    y = rng.normal(0, 90, 5000).astype(np.float32)
    y[:1000] = mean[:1000] / np.float32(one) + rng.integers(-5, 6, 1000) + np.float32(0.5)
    got = symbols(y, mean, fraction)
    wanted = np.rint(y - mean / np.float32(one))
    assert np.array_equal(got, wanted)
    assert (got % 2 == 0)[:1000].all(), "halves go to the even symbol"
    inside, latents = y_hat(got, mean, fraction)
    assert inside
    assert np.array_equal(latents, (wanted * one + mean).astype(np.int64))


@pytest.mark.parametrize("fraction", [1, 2, 6])
def test_what_would_leave_the_range_becomes_the_nearest_that_does_not(fraction: int) -> None:
    far = np.array([1e30, -1e30, np.inf, -np.inf, np.nan, 40000, -40000], np.float32)
    means = np.array([-32768, -32767, -5, 0, 77, 32767], np.int16)
    y, mean = (a.reshape(-1) for a in np.meshgrid(far, means))
    inside, latents = y_hat(symbols(y, mean, fraction), mean, fraction)
    assert inside
    step = 1 << fraction
    up = (y > 0).reshape(len(means), -1)
    ends = latents.reshape(len(means), -1).astype(int)
    assert (ends[up] > LARGEST - step).all()
    assert (ends[~up] < -LARGEST + step).all()


def test_latents_out_of_range_are_told() -> None:
    mean = np.array([0, 0, 10], np.int16)
    for symbol, fraction, inside in ((511, 6, True), (512, 6, False), (-512, 6, False)):
        values = np.array([0, symbol, 1], np.int16)
        assert y_hat(values, mean, fraction)[0] is inside
    assert y_hat(np.array([-32768], np.int16), np.zeros(1, np.int16), 0)[0] is False


def test_wrong_sizes_are_refused() -> None:
    f, i, b = np.zeros(6, np.float32), np.zeros(6, np.int16), np.zeros(6, np.uint8)
    out = np.zeros(12, np.int32)
    good: list[tuple[Any, tuple[Any, ...]]] = [
        (_native.heads, (out, 2, 3, TABLE, b, i)),
        (_native.symbols, (f, i, 6, 4, i.copy())),
        (_native.y_hat, (i, i, 6, 4, i.copy())),
    ]
    for call, given in good:
        call(*given)
        for at, value in enumerate(given):
            wrong = value[:-1] if isinstance(value, np.ndarray) else -1
            with pytest.raises(ValueError):
                call(*given[:at], wrong, *given[at + 1 :])
    with pytest.raises(ValueError, match="no such fraction"):
        _native.symbols(f, i, 6, 7, i.copy())
