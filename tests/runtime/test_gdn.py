"""GDN of integers in C against the same numbers by numpy, whose square roots are exact."""

from __future__ import annotations

import numpy as np
import pytest

from c3d_export import _native
from c3d_export.runtime.hyperprior.convolution import Convolution
from c3d_export.runtime.hyperprior.gdn import SHIFT, InverseGDN
from c3d_export.runtime.slices import Workers

KERNELS = (0, 1, 2, 3)
"""As of convolutions; what a host lacks falls back to the one below."""


def _wanted(x: np.ndarray, norm: np.ndarray, scale: np.ndarray, most: int) -> np.ndarray:
    factor = np.sqrt(norm.astype(np.float32)) * scale
    return np.rint(x.astype(np.float32) * factor).clip(-most, most)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_the_formula(threads: int, kernel: int) -> None:
    rng = np.random.default_rng(threads)
    rows, columns, channels = 7, 5, 19
    weight = rng.integers(0, 3000, (channels, 1, 1, channels)).astype(np.int16)
    bias = rng.integers(1, 9000, channels).astype(np.int32)
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    workers = Workers(threads)
    norm = Convolution(weight, bias, 1e-4 * ones, zeros, zeros, 65535 * ones, workers=workers)
    scale = rng.uniform(1e-5, 2e-3, channels).astype(np.float32)
    norm.kernel = kernel
    gdn = InverseGDN(norm, scale, -4000 * ones, 4000 * ones, workers)
    x = rng.integers(-32768, 32768, (rows, columns, channels)).astype(np.int16)
    out = np.full((rows, columns, channels + 6), 77, np.int16)
    gdn(x, out, 2)
    square = np.minimum((x.astype(np.int64) ** 2 + (1 << (SHIFT - 1))) >> SHIFT, 32767)
    wanted = _wanted(x, norm(square.astype(np.int16)), scale, 4000)
    assert np.array_equal(out[:, :, 2:-4], wanted)
    assert (out[:, :, :2] == 77).all()
    assert (out[:, :, -4:] == 77).all()
    assert len(np.unique(wanted)) > 100, "nearly all is clipped: nothing is compared"


@pytest.mark.parametrize("kernel", KERNELS)
def test_squares_of_all_numbers(kernel: int) -> None:
    x = np.arange(-32768, 32768).astype(np.int16)
    for shift in (1, 11, 30):
        out = np.empty_like(x)
        _native.square(x, x.size, shift, kernel, out)
        wanted = (x.astype(np.int64) ** 2 + (1 << (shift - 1))) >> shift
        assert np.array_equal(out, np.minimum(wanted, 32767))


@pytest.mark.parametrize("kernel", KERNELS)
def test_halves_are_rounded_to_even(kernel: int) -> None:
    x = np.array([[1, 2, 3, 5, -1, -3]], np.int16)
    norm, one = np.ones(x.shape, np.int32), np.ones(6, np.float32)
    out = np.empty_like(x)
    _native.normalise(x, norm, (1, 6), (one / 2, -9 * one, 9 * one), (0, 6), kernel, out)
    assert out.tolist() == [[0, 1, 2, 2, 0, -2]]


def test_wrong_sizes_and_ranges_are_refused() -> None:
    x, norm, one = np.zeros((2, 3), np.int16), np.zeros((2, 3), np.int32), np.ones(3, np.float32)
    good = (x, norm, (2, 3), (one, -one, one), (0, 3), 3, np.empty_like(x))
    _native.normalise(*good)
    nan = np.full(3, np.nan, np.float32)
    wrong = [
        (x[:1], *good[1:]),
        (*good[:2], (3, 3), *good[3:]),
        (*good[:2], (0, 3), *good[3:]),
        (*good[:3], (nan, -one, one), *good[4:]),
        (*good[:3], (one, one, -one), *good[4:]),
        (*good[:3], (one, -one, 40000 * one), *good[4:]),
        (*good[:3], (-one, -one, one), *good[4:]),
        (*good[:4], (1, 3), *good[5:]),
        (*good[:4], (-1, 3), *good[5:]),
        (*good[:5], 4, good[6]),
        (*good[:5], -1, good[6]),
        (*good[:6], np.empty((2, 2), np.int16)),
    ]
    for arguments in wrong:
        with pytest.raises(ValueError, match=r".+"):
            _native.normalise(*arguments)
    for count, shift in ((5, 11), (0, 11), (6, 0), (6, 31)):
        with pytest.raises(ValueError, match=r".+"):
            _native.square(x, count, shift, 3, np.empty_like(x))
