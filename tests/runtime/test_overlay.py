"""Overlays: what is pasted and lifted against literal numpy, what is found, and the flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c3d_export import _native
from c3d_export.core.errors import StreamHeaderError
from c3d_export.runtime.overlay import Overlay

from .overlays import HEIGHT, WIDTH, flags_of, opened, shown, small_overlay

Bytes = NDArray[np.uint8]
MakeFrame = Callable[..., Bytes]

LEARNT = small_overlay()
OVERLAY = opened(LEARNT)
HARD = 116
"""Of 256: pixels that keep less of the picture are filled, others untinted."""
FAR = 40


def _overlay(
    place: Sequence[tuple[int, int]],
    group: Sequence[int],
    pixels: Bytes,
    limits: Sequence[int] = (60,),
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> Overlay:
    every = np.ascontiguousarray(np.broadcast_to(pixels, (len(place), 256, 4)))
    numbers = (np.array(place, np.uint16), np.array(group, np.uint16))
    return Overlay(size, *numbers, every, np.array(limits, np.uint16))


def _opaque(colour: int) -> Bytes:
    return np.array((colour, colour, colour, 0), np.uint8)


def _area(frame: Bytes, tile: tuple[int, int]) -> Bytes:
    return frame[tile[0] * 16 : tile[0] * 16 + 16, tile[1] * 16 : tile[1] * 16 + 16]


TILES = [[], [0], [1, 4], [0, 1, 2, 4], [0, 1, 3, 4], [2, 3]]


@pytest.mark.parametrize("tiles", TILES, ids=str)
def test_paste(make_frame: MakeFrame, tiles: list[int]) -> None:
    """Where two states of a tile are flagged the later one lies above."""
    frame = make_frame(HEIGHT, WIDTH, 3)
    wanted = shown(LEARNT, frame, tiles)
    OVERLAY.paste(flags_of(OVERLAY, tiles), frame)
    assert np.array_equal(frame, wanted)


def test_paste_of_every_keep_and_value() -> None:
    """Sums above 255, which no learnt tile has, stay there."""
    pixels = np.zeros((256, 4), np.uint8)
    pixels[:, 3] = np.arange(256)
    kept = np.arange(256) + (np.arange(256) >> 7)
    for below in (0, 1, 127, 254, 255):
        for colour in (0, 1, 200, 255):
            pixels[:, :3] = colour
            frame = np.full((16, 16, 3), below, np.uint8)
            _overlay([(0, 0)], [0], pixels, size=(16, 16)).paste(np.ones(1, np.uint8), frame)
            wanted = np.minimum(255, colour + (kept * below + 128) // 256)
            assert np.array_equal(frame.reshape(256, 3), np.repeat(wanted[:, None], 3, 1))
    assert kept[255] == 256, "255 keeps all"


@pytest.mark.parametrize("value", [0, 1, 90, 200])
def test_opaque_pixels_on_a_flat_frame_are_filled_with_its_value(value: int) -> None:
    pixels = small_overlay().pixels.copy()
    pixels[pixels[..., 3] > 0] = (0, 0, 0, 255)
    overlay = _overlay([tuple(p) for p in LEARNT.place], LEARNT.group.tolist(), pixels)
    flat = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    seen, flags = flat.copy(), flags_of(overlay, [0, 1, 2, 4])
    overlay.paste(flags, seen)
    assert not np.array_equal(seen, flat)
    assert np.array_equal(overlay.lift(seen, flags), flat)


@pytest.mark.parametrize("keep", [HARD, 127, 128, 200, 254])
def test_tinted_pixels_are_untinted_within_rounding(keep: int) -> None:
    kept = keep + (keep >> 7)
    overlay = _overlay([(1, 1)], [0], np.array((30, 0, 7, keep), np.uint8))
    below = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32).reshape(HEIGHT, WIDTH, 3) % 226
    seen, flags = below.astype(np.uint8), np.ones(1, np.uint8)
    overlay.paste(flags, seen)
    lifted = overlay.lift(seen, flags).astype(np.int64)
    assert seen.max() < 255, "nothing is cut off"
    # A value is rounded once when it is tinted and once more when it is untinted.
    assert np.abs(lifted - below).max() <= 0.5 + 0.5 * 256 / kept


def test_a_pixel_that_keeps_too_little_is_filled() -> None:
    pixels = np.tile(np.array((9, 9, 9, HARD), np.uint8), (256, 1))
    pixels[40, 3] = HARD - 1
    overlay = _overlay([(1, 1)], [0], pixels)
    seen = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    overlay.paste(np.ones(1, np.uint8), seen)
    _area(seen, (1, 1))[40 // 16, 40 % 16] = 250
    lifted = overlay.lift(seen, np.ones(1, np.uint8))
    assert np.abs(lifted.astype(np.int64) - 100).max() <= 2


def test_lifting_leaves_the_rest_alone_and_stays_in_the_range_of_what_is_around(
    make_frame: MakeFrame,
) -> None:
    frame = make_frame(HEIGHT, WIDTH, 5)
    tiles = [0, 1, 2, 4]
    seen = shown(LEARNT, frame, tiles)
    before = seen.copy()
    lifted = OVERLAY.lift(seen, flags_of(OVERLAY, tiles))
    assert np.array_equal(seen, before)
    touched, hidden = (np.zeros((HEIGHT, WIDTH), bool) for _ in range(2))
    for n in tiles:
        keep = OVERLAY.pixels[n, :, 3].astype(np.int64).reshape(16, 16)
        _area(touched, tuple(OVERLAY.place[n]))[...] = keep < 255
        _area(hidden, tuple(OVERLAY.place[n]))[...] = keep + (keep >> 7) < HARD
    assert hidden.sum() > 200
    assert np.array_equal(lifted[~touched], frame[~touched])
    for colour in range(3):
        around, filled = lifted[~hidden][:, colour], lifted[hidden][:, colour]
        assert around.min() <= filled.min() <= filled.max() <= around.max()


def test_no_flags_lift_and_paste_nothing(make_frame: MakeFrame) -> None:
    frame, none = make_frame(HEIGHT, WIDTH, 6), flags_of(OVERLAY, [])
    assert np.array_equal(OVERLAY.lift(frame, none), frame)
    left, flags = OVERLAY.take(frame, 0)
    assert left is frame
    assert flags == b""


@pytest.mark.parametrize("tiles", [[], [0, 1], [2], [3], [4], [0, 1, 3, 4], [0]], ids=str)
def test_tiles_are_found_where_they_are_drawn(make_frame: MakeFrame, tiles: list[int]) -> None:
    """Tile 0 alone is half of its group."""
    frame = shown(LEARNT, make_frame(HEIGHT, WIDTH, 7), tiles)
    assert np.flatnonzero(OVERLAY.find(frame, 0)).tolist() == tiles
    left, flags = OVERLAY.take(frame, 0)
    assert flags == OVERLAY.pack(flags_of(OVERLAY, tiles))
    assert np.array_equal(left, OVERLAY.lift(frame, flags_of(OVERLAY, tiles)))


def test_one_pixel_that_is_far_off_is_another_picture() -> None:
    overlay = _overlay([(2, 3)], [0], _opaque(100))
    frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    for value, found in [(100 + FAR, 1), (101 + FAR, 0), (100 - FAR, 1), (99 - FAR, 0)]:
        _area(frame, (2, 3))[15, 15, 2] = value
        assert overlay.find(frame, 0).tolist() == [found]


def test_the_error_that_a_rate_point_takes() -> None:
    overlay = _overlay([(2, 3)], [0], _opaque(100), (49, 48, 0, 65535))
    frame = np.full((HEIGHT, WIDTH, 3), 107, np.uint8)
    assert [int(overlay.find(frame, row)[0]) for row in range(4)] == [1, 0, 0, 1]
    frame[...] = 100
    assert [int(overlay.find(frame, row)[0]) for row in range(4)] == [1, 1, 1, 1]


def test_a_tinted_pixel_may_be_whatever_the_picture_makes_of_it() -> None:
    overlay = _overlay([(2, 3)], [0], np.array((50, 50, 50, 100), np.uint8), (0,))
    for value, found in [(50, 1), (150, 1), (49, 0), (151, 0)]:
        frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
        _area(frame, (2, 3))[4, 4] = value
        assert overlay.find(frame, 0).tolist() == [found], value


def test_of_two_states_that_look_alike_one_is_found() -> None:
    overlay = _overlay([(2, 3), (2, 3), (0, 0)], [0, 1, 2], _opaque(100))
    assert overlay.find(np.full((HEIGHT, WIDTH, 3), 101, np.uint8), 0).tolist() == [1, 0, 1]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_group_is_found_where_half_of_it_is(count: int) -> None:
    places = [(0, n) for n in range(count)]
    overlay = _overlay([*places, (3, 0)], [*[0] * count, 1], _opaque(200))
    for drawn in range(count + 1):
        frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        frame[:16, : 16 * drawn] = 200
        wanted = [int(n < drawn and 2 * drawn >= count) for n in range(count)]
        assert overlay.find(frame, 0).tolist() == [*wanted, 0]


def test_frames_of_other_sizes_show_nothing(make_frame: MakeFrame) -> None:
    frame = shown(LEARNT, make_frame(HEIGHT, WIDTH), [0, 1, 2, 4])
    for other in (frame[:-1], frame[:, 1:], frame.transpose(1, 0, 2), np.tile(frame, (2, 2, 1))):
        assert OVERLAY.take(np.ascontiguousarray(other), 0)[1] == b""


def _bits(group: NDArray[np.uint16], flags: Bytes) -> bytes:
    """The flags of a stream, by their definition in native_overlay.h."""
    bits: list[int] = []
    for n in range(group[-1] + 1):
        own = flags[group == n].tolist()
        bits += [0] if not any(own) else [1, 0] if all(own) else [1, 1, *own]
    return np.packbits(bits, bitorder="little").tobytes()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
def test_flags_come_back(sizes: list[int], data: st.DataObject) -> None:
    count = sum(sizes)
    overlay = _overlay(
        [(0, 0)] * count, np.repeat(np.arange(len(sizes)), sizes).tolist(), _opaque(0)
    )
    drawn = st.lists(st.sampled_from([0, 1]), min_size=count, max_size=count)
    flags = np.array(data.draw(drawn), np.uint8)
    packed = overlay.pack(flags)
    assert packed == (_bits(overlay.group, flags) if flags.any() else b"")
    if packed:
        assert np.array_equal(overlay.unpack(packed, HEIGHT, WIDTH), flags)


def test_the_flags_of_the_specification() -> None:
    overlay = _overlay([(0, 0)] * 8, [0, 0, 1, 1, 1, 1, 1, 2], _opaque(0))
    assert overlay.pack(flags_of(overlay, [1, 7])) == b"\x2b"


def test_flags_are_canonical() -> None:
    """What is not refused is what the encoder writes for it, and each set of flags is found once.

    Longer strings are more than there can be.
    """
    numbers = (*OVERLAY._arguments,)
    flags, back = np.empty(5, np.uint8), np.empty(2, np.uint8)
    taken = []
    for value in range(1 + 256 + 65536):
        size = int(value > 0) + int(value > 256)
        data = (value - (0, 1, 257)[size]).to_bytes(size, "little")
        try:
            _native.overlay_unpack(*numbers, data, size, flags)
        except ValueError:
            continue
        assert back[: _native.overlay_pack(*numbers, flags, back)].tobytes() == data
        taken.append(flags.tobytes())
    assert len(taken) == len(set(taken)) == 32
    for data in (bytes(3), b"\xff\xff\xff", b"\x01\x00\x00", bytes(10_000)):
        with pytest.raises(StreamHeaderError, match="not the bundle's"):
            OVERLAY.unpack(data, HEIGHT, WIDTH)


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (HEIGHT, WIDTH - 1), (1, 1), (16384, 16384)])
def test_flags_of_a_frame_of_another_size(size: tuple[int, int]) -> None:
    with pytest.raises(StreamHeaderError, match=f"{WIDTH}x{HEIGHT}"):
        OVERLAY.unpack(b"\x01", *size)


@pytest.mark.parametrize("place", [(4, 0), (0, 5), (65535, 0)])
def test_a_tile_that_leaves_the_frame(place: tuple[int, int]) -> None:
    """Of 70 rows and 88 columns the last ones are in no tile."""
    with pytest.raises(ValueError, match="outside the frame"):
        _overlay([(0, 0), place], [0, 1], _opaque(0))


@pytest.mark.parametrize("group", [(1, 1), (1, 0), (0, 2), (0, 65535)])
def test_groups_in_disorder(group: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="disorder"):
        _overlay([(0, 0), (0, 1)], group, _opaque(0))


def test_what_stands_under_a_dark_tint_is_not_filled_away() -> None:
    """A dim mark on a translucent plate is in the plate's range; showing the fill would lose it."""
    plate = np.tile(np.array([40, 40, 40, 110], np.uint8), (256, 1))
    overlay = _overlay([(0, 0), (2, 2)], [0, 1], plate)
    frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    overlay.paste(np.ones(2, np.uint8), frame)
    _area(frame, (0, 0))[5:9, 5:9] = 128
    assert overlay.find(frame, 0).tolist() == [1, 1]
    lifted, packed = overlay.take(frame, 0)
    flags = overlay.unpack(packed, HEIGHT, WIDTH)
    assert flags.tolist() == [0, 1]
    again = lifted.copy()
    overlay.paste(flags, again)
    assert np.array_equal(again, frame)
