"""The picture: its size, the red box, the tiles pixel for pixel, and the choice of the crop."""

from __future__ import annotations

import numpy as np
import pytest

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.evaluate.picture import BOX_COLOUR, Crop, find_detail, side_by_side
from c3d_export.runtime.images import Frame


def _grey(value: int = 90, height: int = 360, width: int = 640) -> Frame:
    return np.full((height, width, 3), value, np.uint8)


def _contains(picture: Frame, tile: Frame) -> bool:
    """Whether the tile stands somewhere in the picture, pixel for pixel."""
    height, width = tile.shape[:2]
    starts = np.argwhere((picture == tile[0, 0]).all(axis=2))
    return any(
        np.array_equal(picture[y : y + height, x : x + width], tile)
        for y, x in starts
        if (picture[y, x : x + width] == tile[0]).all()
    )


def _noise(seed: int) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (360, 640, 3), np.uint8)


def test_detail_is_found_where_it_is() -> None:
    frame = _grey()
    frame[100:180, 300:420] = _noise(1)[100:180, 300:420]
    crop = find_detail(frame, 120, 80)
    # A gradient counts at its second pixel, so that the window may begin one later.
    assert abs(crop.x - 300) <= 1
    assert abs(crop.y - 100) <= 1
    assert crop[2:] == (120, 80)


def test_detail_is_the_largest_sum_of_differences() -> None:
    frame = _noise(2)[:20, :30]
    grey = frame.astype(int).sum(axis=2)
    energy = np.zeros_like(grey)
    energy[:, 1:] += abs(grey[:, 1:] - grey[:, :-1])
    energy[1:] += abs(grey[1:] - grey[:-1])
    places = [(x, y) for y in range(16) for x in range(23)]
    sums = [energy[y : y + 5, x : x + 8].sum() for x, y in places]
    assert find_detail(frame, 8, 5) == (*places[int(np.argmax(sums))], 8, 5)


def test_detail_of_a_flat_or_small_frame() -> None:
    assert find_detail(_grey()) == (0, 0, 320, 240)
    assert find_detail(_grey(height=30, width=50)) == (0, 0, 50, 30)
    with pytest.raises(OptionError):
        find_detail(_grey(), 0, 10)


def test_the_red_box_surrounds_the_crop() -> None:
    crop = Crop(200, 60, 320, 240)
    picture = side_by_side(_grey(), [("flat", _grey())], crop)
    red_y, red_x = np.nonzero((picture == BOX_COLOUR).all(axis=2))
    assert [red_x.max() - red_x.min() + 1, red_y.max() - red_y.min() + 1] == [320, 240]
    # The original is in the middle: the box keeps its place relative to the picture's.
    assert red_x.min() == (picture.shape[1] - 640) // 2 + 200
    inside = picture[red_y.min() + 4 : red_y.max() - 3, red_x.min() + 4 : red_x.max() - 3]
    assert (inside == 90).all()


def test_every_tile_is_the_crop_twice_as_large() -> None:
    frames = [_noise(seed) for seed in range(4)]
    crop = Crop(40, 30, 160, 120)
    picture = side_by_side(frames[0], list(zip("abc", frames[1:], strict=True)), crop)
    for frame in frames:
        part = frame[30:150, 40:200]
        assert _contains(picture, part.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(
    ("entries", "columns", "rows"), [(0, 1, 1), (1, 2, 1), (3, 2, 2), (5, 3, 2)]
)
def test_the_picture_grows_with_the_entries(entries: int, columns: int, rows: int) -> None:
    original = _grey()
    picture = side_by_side(original, [("x", original)] * entries, Crop(0, 0, 320, 240))
    margin, bar = 16, 36
    grid_width = columns * (640 + margin) - margin
    grid_height = rows * (480 + bar + margin) - margin
    assert picture.dtype == np.uint8
    assert picture.shape[1] == max(grid_width, 640) + 2 * margin
    assert picture.shape[0] == 360 + bar + grid_height + 3 * margin


def test_captions_are_drawn_and_stay_in_their_bars() -> None:
    original = _grey(0)
    plain = side_by_side(original, [("", original)])
    short = side_by_side(original, [("avif 0.31 bpp 34.2 dB", original)])
    long = side_by_side(original, [("a long label " * 30, original)])
    for picture in (short, long):
        rows, columns = np.nonzero((picture != plain).any(axis=2))
        assert len(rows) > 100
        assert np.ptp(rows) < 36
        assert columns.min() > picture.shape[1] // 2
        assert columns.max() < picture.shape[1] - 16


def test_a_wide_frame_is_scaled_to_the_tiles() -> None:
    wide = _noise(5).repeat(5, axis=1)
    picture = side_by_side(wide, [("x", wide)])
    assert picture.shape[1] == 2 * 640 + 3 * 16


def test_a_tiny_frame_keeps_its_captions() -> None:
    tiny = _grey(height=3, width=5)
    assert side_by_side(tiny, [("x", tiny)]).shape[1] > 2 * 240


def test_other_sizes_and_crops_are_refused() -> None:
    with pytest.raises(FrameShapeError, match="jpeg has the shape"):
        side_by_side(_grey(), [("jpeg", _grey(height=361))])
    for crop in (Crop(-1, 0, 9, 9), Crop(632, 0, 9, 9), Crop(0, 352, 9, 9), Crop(0, 0, 0, 9)):
        with pytest.raises(OptionError, match="not inside"):
            side_by_side(_grey(), [], crop)


def test_in_actual_size_there_are_the_crops_alone() -> None:
    frames = [_noise(seed) for seed in range(4)]
    entries = list(zip("abc", frames[1:], strict=True))
    picture = side_by_side(frames[0], entries, Crop(40, 30, 250, 120), actual_size=True)
    assert picture.shape == (2 * (120 + 36) + 16, 2 * 250 + 16, 3)
    for frame in frames:
        assert _contains(picture, frame[30:150, 40:290])
