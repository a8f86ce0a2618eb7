"""Which positions of a context model can be decoded at once.

A position sees the two rows above it, up to two columns to the right, and two positions to its
left. So all positions with the same column + 3 * row are independent, and each such wave needs
only earlier ones: rows * columns steps become columns + 3 * (rows - 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

REACH: Final = 2
"""Rows above, and columns to each side, that a position sees."""
SLOPE: Final = REACH + 1

Places = NDArray[np.int32]


def waves(rows: int, columns: int) -> Iterator[tuple[Places, Places]]:
    """(rows, columns) int32 of each wave's positions, from top to bottom, in decoding order; at
    least one position each (in grids of one or two columns some waves have none)."""
    for wave in range(columns + SLOPE * (rows - 1)):
        first = max(0, -(-(wave - columns + 1) // SLOPE))
        row = np.arange(first, min(rows - 1, wave // SLOPE) + 1, dtype=np.int32)
        if len(row):
            yield row, (wave - SLOPE * row).astype(np.int32)
