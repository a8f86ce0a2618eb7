"""The C passes against literal numpy, and what they say to wrong buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _native

PLANES = 4
CHANNELS = 6
BASE = 4
GRID = (3, 5)
PADDED = (4, 8)
SIZES = [(1, 1), (1, 40), (16, 16), (17, 33), (40, 7)]

Bytes = NDArray[np.uint8]
Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(4)


def _cells(frame: Bytes, side: int) -> Bytes:
    """(H, W, 3) -> (rows, columns, side * side * 3), the edges repeated up to 16."""
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, -height % 16), (0, -width % 16), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    out = np.empty((rows, columns, side * side * 3), np.uint8)
    for r, c in np.ndindex(rows, columns):
        out[r, c] = padded[r * side : (r + 1) * side, c * side : (c + 1) * side].ravel()
    return out


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_unshuffle(rng: Rng, height: int, width: int) -> None:
    frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    wanted = _cells(frame, 8), _cells(frame, 16)
    patches, blocks = (np.full_like(x, 77) for x in wanted)
    _native.unshuffle(frame, height, width, patches, blocks)
    assert np.array_equal(patches, wanted[0])
    assert np.array_equal(blocks, wanted[1])


def _unit_scale(rng: Rng, extreme: int | None) -> tuple[NDArray[Any], ...]:
    """scale and bias of the linear path: such that outputs of all sizes come up, ties too."""
    scale = rng.choice(np.array([0.5, 0.125, 1e-3, 0.3], np.float32), 768)
    bias = rng.integers(-(1 << 20), 1 << 20, 768).astype(np.int32)
    return (scale, bias // 1024) if extreme is None else (np.full_like(scale, 0.5), bias)


@pytest.mark.parametrize("extreme", [None, -(1 << 31), (1 << 31) - 1])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shuffle(rng: Rng, height: int, width: int, extreme: int | None) -> None:
    rows, columns = -(-height // 16), -(-width // 16)
    sums = rng.integers(-9000, 9000, (rows, columns, 768)).astype(np.int32)
    scale, bias = _unit_scale(rng, extreme)
    if extreme is not None:
        sums[:] = extreme
        bias[:] = 0
    correction = rng.integers(0, 256, (2 * rows, 2 * columns, 192), dtype=np.uint8)
    output = np.rint((sums + bias).astype(np.float32) * scale).clip(-32767, 32767)
    eighths = _picture(output, 16) + 4.0 * _picture(correction.astype(np.float64) - 128, 8)
    wanted = np.clip(128 + np.floor((eighths + 4) / 8), 0, 255)
    frame = np.full((height, width, 3), 77, np.uint8)
    _native.shuffle(sums, scale, bias, correction, frame, height, width)
    assert np.array_equal(frame, wanted[:height, :width])


def _picture(cells: NDArray[Any], side: int) -> NDArray[Any]:
    """The inverse of `_cells`."""
    rows, columns, _ = cells.shape
    blocks = cells.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(rows * side, columns * side, 3)


def test_a_sum_that_wraps_around_is_no_fault(rng: Rng) -> None:
    """Biases are bounded, the sums of a foreign graph are not."""
    sums = np.full((1, 1, 768), (1 << 31) - 1, np.int32)
    bias, scale = np.full(768, 1 << 23, np.int32), np.full(768, 0.5, np.float32)
    frame = np.empty((16, 16, 3), np.uint8)
    _native.shuffle(sums, scale, bias, np.full((2, 2, 192), 128, np.uint8), frame, 16, 16)
    assert (frame == 0).all()


RAW = 16
"""The first latents, which stand for themselves."""


def _activity(v: NDArray[Any], factor: NDArray[np.int32], base: int = BASE) -> NDArray[np.int64]:
    """Literal: 128 + latents, then signed activities of the base, then all magnitudes."""
    size = (np.abs(v).astype(np.int64) * factor[: v.shape[-1]] + 32768) // 65536
    size = np.minimum(size, 64) + (np.minimum(size, 512) - np.minimum(size, 64)) // 8
    signed = np.sign(v) * size
    signed[..., :RAW] = v[..., :RAW]
    return 128 + np.concatenate([signed[..., :base], size], axis=-1).astype(np.int64)


FACTOR = np.array([65536, 1, 1 << 23, 40000, 4 * 65536, 17], np.int32)


def test_latents(rng: Rng) -> None:
    shape = (*GRID, CHANNELS)
    sums = [rng.integers(-(1 << 20), 1 << 20, shape).astype(np.int32) for _ in range(2)]
    scales = [rng.uniform(1e-5, 1e-4, CHANNELS).astype(np.float32) for _ in range(2)]
    biases = [rng.normal(0, 40, CHANNELS).astype(np.float32) for _ in range(2)]
    # Ties: round half to even is what ONNX and PyTorch do.
    sums[0][0, 0], sums[1][0, 0] = np.arange(-3, 3), 0
    scales[0][:], biases[0][:], biases[1][:2] = 0.5, 0.0, 0.0
    sums[0][1:] //= 1 << 10
    parts = [s.astype(np.float32) * k + b for s, k, b in zip(sums, scales, biases, strict=True)]
    wanted = parts[0] + parts[1]
    y = np.empty(shape, np.float32)
    activity = np.full((*PADDED, BASE + CHANNELS + PLANES), 77, np.uint8)
    _native.latents(
        *(sums[0], sums[1], scales[0], biases[0], scales[1], biases[1], FACTOR),
        *(*GRID, CHANNELS, BASE, *PADDED, y, activity),
    )
    assert np.array_equal(y, wanted)
    inside = activity[: GRID[0], : GRID[1], : BASE + CHANNELS]
    assert np.array_equal(inside, _activity(np.rint(wanted).clip(-128, 127), FACTOR))
    inside[:] = 77
    assert (activity == 77).all(), "nothing beside the activities is touched"


@pytest.mark.parametrize("base", [1, 63, 64, 65, 130, 200])
def test_latents_of_many_channels(rng: Rng, base: int) -> None:
    """The pass goes by chunks of channels; the base may end in any of them."""
    channels = 200
    sums = rng.integers(-3000, 3000, (1, 2, channels)).astype(np.int32)
    scale, bias = np.full(channels, 0.05, np.float32), np.zeros(channels, np.float32)
    factor = rng.integers(1, 1 << 18, channels).astype(np.int32)
    y = np.empty(sums.shape, np.float32)
    out = np.full((1, 2, base + channels + PLANES), 77, np.uint8)
    zero = np.zeros_like(sums)
    _native.latents(
        sums, zero, scale, bias, scale, bias, factor, 1, 2, channels, base, 1, 2, y, out
    )
    v = np.rint(y).clip(-128, 127)
    assert np.array_equal(out[..., : base + channels], _activity(v, factor, base))


def test_activity(rng: Rng) -> None:
    v = rng.integers(0, 256, (*GRID, CHANNELS), dtype=np.uint8)
    v[0, :3, 0] = 0, 255, 128
    out = np.full((*GRID, 2 * BASE + PLANES), 77, np.uint8)
    _native.activity(v, FACTOR, *GRID, CHANNELS, BASE, out)
    wanted = _activity(v[..., :BASE].astype(np.int64) - 128, FACTOR)
    assert np.array_equal(out[..., : 2 * BASE], wanted)
    assert wanted[..., BASE:].max() == 128 + 120
    assert (out[..., 2 * BASE :] == 77).all()


@pytest.mark.parametrize("base", [1, RAW, RAW + 1, 30])
def test_activity_beyond_the_raw_channels(rng: Rng, base: int) -> None:
    v = rng.integers(0, 256, (*GRID, 30), dtype=np.uint8)
    factor = rng.integers(1, 1 << 18, 30).astype(np.int32)
    out = np.full((*GRID, 2 * base + PLANES), 77, np.uint8)
    _native.activity(v, factor, *GRID, 30, base, out)
    wanted = _activity(v[..., :base].astype(np.int64) - 128, factor, base)
    assert np.array_equal(out[..., : 2 * base], wanted)


# First channel, channels and pattern of the coding steps.
STEPS = [(0, BASE, 0), (0, BASE, 1), (BASE, CHANNELS - BASE, 2), (0, CHANNELS, 1), (3, 2, 2)]
each_step = pytest.mark.parametrize("step", STEPS, ids=str)
Step = tuple[int, int, int]


def _share(plane: NDArray[Any], step: Step) -> NDArray[Any]:
    """(h, w, channels) -> the step's range of channels."""
    return plane[..., step[0] : step[0] + step[1]]


def _mask(step: Step) -> NDArray[np.bool_]:
    r, c, k = np.mgrid[0 : GRID[0], 0 : GRID[1], 0 : step[1]]
    return (r + c + k) % 2 == step[2] if step[2] < 2 else np.full(r.shape, True)


def _selected(part: NDArray[Any], step: Step) -> NDArray[Any]:
    """The values of one coding step, in coding order."""
    return part[_mask(step)]


def _coded(step: Step) -> int:
    return int(_mask(step).sum())


@each_step
def test_indexes(rng: Rng, step: Step) -> None:
    fine = rng.integers(0, 256, (*PADDED, step[1]), dtype=np.uint8)
    offset = np.array([-300, -7, 0, 3, 200, 32767], np.int16)
    out = np.full(_coded(step), 77, np.uint8)
    _native.indexes((*GRID, CHANNELS, *PADDED, *step), fine, offset, out)
    moved = fine[: GRID[0], : GRID[1]].astype(np.int64) + _share(offset, step)
    assert np.array_equal(out, _selected(moved.clip(0, 255) // 4, step))


@pytest.mark.parametrize("channels", [CHANNELS, 100])
@pytest.mark.parametrize("spread", [0.3, 60.0])
@pytest.mark.parametrize("most", [0.5, 1.0])
@pytest.mark.parametrize("pattern", [0, 1, 2])
def test_quantize(rng: Rng, pattern: int, most: float, spread: float, channels: int) -> None:
    """Runs of zeros only and others, whole runs and parts of one, and what is no number."""
    step = (2, channels - 2, pattern)
    mean, fine = rng.integers(0, 256, (2, *PADDED, step[1]), dtype=np.uint8)
    centre = mean[: GRID[0], : GRID[1]].astype(np.float32) - np.float32(128)
    y = rng.normal(0, spread, (*GRID, channels)).astype(np.float32)
    _share(y, step)[:] += centre
    y[0, 0, 2:4], y[0, 1, -2:] = 3e38, -np.inf
    reciprocal = np.resize(np.array([256, 1, 0.3, 0.01, 2, 1 / 3], np.float32), channels)
    rounding = np.linspace(0.1, most, 64, dtype=np.float32)
    offset = np.resize(np.array([-300, -7, 0, 3, 200, 32767], np.int16), channels)
    steps = np.resize(np.array([1, 65535, 128, 127, 300, 4000], np.int32), channels)
    grid, size = (*GRID, channels, *PADDED, *step), GRID[0] * GRID[1] * step[1]
    size //= 2 if pattern < 2 else 1
    symbols, indexes = np.full(size, 77, np.int16), np.full(size, 77, np.uint8)
    v = np.full(y.shape, 77, np.uint8)
    fixed = (offset, reciprocal, rounding, steps)
    _native.quantize(grid, y, mean, fine, *fixed, symbols, indexes, v)
    wanted, wanted_v = np.empty_like(indexes), np.full_like(v, 77)
    _native.indexes(grid, fine, offset, wanted)
    assert np.array_equal(indexes, wanted)
    with np.errstate(over="ignore"):
        ratio = _selected((_share(y, step) - centre) * _share(reciprocal, step), step)
    magnitude = np.minimum(np.abs(ratio), np.float32(32000)) + rounding[indexes]
    assert np.array_equal(symbols, np.sign(ratio) * np.floor(magnitude))
    _native.dequantize(grid, symbols, mean, steps, wanted_v, np.empty(0, np.int16), 0)
    assert np.array_equal(v, wanted_v), "only this step's latents are written"


@pytest.mark.parametrize("fine_channels", [0, 1, 3, CHANNELS])
@each_step
def test_dequantize(rng: Rng, step: Step, fine_channels: int) -> None:
    symbols = rng.integers(-9, 10, _coded(step)).astype(np.int16)
    symbols[:4] = (32767, -32768, 1, -1)
    mean = rng.integers(0, 256, (*PADDED, step[1]), dtype=np.uint8)
    mean[0, 0], mean[0, 1] = 255, 0
    steps = np.array([1, 65535, 128, 127, 300, 4000], np.int32)
    v = np.full((*GRID, CHANNELS), 77, np.uint8)
    fine = np.full((*GRID, fine_channels), 77, np.int16)
    grid = (*GRID, CHANNELS, *PADDED, *step)
    _native.dequantize(grid, symbols, mean, steps, v, fine, fine_channels)
    every = np.broadcast_to(_share(steps, step), (*GRID, step[1]))
    centre = _selected(mean[: GRID[0], : GRID[1]], step).astype(np.int64) - 128
    exact = 256 * centre + symbols.astype(np.int64) * _selected(every, step)
    exact = exact.clip(-128 * 256, 127 * 256)
    wanted, wanted_fine = np.full_like(v, 77), np.full((*GRID, CHANNELS), 77, np.int16)
    _share(wanted, step)[_mask(step)] = 128 + (exact + 128) // 256
    _share(wanted_fine, step)[_mask(step)] = exact
    assert np.array_equal(v, wanted), "only this step's latents are written"
    assert np.array_equal(fine, wanted_fine[..., :fine_channels])


RUNS = [(0, 2, 26), (0, 2, 77), (2, 3, 213), (1, 1, 0), (0, 5, 255)]


def test_spread(rng: Rng) -> None:
    v = rng.integers(0, 256, (*GRID, CHANNELS), dtype=np.uint8)
    fine = rng.integers(-128 * 256, 127 * 256 + 1, (*GRID, 5)).astype(np.int16)
    fine[0, 0], fine[0, 1] = -128 * 256, 127 * 256
    planes = np.array([1, 2, 3, 4], np.uint8)
    seen = np.empty((*GRID, CHANNELS + PLANES), np.uint8)
    extra = sum(count for _, count, _ in RUNS)
    spread = np.empty((*GRID, CHANNELS + extra), np.uint8)
    runs = np.array(RUNS, np.int32)
    _native.spread(v, fine, planes, *GRID, CHANNELS, 5, runs, len(RUNS), seen, spread)
    assert np.array_equal(seen[..., :CHANNELS], v)
    assert (seen[..., CHANNELS:] == planes).all()
    wide = fine.astype(np.int64)
    copies = [128 + (wide[..., first : first + count] + o) // 256 for first, count, o in RUNS]
    assert np.array_equal(spread, np.concatenate([v, *copies], axis=-1))


@pytest.mark.parametrize(
    "run",
    [(-1, 1, 0), (0, 0, 0), (0, 6, 0), (5, 1, 0), (1 << 30, 1 << 30, 0), (0, 1, -1), (0, 1, 256)],
)
def test_a_run_that_leaves_the_fine_latents(run: tuple[int, int, int]) -> None:
    arguments = list(CALLS["spread"])
    arguments[7] = np.array([run], np.int32)
    with pytest.raises(ValueError, match="outside the fine latents"):
        _native.spread(*arguments)


POSITIONS = GRID[0] * GRID[1]
ALL = POSITIONS * CHANNELS
HALF = ALL // 2
PLANE = PADDED[0] * PADDED[1] * CHANNELS
TUPLE = (*GRID, CHANNELS, *PADDED, 0, CHANNELS, 0)
# Arguments of a valid call; buffers are given by their size in bytes.
CALLS: dict[str, tuple[Any, ...]] = {
    "unshuffle": (b"f" * 17 * 33 * 3, 17, 33, bytearray(6 * 768), bytearray(6 * 768)),
    "shuffle": (
        *(b"p" * 4 * 6 * 768, b"\0" * 4 * 768, b"\0" * 4 * 768, b"p" * 6 * 768),
        *(bytearray(17 * 33 * 3), 17, 33),
    ),
    "spread": (
        *(b"v" * ALL, b"f" * 2 * POSITIONS * 5, b"pppp", *GRID, CHANNELS, 5),
        *(b"\1\0\0\0\2\0\0\0\7\0\0\0", 1, bytearray(POSITIONS * (CHANNELS + PLANES))),
        bytearray(POSITIONS * (CHANNELS + 2)),
    ),
    "latents": (
        *[b"\0" * 4 * ALL] * 2,
        *[b"\0" * 4 * CHANNELS] * 4,
        *(b"\1\0\0\0" * CHANNELS, *GRID, CHANNELS, BASE, *PADDED),
        *(bytearray(4 * ALL), bytearray(PADDED[0] * PADDED[1] * (BASE + CHANNELS + PLANES))),
    ),
    "activity": (
        *(b"v" * ALL, b"\1\0\0\0" * CHANNELS, *GRID),
        *(CHANNELS, BASE, bytearray(POSITIONS * (2 * BASE + PLANES))),
    ),
    "indexes": (TUPLE, b"i" * PLANE, b"\0" * 2 * CHANNELS, bytearray(HALF)),
    "quantize": (
        *(TUPLE, b"\0" * 4 * ALL, b"m" * PLANE, b"i" * PLANE, b"\0" * 2 * CHANNELS),
        *(b"\0" * 4 * CHANNELS, b"\0" * 256, b"\1\0\0\0" * CHANNELS),
        *(bytearray(2 * HALF), bytearray(HALF), bytearray(ALL)),
    ),
    "dequantize": (
        *(TUPLE, b"\0" * 2 * HALF, b"m" * PLANE, b"\1\0\0\0" * CHANNELS),
        *(bytearray(ALL), bytearray(2 * POSITIONS * 2), 2),
    ),
}


def _wrong(argument: object) -> list[object]:
    """Values that must not be taken in the place of this one."""
    if isinstance(argument, bytes | bytearray):
        kind = type(argument)
        values: list[object] = [kind(argument[:-1]), kind(argument + b"\0"), kind(), None, "text"]
        values.append(np.zeros(2 * len(argument), np.uint8)[::2])
        return [*values, bytes(argument)] if kind is bytearray else values
    if isinstance(argument, tuple):
        cut = [argument[:-1], (*argument, 1), list(argument), None, (*argument[:7], 3)]
        wrong = [
            (*argument[:i], bad, *argument[i + 1 :])
            for i in (*range(5), 6)
            for bad in (0, -1, 1 << 20)
        ]
        return cut + wrong + [(*argument[:5], bad, *argument[6:]) for bad in (-1, 1, 1 << 60)]
    return [0, -1, 1 << 20, 1 << 80, None, "1", 1.5]


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_are_refused_one_by_one(name: str) -> None:
    function: Callable[..., None] = getattr(_native, name)
    arguments = CALLS[name]
    function(*arguments)
    for i, argument in enumerate(arguments):
        for bad in _wrong(argument):
            with pytest.raises((ValueError, TypeError, BufferError, OverflowError)):
                function(*arguments[:i], bad, *arguments[i + 1 :])
    with pytest.raises(TypeError):
        function(*arguments[:-1])


def test_checkerboards_of_an_odd_number_of_channels() -> None:
    with pytest.raises(ValueError, match="range of channels"):
        _native.indexes((*GRID, CHANNELS, *PADDED, 0, 5, 0), *CALLS["indexes"][1:])


@pytest.mark.parametrize("factor", [0, -1, (1 << 23) + 1])
@pytest.mark.parametrize(("name", "place"), [("latents", 6), ("activity", 1)])
def test_factors_whose_products_would_overflow(name: str, place: int, factor: int) -> None:
    arguments = list(CALLS[name])
    arguments[place] = np.array([1, 1, 1, factor, 1, 1], np.int32)
    with pytest.raises(ValueError, match="factor"):
        getattr(_native, name)(*arguments)
