"""Shapes of a frame's tensors, and the three steps in which its latents are coded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

PLANES = 4
BLOCK = 16
Bytes = NDArray[np.uint8]
Symbols = NDArray[np.int16]
Grid = tuple[int, int, int, int, int, int, int, int]
Prior = tuple[Bytes, Bytes]
"""mean + 128 and fine index of a step's channels, (rows, columns, channels) uint8."""


@dataclass(frozen=True)
class Geometry:
    """Sizes of one frame's tensors: latents (rows, columns), hyper-latents a quarter of it."""

    height: int
    width: int

    @property
    def rows(self) -> int:
        return -(-self.height // BLOCK)

    @property
    def columns(self) -> int:
        return -(-self.width // BLOCK)

    @property
    def hyper_rows(self) -> int:
        return -(-self.rows // 4)

    @property
    def hyper_columns(self) -> int:
        return -(-self.columns // 4)


class Step(IntEnum):
    """The coding steps; their numbers are the patterns of `_native`'s grids.

    FIRST, SECOND: the halves of a checkerboard over the base latents. OTHERS: all other latents.
    """

    FIRST = 0
    SECOND = 1
    OTHERS = 2


def step_grid(g: Geometry, plane: Bytes, step: Step, latents: int, base: int) -> Grid:
    """The grid of `_native` for a mean or an index of this step, (rows, columns, channels)."""
    first, count = (base, latents - base) if step == Step.OTHERS else (0, base)
    rows, columns, _ = plane.shape
    return (g.rows, g.columns, latents, rows, columns, first, count, int(step))
