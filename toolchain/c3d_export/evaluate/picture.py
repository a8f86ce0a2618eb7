"""One picture for human eyes: what each codec makes of the most detailed part of a frame.

+---------------------------+
|  the original, whole,     |
|  a red box on the crop    |
+---------------------------+
|  original   |  ours ...   |      the crop twice as large, pixel for pixel
|  jpeg ...   |  avif ...   |
+---------------------------+

For pages that have less room: the lower part alone, the crops in their own size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.runtime.images import Frame, check_frame

CROP_WIDTH: Final = 320
CROP_HEIGHT: Final = 240
MAGNIFICATION: Final = 2

BOX_COLOUR: Final = (255, 0, 0)
BACKGROUND: Final = (24, 24, 27)
_BAR = (39, 39, 42)
_TEXT = (250, 250, 250)

_MARGIN = 16
_BAR_HEIGHT = 36
_BOX_WIDTH = 4
_FONT_SIZES = range(22, 9, -1)

# Below it a caption of a rate and a distortion no longer fits at a legible size.
_MIN_TILE_WIDTH = 240

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Crop(NamedTuple):
    """A part of a frame in pixels: its left upper corner and its size."""

    x: int
    y: int
    width: int
    height: int


def side_by_side(
    original: Frame,
    entries: Sequence[tuple[str, Frame]],
    crop: Crop | None = None,
    *,
    actual_size: bool = False,
    title: str = "original",
) -> Frame:
    """The original with the crop marked, and the crop of it and of every entry, magnified.

    Frames are uint8 (height, width, 3) RGB of one size; an entry is a caption (such as
    "ours  0.31 bpp  34.2 dB") and a decoded frame. The crop is `find_detail` of the original where
    None is given. The magnification repeats pixels and smooths nothing; the whole frame is scaled
    down only where it is wider than the tiles below it. actual_size: the crops alone, one pixel
    for one pixel. title: how the line under the whole frame begins. Raises FrameShapeError for
    frames of different sizes, OptionError for a crop outside the frame.
    """
    crop = find_detail(original) if crop is None else _check_crop(original, crop)
    tiles = [("original", original), *entries]
    for label, frame in tiles:
        if check_frame(frame).shape != original.shape:
            raise FrameShapeError(
                f"{label} has the shape {frame.shape}, the original {original.shape}; decode it"
                " from the same frame"
            )
    times = 1 if actual_size else MAGNIFICATION
    bars = [_captioned(_magnified(frame, crop, times), label) for label, frame in tiles]
    grid = _grid(bars, _columns(len(bars)))
    if actual_size:
        return np.array(grid)
    height, width = original.shape[:2]
    caption = f"{title} {width}x{height}, crop {crop.width}x{crop.height} at {crop.x}, {crop.y}"
    overview = _captioned(_overview(original, crop, grid.width), caption, grid.width)
    return np.array(_stacked([overview, grid]))


def find_detail(frame: Frame, width: int = CROP_WIDTH, height: int = CROP_HEIGHT) -> Crop:
    """The part of a frame, uint8 (height, width, 3) RGB, with the largest gradient energy.

    Of the size given, or as much of it as the frame holds; the first in reading order of equal
    ones. Raises FrameShapeError for other arrays, OptionError for a size below 1.
    """
    if width < 1 or height < 1:
        raise OptionError(f"no crop of {width}x{height} pixels; choose a size above 0")
    rows, columns = check_frame(frame).shape[:2]
    width, height = min(width, columns), min(height, rows)
    sums = box_sums(_gradient_energy(frame), width, height)
    y, x = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return Crop(int(x), int(y), width, height)


def _gradient_energy(frame: Frame) -> NDArray[np.int64]:
    # Absolute differences: squares go to the outlines of on-screen text and not to textures.
    # Integers, so that the sums over a flat frame are equal and not merely close.
    grey: NDArray[np.int64] = frame.sum(axis=2, dtype=np.int64)
    energy = np.zeros_like(grey)
    energy[:, 1:] += np.abs(np.diff(grey, axis=1))
    energy[1:] += np.abs(np.diff(grey, axis=0))
    return energy


def box_sums(values: NDArray[np.int64], width: int, height: int) -> NDArray[np.int64]:
    """The sum over each window, by its left upper corner (a summed-area table)."""
    total = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    rows = total[height:] - total[:-height]
    return np.asarray(rows[:, width:] - rows[:, :-width], np.int64)


def _check_crop(frame: Frame, crop: Crop) -> Crop:
    crop = Crop(*crop)
    rows, columns = check_frame(frame).shape[:2]
    inside = 0 <= crop.x <= columns - crop.width and 0 <= crop.y <= rows - crop.height
    if crop.width < 1 or crop.height < 1 or not inside:
        raise OptionError(f"the crop {tuple(crop)} is not inside {columns}x{rows} pixels; move it")
    return crop


def _columns(count: int) -> int:
    return min(count, 2 if count <= 4 else 3)


def _magnified(frame: Frame, crop: Crop, times: int) -> Image.Image:
    part = frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    return Image.fromarray(part.repeat(times, 0).repeat(times, 1))


def _overview(original: Frame, crop: Crop, max_width: int) -> Image.Image:
    image = Image.fromarray(original)
    scale = min(1.0, max_width / image.width)
    if scale < 1:
        size = max_width, max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = round(crop.x * scale), round(crop.y * scale)
    right, bottom = round((crop.x + crop.width) * scale), round((crop.y + crop.height) * scale)
    box = left, top, max(left, right - 1), max(top, bottom - 1)
    ImageDraw.Draw(image).rectangle(box, outline=BOX_COLOUR, width=_BOX_WIDTH)
    return image


def _captioned(image: Image.Image, text: str, min_width: int = _MIN_TILE_WIDTH) -> Image.Image:
    """The image with a bar under it that holds the text in its middle."""
    width = max(image.width, min_width)
    tile = Image.new("RGB", (width, image.height + _BAR_HEIGHT), _BAR)
    tile.paste(image, ((width - image.width) // 2, 0))
    draw = ImageDraw.Draw(tile)
    text, font = _fitted(draw, " ".join(text.splitlines()), width - _MARGIN)
    place = width / 2, image.height + _BAR_HEIGHT / 2
    draw.text(place, text, fill=_TEXT, font=font, anchor="mm")
    return tile


def _fitted(draw: ImageDraw.ImageDraw, text: str, width: int) -> tuple[str, _Font]:
    """The largest font in which the text fits; with the smallest one it is cut."""
    for size in _FONT_SIZES:
        font = ImageFont.load_default(size=size)
        if draw.textlength(text, font) <= width:
            return text, font
    while text and draw.textlength(f"{text}...", font) > width:
        text = text[:-1]
    return f"{text}...", font


def _grid(tiles: list[Image.Image], columns: int) -> Image.Image:
    width, height = tiles[0].size  # all are of one size
    rows = -(-len(tiles) // columns)
    size = columns * (width + _MARGIN) - _MARGIN, rows * (height + _MARGIN) - _MARGIN
    grid = Image.new("RGB", size, BACKGROUND)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        grid.paste(tile, (column * (width + _MARGIN), row * (height + _MARGIN)))
    return grid


def _stacked(parts: list[Image.Image]) -> Image.Image:
    """The parts under one another, each in the middle, with a margin around each."""
    width = max(part.width for part in parts) + 2 * _MARGIN
    height = sum(part.height + _MARGIN for part in parts) + _MARGIN
    picture = Image.new("RGB", (width, height), BACKGROUND)
    top = _MARGIN
    for part in parts:
        picture.paste(part, ((width - part.width) // 2, top))
        top += part.height + _MARGIN
    return picture
