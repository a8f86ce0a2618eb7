"""Filling, the pixels of tiles and the overlay functions of C: literal numpy, and wrong buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _native

from .test_native import _wrong

Array = NDArray[Any]
Bytes = NDArray[np.uint8]
Rng = np.random.Generator
SIZES = [(16, 16), (17, 33), (70, 88), (16, 200), (97, 41)]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(5)


def _beside(count: int, parents: int) -> tuple[Array, Array]:
    """The parent of each cell, and the parent's neighbour on the side where the cell lies."""
    child = np.arange(count)
    return child // 2, np.clip(child // 2 + np.where(child % 2, 1, -1), 0, parents - 1)


def _pulled(cells: Array, known: Array) -> tuple[Array, Array]:
    """Means of the known ones of each 2x2."""
    edges = ((0, cells.shape[0] % 2), (0, cells.shape[1] % 2))
    cells, known = np.pad(cells * known[..., None], (*edges, (0, 0))), np.pad(known, edges)
    rows, columns = known.shape[0] // 2, known.shape[1] // 2
    sums = cells.reshape(rows, 2, columns, 2, 3).sum((1, 3))
    count = known.reshape(rows, 2, columns, 2).sum((1, 3), dtype=np.int64)[..., None]
    return (sums + count // 2) // np.maximum(count, 1), count[..., 0] > 0


def _pushed(cells: Array, known: Array, up: Array) -> Array:
    """Unknown cells between the four of the level above that are next."""
    sides = zip(known.shape, up.shape[:2], strict=True)
    (y, further_y), (x, further_x) = (_beside(*pair) for pair in sides)
    near = 9 * up[y][:, x] + 3 * up[y][:, further_x]
    far = 3 * up[further_y][:, x] + up[further_y][:, further_x]
    return np.where(known[..., None], cells, (near + far + 8) >> 4)


def _around(holes: Array) -> Array:
    """(H, W): the tiles that have a hole, and the eight around each."""
    edges = [(0, -side % 16) for side in holes.shape]
    padded = np.pad(holes, edges)
    rows, columns = padded.shape[0] // 16, padded.shape[1] // 16
    tiles = np.pad(padded.reshape(rows, 16, columns, 16).any((1, 3)), 1)
    near = np.array([tiles[dy : dy + rows, dx : dx + columns] for dy, dx in np.ndindex(3, 3)])
    whole = near.any(0).repeat(16, 0).repeat(16, 1)
    return whole[: holes.shape[0], : holes.shape[1]]


def filled(frame: Bytes, holes: Array) -> Bytes:
    """Pull-push over what is known around the holes."""
    levels = [(frame.astype(np.int64), ~holes & _around(holes))]
    while levels[-1][1].size > 1:
        levels.append(_pulled(*levels[-1]))
    if not levels[-1][1].all():
        return frame
    up = levels[-1][0]
    for cells, known in levels[-2::-1]:
        up = _pushed(cells, known, up)
    return np.where(holes[..., None], up, frame).astype(np.uint8)


def _fill(frame: Bytes, holes: Array) -> Bytes:
    out, (height, width) = frame.copy(), frame.shape[:2]
    cells = np.full(_native.fill_bytes(height, width), 77, np.uint8)
    _native.fill(out, holes.astype(np.uint8), height, width, cells)
    return out


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fill(rng: Rng, size: tuple[int, int], share: float) -> None:
    frame = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    holes = rng.random(size) < share
    assert np.array_equal(_fill(frame, holes), filled(frame, holes))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fill_of_rectangles(rng: Rng, size: tuple[int, int]) -> None:
    """Whole tiles and several without anything known, at edges and corners."""
    for _ in range(12):
        frame = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        holes = np.zeros(size, bool)
        for _ in range(int(rng.integers(1, 4))):
            (top, left), (tall, wide) = rng.integers(0, size), rng.integers(1, 60, 2)
            holes[top : top + tall, left : left + wide] = True
        assert np.array_equal(_fill(frame, holes), filled(frame, holes))


def test_where_nothing_or_all_is_known_the_frame_stays(rng: Rng) -> None:
    frame = rng.integers(0, 256, (70, 88, 3), dtype=np.uint8)
    for holes in (np.zeros((70, 88), bool), np.ones((70, 88), bool)):
        assert np.array_equal(_fill(frame, holes), frame)


def test_a_hole_in_a_gradient_is_filled_like_it() -> None:
    rows, columns = np.mgrid[:96, :96]
    frame = np.stack([rows * 2, columns * 2, rows + columns], 2).astype(np.uint8)
    holes = np.zeros((96, 96), bool)
    holes[44:52, 30:60] = True
    assert np.abs(_fill(frame, holes).astype(int) - frame)[holes].max() <= 12


def _planes(mask: Array, symbols: list[int]) -> Array:
    """The six-bit planes (keep, green, red less green, blue less green) of a tile (16, 16)."""
    planes = np.zeros((4, 16, 16), np.int64)
    for plane, last in zip(planes, (0, 32, 0, 0), strict=True):
        for y, x in np.argwhere(mask):
            left, above = x > 0 and mask[y, x - 1], y > 0 and mask[y - 1, x]
            near = [plane[y, x - 1]] * bool(left) + [plane[y - 1, x]] * bool(above)
            foretold = sum(near) // len(near) if near else last
            plane[y, x] = last = (foretold + symbols.pop(0)) % 64
    return planes


def test_pixels_of_tiles(rng: Rng) -> None:
    masks = rng.random((6, 16, 16)) < np.array([0, 0.05, 0.3, 0.7, 1, 1])[:, None, None]
    symbols = rng.integers(-32768, 32768, 4 * masks.sum()).astype(np.int16)
    symbols[-3000:] %= 3
    packed = np.packbits(masks.reshape(6, 256), axis=1, bitorder="little")
    out, rest = np.full((6, 256, 4), 77, np.uint8), symbols.tolist()
    _native.overlay_pixels(packed, 6, symbols, len(symbols), out)
    for mask, tile in zip(masks, out, strict=True):
        keep, green, red, blue = _planes(mask, rest)
        six = np.stack([(red + green) % 64, green, (blue + green) % 64, keep], 2)
        wanted = np.where(mask[..., None], (six * 259 + 32) >> 6, (0, 0, 0, 255))
        assert np.array_equal(tile, wanted.reshape(256, 4))
    assert not rest


TILES = 8
FRAME = (33, 50)
AREA = FRAME[0] * FRAME[1]
CELLS = _native.fill_bytes(*FRAME)
PLACES = np.array([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 2), (0, 0)], np.uint16)
OVERLAY: tuple[Any, ...] = (
    PLACES.tobytes(),
    np.array([0, 0, 0, 0, 0, 0, 1, 1], np.uint16).tobytes(),
    b"p" * TILES * 1024,
    *(*FRAME, TILES, 2),
)
FLAGS = b"\1\0\0\0\0\0\0\0"
# Arguments of a valid call; buffers are given by their size in bytes.
CALLS: dict[str, tuple[Any, ...]] = {
    "overlay_lift": (*(*OVERLAY, FLAGS, bytearray(AREA * 3), bytearray(AREA), bytearray(CELLS)),),
    "overlay_paste": (*OVERLAY, FLAGS, bytearray(AREA * 3)),
    "overlay_pack": (*OVERLAY, FLAGS, bytearray(2)),
    "overlay_unpack": (*OVERLAY, b"\7\0", 2, bytearray(TILES)),
    "overlay_pixels": (
        *(b"\1" * 32 * TILES, TILES, b"\0\0" * 128 * TILES, 128 * TILES),
        bytearray(1024 * TILES),
    ),
    "fill": (bytearray(AREA * 3), b"\1" * AREA, *FRAME, bytearray(CELLS)),
    "fill_bytes": FRAME,
}
CHOOSE = (*OVERLAY, b"f" * AREA * 3, 60, bytearray(6), bytearray(TILES))


@pytest.mark.parametrize("name", [*CALLS, "overlay_choose"])
def test_wrong_arguments_are_refused_one_by_one(name: str) -> None:
    function: Callable[..., object] = getattr(_native, name)
    arguments = CALLS.get(name, CHOOSE)
    function(*arguments)
    for i, argument in enumerate(arguments):
        # Any number is a limit of errors.
        for bad in _wrong(argument) if argument != 60 else [None, "1", 1.5]:
            with pytest.raises((ValueError, TypeError, BufferError, OverflowError)):
                function(*arguments[:i], bad, *arguments[i + 1 :])
    with pytest.raises(TypeError):
        function(*arguments[:-1])


@pytest.mark.parametrize("place", [(2, 0), (0, 3), (65535, 65535)])
@pytest.mark.parametrize("name", [n for n in CALLS if "overlay" in n and n != "overlay_pixels"])
def test_a_tile_outside_the_frame_is_refused_by_every_function(
    name: str, place: tuple[int, int]
) -> None:
    places = PLACES.copy()
    places[5] = place
    with pytest.raises(ValueError, match="outside the frame"):
        getattr(_native, name)(places, *CALLS[name][1:])


def test_flags_that_are_no_flags_write_nothing_beside_the_buffers() -> None:
    """Any byte that is not 0 flags a tile; as bits such flags mean nothing."""
    frame, wanted = (np.full((*FRAME, 3), 7, np.uint8) for _ in range(2))
    _native.overlay_paste(*OVERLAY, FLAGS.replace(b"\1", b"\xff"), frame)
    _native.overlay_paste(*OVERLAY, FLAGS, wanted)
    assert np.array_equal(frame, wanted)
    guarded = np.full(4, 77, np.uint8)
    for flags in (b"\xff" * TILES, b"\x80\0" * 4, b"\2\0\0\0\0\0\0\0"):
        assert 1 <= _native.overlay_pack(*OVERLAY, flags, guarded[1:3]) <= 2
        assert guarded[[0, 3]].tolist() == [77, 77]


@pytest.mark.parametrize("change", [-1, 1])
def test_symbols_that_are_not_those_of_the_mask(change: int) -> None:
    mask, tiles, symbols, count, pixels = CALLS["overlay_pixels"]
    cut = (symbols + b"\0\0")[: 2 * (count + change)]
    with pytest.raises(ValueError, match="not those of the mask"):
        _native.overlay_pixels(mask, tiles, cut, count + change, pixels)
