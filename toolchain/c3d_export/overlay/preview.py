"""What was learnt, as a picture for people."""

from __future__ import annotations

import numpy as np

from ..runtime.images import Frame
from ..runtime.overlay import TILE
from .pack import LearntOverlay


def preview(overlay: LearntOverlay) -> Frame:
    """uint8 (H, W, 3): the tiles over a chequered ground; of several states of a tile the first."""
    height, width = overlay.size
    rows, columns = np.mgrid[:height, :width]
    ground = np.where((rows // 8 + columns // 8) % 2, 96, 128)
    picture = np.repeat(ground[..., None], 3, 2)
    drawn = set[tuple[int, int]]()
    for (row, column), pixels in zip(overlay.place, overlay.pixels, strict=True):
        if (row, column) in drawn:
            continue
        drawn.add((row, column))
        y, x = int(row) * TILE, int(column) * TILE
        area = picture[y : y + TILE, x : x + TILE]
        tile = pixels.reshape(TILE, TILE, 4).astype(np.int64)
        area[...] = np.minimum(tile[..., :3] + tile[..., 3:] * area // 255, 255)
    return picture.astype(np.uint8)
