"""Sample sheets: frames with a red box, and what each method makes of the part in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.core.limits import MAX_SIDE
from c3d_export.evaluate.equal_bytes import Comparison, caption
from c3d_export.evaluate.picture import (
    BACKGROUND,
    CROP_HEIGHT,
    CROP_WIDTH,
    Crop,
    box_sums,
    find_detail,
    side_by_side,
)
from c3d_export.runtime.images import Frame, check_frame


class Sheet(NamedTuple):
    """What is drawn of one frame: its name, its pixels, and the codecs that it went through."""

    name: str
    frame: Frame
    comparison: Comparison


def draw_sheets(
    sheets: Sequence[Sheet], crop: Crop | None = None, *, actual_size: bool = False
) -> Frame:
    """The sheets under one another, uint8 (height, width, 3) RGB.

    Each as `picture.side_by_side` draws it, with rate, PSNR and MS-SSIM of the whole frame under
    every crop. Where no crop is given, each frame has its own: where its methods differ most.
    Raises OptionError for no sheets, a crop outside a frame, and for a picture with too long a
    side.
    """
    if not sheets:
        raise OptionError("there is no frame to draw; name one")
    drawn = [_draw(sheet, crop, actual_size) for sheet in sheets]
    height, width = sum(part.shape[0] for part in drawn), max(part.shape[1] for part in drawn)
    if max(height, width) > MAX_SIDE:
        raise OptionError(
            f"a picture of {len(sheets)} frames would have {width}x{height} pixels; draw fewer"
        )
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = BACKGROUND
    top = 0
    for part in drawn:
        left = (width - part.shape[1]) // 2
        picture[top : top + part.shape[0], left : left + part.shape[1]] = part
        top += part.shape[0]
    return picture


def find_difference(
    original: Frame,
    decoded: Sequence[Frame],
    width: int = CROP_WIDTH,
    height: int = CROP_HEIGHT,
) -> Crop:
    """The part of a frame where the best and the worst of the decoded ones are farthest apart.

    By the squared error over the part; with one decoded frame where its error is largest, with
    none `find_detail`. Frames are uint8 (height, width, 3) RGB of one size; the part is of the size
    given, or as much of it as the frame holds, and the first in reading order of equal ones.
    Raises FrameShapeError for frames of different sizes, OptionError for a size below 1.
    """
    rows, columns = check_frame(original).shape[:2]
    if not decoded or width < 1 or height < 1:
        return find_detail(original, width, height)
    width, height = min(width, columns), min(height, rows)
    first = _errors(original, decoded[0], width, height)
    low, high = np.zeros_like(first) if len(decoded) == 1 else first, first
    for frame in decoded[1:]:
        errors = _errors(original, frame, width, height)
        low, high = np.minimum(low, errors), np.maximum(high, errors)
    y, x = np.unravel_index(int(np.argmax(high - low)), high.shape)
    return Crop(int(x), int(y), width, height)


def _draw(sheet: Sheet, crop: Crop | None, actual_size: bool) -> Frame:
    scored = sheet.comparison.scored
    frames = [item.result.frame for item in scored]
    entries = [(caption(item), item.result.frame) for item in scored]
    chosen = crop or find_difference(sheet.frame, frames)
    return side_by_side(
        sheet.frame, entries, chosen, actual_size=actual_size, title=f"{sheet.name}, original"
    )


def _errors(original: Frame, frame: Frame, width: int, height: int) -> NDArray[np.int64]:
    """The squared error of each window, by its left upper corner."""
    if check_frame(frame).shape != original.shape:
        message = f"cannot compare frames of {original.shape} and {frame.shape}"
        raise FrameShapeError(f"{message}; they must be of one size")
    difference = original.astype(np.int32) - frame
    squares: NDArray[np.int64] = (difference * difference).sum(axis=2, dtype=np.int64)
    return box_sums(squares, width, height)
