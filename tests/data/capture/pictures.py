"""What gl_program.c draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


def picture(width: int, height: int, index: int) -> Frame:
    """The picture of one index, uint8 (height, width, 3), the highest row first."""
    rows, columns = np.mgrid[0:height, 0:width]  # of OpenGL: the lowest row first
    row, column = rows // 16, columns // 16
    red = index * 40 + column * 16
    green = row * 24 + index * 8
    blue = column * row * 5 + index * 13
    pixels = np.stack([red, green, blue], axis=2) & 255
    pixels[:4, :4] = (index & 255, 0xA5, 0x5A)
    return np.ascontiguousarray(pixels[::-1].astype(np.uint8))


def index_of(frame: Frame) -> int:
    """Which picture a frame is; it has fewer than 256."""
    index = int(frame[-1, 0, 0])
    height, width = frame.shape[:2]
    assert np.array_equal(frame, picture(width, height, index))
    return index
