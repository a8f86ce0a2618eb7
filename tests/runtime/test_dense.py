"""Integer layers in C: every kernel gives what the formula says, for any size."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.runtime.hyperprior.dense import Dense
from c3d_export.runtime.hyperprior.packing import pack

KERNELS = (0, 1, 2, 3)
"""Portable, AVX2, AVX-512, AVX-512 VNNI; what a host lacks falls back to the one below."""


def layer(
    inputs: int, outputs: int, seed: int = 0, most: int = 2000
) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(1e-6, 1e-4, outputs).astype(np.float32)
    return {
        "weight": rng.integers(-most, most + 1, (outputs, inputs)).astype(np.int16),
        "bias": rng.integers(-100000, 100000, outputs).astype(np.int32),
        "scale": scale,
        "negative": (scale * np.float32(0.01)).astype(np.float32),
        "low": np.full(outputs, -300, np.float32),
        "high": np.arange(500, 500 + outputs).astype(np.float32),
    }


def formula(parts: dict[str, NDArray[np.generic]], x: NDArray[np.int16]) -> NDArray[np.int32]:
    total = x.astype(np.int64) @ parts["weight"].astype(np.int64).T + parts["bias"]
    single = total.astype(np.int32).astype(np.float32)  # int32 wraps around, as the sums do
    value = np.maximum(single * parts["scale"], single * parts["negative"])
    return np.rint(value).clip(parts["low"], parts["high"]).astype(np.int32)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("places", [1, 3, 4, 5, 27])
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 1), (7, 32), (96, 33), (130, 96)])
def test_every_kernel_gives_the_formula(
    kernel: int, places: int, inputs: int, outputs: int
) -> None:
    parts = layer(inputs, outputs)
    x = np.random.default_rng(places).integers(-3000, 3000, (places, inputs)).astype(np.int16)
    got = Dense(**parts, kernel=kernel)(x)
    assert np.array_equal(got, formula(parts, x))
    assert len(np.unique(got)) > 1 or got.size < 3


@pytest.mark.parametrize("kernel", KERNELS)
def test_sums_wrap_around_alike(kernel: int) -> None:
    """No certified layer gets there, but a forged bundle may."""
    parts = layer(64, 40, most=32767)
    x = np.full((3, 64), -32768, np.int16)
    assert np.array_equal(Dense(**parts, kernel=kernel)(x), formula(parts, x))


@pytest.mark.parametrize("kernel", KERNELS)
def test_halves_are_rounded_to_even(kernel: int) -> None:
    parts = layer(2, 1)
    parts |= {"weight": np.array([[1, 0]], np.int16), "bias": np.zeros(1, np.int32)}
    half = np.full(1, 0.5, np.float32)
    parts |= {"scale": half, "negative": half, "low": -half * 200, "high": half * 200}
    x = np.zeros((8, 2), np.int16)
    x[:, 0] = [-5, -3, -2, -1, 1, 2, 3, 5]
    assert Dense(**parts, kernel=kernel)(x)[:, 0].tolist() == [-2, -2, -1, 0, 0, 1, 2, 2]


def test_scales_that_are_no_numbers_do_no_harm() -> None:
    parts = layer(2, 3)
    parts["scale"] = np.array([np.inf, np.nan, -np.inf], np.float32)
    parts["bias"] = np.zeros(3, np.int32)
    got = [Dense(**parts, kernel=k)(np.zeros((1, 2), np.int16)).tolist() for k in KERNELS]
    assert got[0] == got[1] == got[2] == got[3] == [[0, 0, 0]]


def test_packing_fills_up_with_zeros() -> None:
    packed = pack(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int16)).reshape(2, 16, 2)
    assert packed[:, :2].tolist() == [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    assert not packed[:, 2:].any()


def test_packing_makes_blocks_of_48_outputs() -> None:
    weight = np.arange(50 * 4, dtype=np.int16).reshape(50, 4)
    packed = pack(weight)
    assert packed.shape == (64 * 4,)
    assert packed[: 48 * 4].reshape(2, 48, 2)[1, 7].tolist() == weight[7, 2:].tolist()
    assert packed[48 * 4 :].reshape(2, 16, 2)[1, 1].tolist() == weight[49, 2:].tolist()
