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


@pytest.mark.parametrize("extreme", [None, 0, 255])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shuffle(rng: Rng, height: int, width: int, extreme: int | None) -> None:
    rows, columns = -(-height // 16), -(-width // 16)
    parts = [
        rng.integers(0, 256, (16 * rows, 16 * columns, 3), dtype=np.uint8)
        if extreme is None
        else np.full((16 * rows, 16 * columns, 3), extreme, np.uint8)
        for _ in range(3)
    ]
    base, detail, correction = (part.astype(np.int64) - 128 for part in parts)
    wanted = np.clip(128 + (2 * base + detail + correction + 1) // 2, 0, 255)
    frame = np.full((height, width, 3), 77, np.uint8)
    shuffled = _cells(parts[0], 16), _cells(parts[1], 16), _cells(parts[2], 8)
    _native.shuffle(*shuffled, frame, height, width)
    assert np.array_equal(frame, wanted[:height, :width])


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
    rounded = np.full((*PADDED, CHANNELS + PLANES), 77, np.uint8)
    _native.latents(
        *(sums[0], sums[1], scales[0], biases[0], scales[1], biases[1]),
        *(*GRID, CHANNELS, *PADDED, y, rounded),
    )
    assert np.array_equal(y, wanted)
    inside = rounded[: GRID[0], : GRID[1], :CHANNELS]
    assert np.array_equal(inside, np.rint(wanted).clip(-128, 127) + 128)
    inside[:] = 77
    assert (rounded == 77).all(), "nothing beside the latents is touched"


def _selected(plane: NDArray[Any], step: int) -> NDArray[Any]:
    """The values of one coding step, in coding order."""
    rows, columns, channels = plane.shape
    r, c, k = np.mgrid[0:rows, 0:columns, 0:channels]
    return plane[(r + c + k) % 2 == step]


@pytest.mark.parametrize("step", [0, 1])
def test_indexes(rng: Rng, step: int) -> None:
    fine = rng.integers(0, 256, (*PADDED, CHANNELS), dtype=np.uint8)
    offset = np.array([-300, -7, 0, 3, 200, 32767], np.int16)
    out = np.full(GRID[0] * GRID[1] * CHANNELS // 2, 77, np.uint8)
    _native.indexes((*GRID, CHANNELS, *PADDED, step), fine, offset, out)
    moved = fine[: GRID[0], : GRID[1]].astype(np.int64) + offset
    assert np.array_equal(out, _selected(moved.clip(0, 255) // 4, step))


@pytest.mark.parametrize("step", [0, 1])
def test_quantize(rng: Rng, step: int) -> None:
    y = rng.normal(0, 60, (*GRID, CHANNELS)).astype(np.float32)
    y[0, 0], y[0, 1] = 3e38, -np.inf
    mean = rng.integers(0, 256, (*PADDED, CHANNELS), dtype=np.uint8)
    indexes = rng.integers(0, 64, y.size // 2, dtype=np.uint8)
    reciprocal = np.array([256, 1, 0.3, 0.01, 2, 1 / 3], np.float32)
    rounding = np.linspace(0.1, 0.5, 64, dtype=np.float32)
    out = np.empty(y.size // 2, np.int16)
    grid = (*GRID, CHANNELS, *PADDED, step)
    _native.quantize(grid, y, mean, indexes, reciprocal, rounding, out)
    centre = mean[: GRID[0], : GRID[1]].astype(np.float32) - np.float32(128)
    with np.errstate(over="ignore"):
        ratio = _selected((y - centre) * reciprocal, step)
    magnitude = np.minimum(np.abs(ratio), np.float32(32000)) + rounding[indexes]
    assert np.array_equal(out, np.sign(ratio) * np.floor(magnitude))


@pytest.mark.parametrize("step", [0, 1])
def test_dequantize(rng: Rng, step: int) -> None:
    symbols = rng.integers(-9, 10, GRID[0] * GRID[1] * CHANNELS // 2).astype(np.int16)
    symbols[:4] = (32767, -32768, 1, -1)
    mean = rng.integers(0, 256, (*PADDED, CHANNELS), dtype=np.uint8)
    steps = np.array([1, 65535, 128, 127, 300, 4000], np.int32)
    v = np.full((*GRID, CHANNELS + PLANES), 77, np.uint8)
    _native.dequantize((*GRID, CHANNELS, *PADDED, step), symbols, mean, steps, v)
    every = np.broadcast_to(steps, (*GRID, CHANNELS))
    moved = (symbols.astype(np.int64) * _selected(every, step) + 128) // 256
    wanted = (_selected(mean[: GRID[0], : GRID[1]], step) + moved).clip(0, 255)
    assert np.array_equal(_selected(v[..., :CHANNELS], step), wanted)
    assert (_selected(v[..., :CHANNELS], 1 - step) == 77).all(), "the other step's stay"
    assert (v[..., CHANNELS:] == 77).all()


HALF = GRID[0] * GRID[1] * CHANNELS // 2
PLANE = PADDED[0] * PADDED[1] * CHANNELS
TUPLE = (*GRID, CHANNELS, *PADDED, 0)
# Arguments of a valid call; buffers are given by their size in bytes.
CALLS: dict[str, tuple[Any, ...]] = {
    "unshuffle": (b"f" * 17 * 33 * 3, 17, 33, bytearray(6 * 768), bytearray(6 * 768)),
    "shuffle": (*[b"p" * 6 * 768] * 3, bytearray(17 * 33 * 3), 17, 33),
    "latents": (
        *[b"\0" * 8 * HALF] * 2,
        *[b"\0" * 4 * CHANNELS] * 4,
        *(*GRID, CHANNELS, *PADDED),
        *(bytearray(8 * HALF), bytearray(PADDED[0] * PADDED[1] * (CHANNELS + PLANES))),
    ),
    "indexes": (TUPLE, b"i" * PLANE, b"\0" * 2 * CHANNELS, bytearray(HALF)),
    "quantize": (
        *(TUPLE, b"\0" * 8 * HALF, b"m" * PLANE, b"\1" * HALF, b"\0" * 4 * CHANNELS),
        *(b"\0" * 256, bytearray(2 * HALF)),
    ),
    "dequantize": (
        *(TUPLE, b"\0" * 2 * HALF, b"m" * PLANE, b"\1\0\0\0" * CHANNELS),
        bytearray(GRID[0] * GRID[1] * (CHANNELS + PLANES)),
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
        cut = [argument[:-1], (*argument, 1), list(argument), None, (*argument[:5], 2)]
        return cut + [
            (*argument[:i], bad, *argument[i + 1 :]) for i in range(5) for bad in (0, -1, 1 << 20)
        ]
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


def test_channels_in_odd_number_and_indexes_beyond_the_tables() -> None:
    odd = (*GRID, CHANNELS - 1, *PADDED, 0)
    with pytest.raises(ValueError, match="even"):
        _native.indexes(odd, *CALLS["indexes"][1:])
    arguments = list(CALLS["quantize"])
    arguments[3] = b"\x40" * HALF
    with pytest.raises(ValueError, match=r"0\.\.63"):
        _native.quantize(*arguments)
