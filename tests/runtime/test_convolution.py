"""Integer convolutions in C: every kernel gives what the formula says, for any size and input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _native
from c3d_export.runtime.hyperprior.convolution import Convolution
from c3d_export.runtime.slices import Workers

KERNELS = (0, 1, 2, 3)
"""Portable, AVX2, AVX-512, AVX-512 VNNI; what a host lacks falls back to the one below."""

Parts = dict[str, NDArray[Any]]


def layer(shape: tuple[int, int, int, int], seed: int = 0, most: int = 32767) -> Parts:
    """Any weights of int16: sums wrap around."""
    rng = np.random.default_rng(seed)
    outputs = shape[0]
    scale = rng.uniform(1e-7, 2e-5, outputs).astype(np.float32)
    return {
        "weight": rng.integers(-most - 1, most + 1, shape).astype(np.int16),
        "bias": rng.integers(-(2**31), 2**31, outputs).astype(np.int32),
        "scale": scale,
        "negative": (scale * np.float32(0.01)).astype(np.float32),
        "low": np.full(outputs, -300, np.float32),
        "high": np.arange(500, 500 + outputs).astype(np.float32),
    }


def pixels(height: int, width: int, channels: int, seed: int = 1) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    return rng.integers(-32768, 32768, (height, width, channels)).astype(np.int16)


def scaled(parts: Parts, total: NDArray[np.int64]) -> NDArray[np.int64]:
    """The formula behind the sums; int32 wraps around."""
    single = (total + parts["bias"]).astype(np.int32).astype(np.float32)
    value = np.maximum(single * parts["scale"], single * parts["negative"])
    return np.rint(value).clip(parts["low"], parts["high"]).astype(np.int64)


def plain(
    parts: Parts, x: NDArray[np.int16], sides: tuple[int, int, int, int]
) -> NDArray[np.int64]:
    """Products tap by tap. sides: zeros at top, left, bottom and right."""
    weight = parts["weight"].astype(np.int64)
    wide = np.pad(x.astype(np.int64), (sides[::2], sides[1::2], (0, 0)))
    _, kh, kw, _ = weight.shape
    rows, columns = wide.shape[0] - kh + 1, wide.shape[1] - kw + 1
    total = np.zeros((rows, columns, len(weight)), np.int64)
    for r in range(kh):
        for c in range(kw):
            total += wide[r : r + rows, c : c + columns] @ weight[:, r, c].T
    return scaled(parts, total)


def spread(
    parts: Parts, x: NDArray[np.int16], stride: int, padding: int, more: int
) -> NDArray[np.int64]:
    """Transposed: each input is laid down with the whole kernel."""
    weight = parts["weight"].astype(np.int64)
    _, kh, kw, _ = weight.shape
    height, width = ((n - 1) * stride + k + more for n, k in zip(x.shape, (kh, kw), strict=False))
    total = np.zeros((height, width, len(weight)), np.int64)
    rows, columns = stride * (x.shape[0] - 1) + 1, stride * (x.shape[1] - 1) + 1
    for r in range(kh):
        for c in range(kw):
            given = x.astype(np.int64) @ weight[:, r, c].T
            total[r : r + rows : stride, c : c + columns : stride] += given
    inner = slice(padding, -padding or None)
    return scaled(parts, total[inner, inner])


PLAIN = [
    ((96, 3, 3, 6), (5, 9), (1, 1, 1, 1)),
    ((49, 3, 3, 7), (4, 4), (1, 1, 1, 1)),
    ((1, 2, 3, 5), (6, 7), (0, 0, 0, 0)),
    ((17, 1, 3, 2), (3, 11), (0, 0, 0, 0)),
    ((33, 1, 1, 1), (1, 1), (0, 0, 0, 0)),
    ((80, 5, 5, 3), (3, 2), (2, 2, 2, 2)),
    ((5, 2, 2, 4), (3, 3), (1, 0, 0, 2)),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("shape", "size", "sides"), PLAIN)
def test_plain_convolutions(
    kernel: int,
    shape: tuple[int, int, int, int],
    size: tuple[int, int],
    sides: tuple[int, int, int, int],
) -> None:
    parts, x = layer(shape), pixels(*size, shape[3])
    got = Convolution(**parts, padding=sides, kernel=kernel)(x)
    assert got.dtype == np.int16
    assert np.array_equal(got, plain(parts, x, sides))
    assert len(np.unique(got)) > 1 or got.size < 50


SPREAD = [
    ((50, 5, 5, 4), (4, 6), 2, 2, 1),
    ((3, 5, 5, 3), (1, 1), 2, 2, 1),
    ((16, 4, 4, 2), (3, 5), 2, 1, 0),
    ((20, 5, 3, 5), (2, 3), 3, 1, 2),
    ((7, 3, 3, 2), (2, 2), 1, 1, 0),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("shape", "size", "stride", "padding", "more"), SPREAD)
def test_transposed_convolutions(
    kernel: int,
    shape: tuple[int, int, int, int],
    size: tuple[int, int],
    stride: int,
    padding: int,
    more: int,
) -> None:
    parts, x = layer(shape), pixels(*size, shape[3])
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "output_padding": more}
    got = Convolution(**parts, transposed=True, **geometry, kernel=kernel)(x)
    assert np.array_equal(got, spread(parts, x, stride, padding, more))
    assert len(np.unique(got)) > 1


def near_the_bounds(shape: tuple[int, int, int, int], seed: int = 0) -> tuple[Parts, Any]:
    """Weights and magnitudes for which sums come near to 2^29, and 4 x 8191 to int16."""
    rng = np.random.default_rng(seed)
    parts = layer(shape, seed)
    parts["weight"] = rng.integers(-3640, 3641, shape).astype(np.int16)
    parts["weight"][:, :, :, 1:] //= 64
    parts["bias"] = rng.integers(-(2**20), 2**20, shape[0]).astype(np.int32)
    magnitude = np.full(shape[3], 100)
    magnitude[0] = 8191
    return parts, magnitude


def extremes(magnitude: Any, height: int, width: int, seed: int = 2) -> NDArray[np.int16]:
    """Half of them as large as they may be, with any sign."""
    rng = np.random.default_rng(seed)
    shape = (height, width, len(magnitude))
    x = rng.integers(-magnitude, magnitude + 1, shape)
    ends = magnitude * rng.choice([-1, 1], shape)
    return np.where(rng.random(shape) < 0.5, ends, x).astype(np.int16)


def products(convolution: Convolution) -> list[tuple[int, int] | None]:
    return [phase.packed.products for phase in convolution._phases]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("taps", [(3, 3), (3, 2), (2, 3), (2, 2)])
@pytest.mark.parametrize(("outputs", "channels"), [(5, 3), (48, 32), (65, 70)])
def test_fewer_multiplications_give_the_same_sums(
    kernel: int, taps: tuple[int, int], outputs: int, channels: int
) -> None:
    parts, magnitude = near_the_bounds((outputs, *taps, channels))
    saving = Convolution(**parts, padding=1, magnitude=magnitude, kernel=kernel)
    assert products(saving) == [(taps[0] + 1, taps[1] + 1)]
    for height, width in ((1, 1), (4, 7), (7, 4), (9, 9)):
        x = extremes(magnitude, height, width)
        assert np.array_equal(saving(x), plain(parts, x, (1, 1, 1, 1)))


@pytest.mark.parametrize("threads", [1, 3])
def test_fewer_multiplications_of_transposed_convolutions(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c3d_export.runtime.hyperprior.convolution.LEAST_WORK", 1)
    parts, magnitude = near_the_bounds((20, 5, 5, 6))
    geometry: dict[str, Any] = {"transposed": True, "stride": 2, "padding": 2, "output_padding": 1}
    saving = Convolution(**parts, **geometry, magnitude=magnitude, workers=Workers(threads))
    assert products(saving) == [(4, 4), (4, 3), (3, 4), (3, 3)]
    for height, width in ((1, 1), (3, 5), (6, 2)):
        x = extremes(magnitude, height, width)
        assert np.array_equal(saving(x), spread(parts, x, 2, 2, 1))
        assert np.array_equal(saving(x, (2 * height - 1, 3)), saving(x)[: 2 * height - 1, :3])


def test_multiplications_are_not_saved_where_that_may_be_inexact() -> None:
    parts, magnitude = near_the_bounds((4, 3, 3, 2))

    def taken(**changed: Any) -> bool:
        given = {"magnitude": magnitude, **changed}
        return products(Convolution(**{**parts, **given})) != [None]

    assert taken()
    assert not taken(magnitude=None)
    assert not taken(magnitude=magnitude + 1)  # 4 x 8192 is no int16
    even = np.full((4, 3, 3, 2), 3641, np.int16)
    assert not taken(weight=even)  # nor is 9 x 3641
    even[..., 0], even[..., 1] = 3640, 0
    sums = 9 * 3640 * 8191
    assert taken(weight=even, bias=np.full(4, 2**29 - 1 - sums, np.int32))
    assert not taken(weight=even, bias=np.full(4, 2**29 - sums, np.int32))
    assert not taken(weight=np.ones((4, 3, 1, 2), np.int16))
    with pytest.raises(ValueError, match="magnitudes of shape"):
        taken(magnitude=magnitude[:1])


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_extreme_products_wrap_around(kernel: int) -> None:
    """A pair of them is 2^31, which no int32 holds."""
    parts = layer((20, 3, 3, 64))
    parts["weight"][:] = -32768
    x = np.full((3, 3, 64), -32768, np.int16)
    got = Convolution(**parts, padding=1, kernel=kernel)(x)
    assert np.array_equal(got, plain(parts, x, (1, 1, 1, 1)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_outputs_beyond_int16_are_int32(kernel: int) -> None:
    parts = layer((18, 3, 3, 8))
    parts |= {"scale": np.full(18, 1e-3, np.float32), "high": np.full(18, 65535, np.float32)}
    x = pixels(5, 5, 8)
    got = Convolution(**parts, padding=1, kernel=kernel)(x)
    assert got.dtype == np.int32
    assert got.max() > 32767
    assert np.array_equal(got, plain(parts, x, (1, 1, 1, 1)))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_share_the_rows(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c3d_export.runtime.hyperprior.convolution.LEAST_WORK", 1)
    parts, x = layer((40, 5, 5, 6)), pixels(5, 4, 6)
    up: dict[str, Any] = {"transposed": True, "stride": 2, "padding": 2, "output_padding": 1}
    for geometry in (up, {"padding": 2}):
        one = Convolution(**parts, **geometry)
        many = Convolution(**parts, **geometry, workers=Workers(threads))
        assert np.array_equal(one(x), many(x))


@pytest.mark.parametrize("saving", [False, True])
def test_ranges_of_rows_are_those_of_the_whole(saving: bool) -> None:
    for taps, geometry in (
        ((3, 3), {"padding": 1}),
        ((2, 3), {"padding": (0, 1, 2, 0)}),
        ((5, 5), {"transposed": True, "stride": 2, "padding": 2, "output_padding": 1}),
        ((1, 1), {}),
        ((3, 3), {"padding": 5}),
    ):
        parts, magnitude = near_the_bounds((17, *taps, 5))
        more: dict[str, Any] = {**geometry, "magnitude": magnitude if saving else None}
        convolution, x = Convolution(**parts, **more), extremes(magnitude, 9, 6)
        whole = convolution(x)
        step = geometry.get("stride", 1)
        for begin in range(0, len(whole), step):
            for end in range(begin + 1, len(whole) + 1):
                assert np.array_equal(convolution(x, rows=(begin, end)), whole[begin:end])
        for wrong in ((0, len(whole) + 1), (2, 2), (-2, 2), *([(1, 2)] if step == 2 else [])):
            with pytest.raises(ValueError, match="rows"):
                convolution(x, rows=wrong)


def test_inputs_that_are_no_contiguous_int16_array() -> None:
    parts, x = layer((4, 1, 1, 4)), pixels(6, 8, 4)
    convolution = Convolution(**parts)
    cut = x[::2, 1:-1]
    assert np.array_equal(convolution(cut), plain(parts, cut, (0, 0, 0, 0)))
    for wrong in (x[..., :3], x[0], x.astype(np.float32), x.astype(np.int32)):
        with pytest.raises(ValueError, match="4 channels wanted"):
            convolution(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="too small"):
        Convolution(**layer((1, 3, 3, 1)))(pixels(2, 5, 1))


def test_the_largest_total_is_reached_and_not_passed() -> None:
    parts = layer((6, 5, 5, 3), most=300)
    parts["bias"] = parts["bias"] // 2**20
    magnitude = np.array([5, 70, 900])
    for geometry in ({"padding": 2}, {"transposed": True, "stride": 2, "padding": 2}):
        convolution = Convolution(**parts, **geometry)
        taps = np.abs(parts["weight"].astype(np.int64))
        sets = [taps] if "stride" not in geometry else [
            taps[:, r::2, c::2] for r in (0, 1) for c in (0, 1)
        ]  # fmt: skip
        sums = [t.sum((1, 2)) @ magnitude + np.abs(parts["bias"].astype(np.int64)) for t in sets]
        assert convolution.largest_total(magnitude) == np.max(sums)


WRONG: dict[str, dict[str, Any]] = {
    "weights of float": {"weight": np.zeros((4, 3, 3, 2), np.float32)},
    "no channels": {"weight": np.zeros((4, 3, 3, 0), np.int16)},
    "other outputs": {"weight": np.zeros((5, 3, 3, 2), np.int16)},
    "another axis": {"weight": np.zeros((4, 3, 2), np.int16)},
    "short bias": {"bias": np.zeros(3, np.int32)},
    "long scale": {"scale": np.zeros(5, np.float32)},
    "stride": {"stride": 2},
    "no stride": {"stride": 0, "transposed": True},
    "negative padding": {"padding": -1},
    "output padding": {"output_padding": 1},
    "stride beyond the kernel": {"transposed": True, "stride": 4},
    "sides of transposed": {"transposed": True, "padding": (1, 1, 1, 1)},
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_no_convolution_is_refused(fault: str) -> None:
    with pytest.raises(ValueError):
        Convolution(**{**layer((4, 3, 3, 2)), **WRONG[fault]})


def test_ranges_that_are_no_numbers_are_refused() -> None:
    for value in (np.nan, np.inf, 1e9):
        parts = layer((4, 1, 1, 2)) | {"high": np.full(4, value, np.float32)}
        with pytest.raises(ValueError):
            Convolution(**parts)(pixels(1, 1, 2))


def test_scales_that_are_no_numbers_do_no_harm() -> None:
    parts = layer((3, 1, 1, 2))
    parts["scale"] = np.array([np.inf, np.nan, -np.inf], np.float32)
    parts["bias"] = np.zeros(3, np.int32)
    x = np.zeros((1, 1, 2), np.int16)
    got = [Convolution(**parts, kernel=k)(x).tolist() for k in KERNELS]
    assert got[0] == got[1] == got[2] == got[3] == [[[0, 0, 0]]]


def test_a_host_takes_no_kernel_above_the_one_that_is_allowed() -> None:
    taken = [_native.convolution_kernel(most) for most in KERNELS]
    assert taken[0] == 0
    assert taken == sorted(taken)
    assert all(kernel <= most for kernel, most in zip(taken, KERNELS, strict=True))
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match="no such kernel"):
            _native.convolution_kernel(wrong)


# x (rows 2, columns 3, 4 channels), one run of four, five outputs.
SIZES, PLACES = (1, 4, 5), (2, 3, 0, 12, 4, 12, 0, 15, 5)


def test_wrong_sizes_are_refused_before_anything_is_written() -> None:
    parts = [np.zeros(16, np.int32), *(np.zeros(16, np.float32) for _ in range(4))]
    x, weight = np.zeros(24, np.int16), np.zeros((2, 16, 2), np.int16)
    out = np.zeros(30, np.int16)
    _native.convolve(x, SIZES, weight, tuple(parts), PLACES, 3, out)
    long, huge = (1, 6, 5), 1 << 62
    changes = [(0, 3), (1, 4), (2, 1), (3, 13), (4, 5), (6, 1), (7, 16), (8, 6), (0, 0)]
    changes += [(1, -1), (2, -1), (3, huge), (5, -12), (6, huge), (8, -1)]
    at = [(*PLACES[:n], value, *PLACES[n + 1 :]) for n, value in changes]
    nan = [*parts[:4], np.full(16, np.nan, np.float32)]
    wide = [*parts[:4], np.full(16, 40000, np.float32)]
    wrong: list[tuple[Any, ...]] = [(x, SIZES, weight, parts, places, 3, out) for places in at]
    wrong += [
        (x[:23], SIZES, weight, parts, PLACES, 3, out),
        (x.astype(np.int32), SIZES, weight, parts, PLACES, 3, out),
        (x, (2, 4, 5), weight, parts, PLACES, 3, out),
        (x, (1, 3, 5), weight, parts, PLACES, 3, out),
        (x, (1, 4, 0), weight, parts, PLACES, 3, out),
        (x, (1, 4, 17), weight, parts, PLACES, 3, out),
        (x, (1 << 19, 1 << 19, 5), weight, parts, PLACES, 3, out),
        (x, long, weight, parts, PLACES, 3, out),
        (x, SIZES, weight[:1], parts, PLACES, 3, out),
        (x, SIZES, weight, [parts[0][:15], *parts[1:]], PLACES, 3, out),
        (x, SIZES, weight, parts, PLACES, 4, out),
        (x, SIZES, weight, parts, PLACES, -1, out),
        (x, SIZES, weight, parts, PLACES, 3, out[:29]),
        (x, SIZES, weight, parts, PLACES, 3, out.astype(np.int64)),
        (x, SIZES, weight, nan, PLACES, 3, out),
        (x, SIZES, weight, wide, PLACES, 3, out),
        (x, SIZES, weight, parts, PLACES, 3, bytes(60)),
    ]
    wrong += [(*case, (3, 3)) for case in wrong[-3:]]
    before = out.copy()
    for case in wrong:
        with pytest.raises((ValueError, BufferError)):
            _native.convolve(*case[:3], tuple(case[3]), *case[4:])
    assert np.array_equal(out, before)
    _native.convolve(x, SIZES, weight, tuple(wide), PLACES, 3, out.astype(np.int32))


def test_wrong_products_are_refused_before_anything_is_written() -> None:
    """2 x 2 taps, so 3 x 3 products, for 3 x 3 outputs: 5 x 5 inputs are read, the last row and
    column of which belong to outputs that are not wanted."""
    parts = [np.zeros(16, np.int32), *(np.zeros(16, np.float32) for _ in range(4))]
    x, weight, out = np.zeros(100, np.int16), np.zeros((9, 2, 16, 2), np.int16), np.zeros(45, "<i2")
    sizes, places = (9, 4, 5), (3, 3, 0, 20, 4, 0, 0, 15, 5)
    good: tuple[Any, ...] = (x, sizes, weight, tuple(parts), places, 3, out, (3, 3))
    _native.winograd(*good)
    wrong = {
        0: [x[:99]],
        1: [(8, 4, 5), (9, 3, 5), (9, 4, 17)],
        2: [weight[:8]],
        4: [(4, 3, *places[2:]), (*places[:4], 5, *places[5:]), (3, 3, 1, *places[3:])],
        5: [4],
        6: [out[:44]],
        7: [(3, 4), (2, 3), (5, 3), (9, 1), (-3, -3)],
    }
    for at, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError):
                _native.winograd(*good[:at], value, *good[at + 1 :])
    with pytest.raises(ValueError):
        _native.winograd(*good[:7])
    assert not out.any()
