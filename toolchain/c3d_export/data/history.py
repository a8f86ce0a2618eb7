"""Whether pixels went through JPEG, or another transform on a grid, before they became a PNG.

A quantised transform leaves many coefficients at zero, but only where the blocks are cut at its
own grid. So places of the frame are cut at all 64 phases of an 8x8 grid, and each place votes for
the phase with the most zeros (as in Nikoukhah et al., ZERO, IPOL 2021). Without a history the votes
scatter; with one they agree. The share of the winner is the confidence. Phases that agree modulo 4
tell of 4x4 transforms (WebP, H.264).

What was scaled after the coding has no grid of whole pixels and is not found. A game that draws
tiles of 8x8 pixels on such a grid is taken for coded; one whose pixels are repeated is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from c3d_export.runtime.images import Frame

# Calibrated by scripts/jpeg_history.py; docs/data.md has the table.
SHARE_8: Final = 0.13
SHARE_4: Final = 0.22
# And no agreement that happens by chance more often than in one of 10^8 frames.
_LOG10_CHANCE: Final = -8.0

_TILE: Final = 15  # pixels: holds one 8x8 block at each of 64 phases
_STEP: Final = 16
# Places that are looked at; they take some 15 ms a frame.
_TILES: Final = 400
# Grey levels between the darkest and the brightest pixel of a place that may say something.
_CONTRAST: Final = 6
# A coefficient below half a grey level is zero: rounding to RGB leaves some .3.
_ZERO: Final = 0.5
# Flat places have only zeros at every phase and say nothing.
_FLAT: Final = 60

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # of JFIF, whatever the game means


@dataclass(frozen=True)
class Trace:
    """The grid that the votes agree on.

    `step`: 8 or 4 pixels, 0 where they do not. `share` of the `votes` is for that grid, or for the
    best 8x8 grid where there is none. `column`, `row`: where its first block begins.
    """

    step: int = 0
    share: float = 0.0
    votes: int = 0
    column: int = 0
    row: int = 0

    @property
    def text(self) -> str:
        """What to say of it; nothing where there is no grid."""
        kind = {8: "JPEG or a video", 4: "WebP or a video"}.get(self.step)
        share = f"{round(100 * self.share)} % of {self.votes} places agree"
        grid = f"on a grid of {self.step} from ({self.column}, {self.row})"
        return f"was coded with loss before ({kind}): {share} {grid}" if kind else ""


def grid_trace(frame: Frame) -> Trace:
    """Looks for the grid of an earlier lossy coding; frame: uint8 (height, width, 3)."""
    counts = _votes(_tiles(frame))
    votes = int(counts.sum())
    if not votes or _is_enlarged(frame):
        return Trace()
    folded = counts.reshape(2, 4, 2, 4).sum((0, 2))
    eight, four = counts.max() / votes, folded.max() / votes
    row, column = divmod(int(counts.argmax()), 8)
    if eight >= SHARE_8 and _chance(votes, int(counts.max()), 64) < _LOG10_CHANCE:
        return Trace(8, float(eight), votes, column, row)
    if four >= SHARE_4 and _chance(votes, int(folded.max()), 16) < _LOG10_CHANCE:
        row, column = divmod(int(folded.argmax()), 4)
        return Trace(4, float(four), votes, column, row)
    return Trace(0, float(eight), votes)


def _is_enlarged(frame: Frame) -> bool:
    """Whether pixels are repeated by an even number, as retro games do: that is a grid too."""
    rows = frame[:: max(1, len(frame) // 64)]
    equal = (rows[:, 1:] == rows[:, :-1]).all(2).mean(0)
    if len(equal) < 2:
        return False
    even, odd = float(equal[::2].mean()), float(equal[1::2].mean())
    return max(even, odd) > 0.999 and abs(even - odd) > 0.02


def _tiles(frame: Frame) -> NDArray[np.float32]:
    """Luma of up to _TILES places that are neither flat nor clipped, float32 (n, 15, 15)."""
    height, width = frame.shape[:2]
    rows = np.arange(0, height - _TILE + 1, _STEP)
    columns = np.arange(0, width - _TILE + 1, _STEP)
    y, x = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
    inner = np.arange(_TILE)

    def cut(plane: Frame, places: NDArray[np.intp]) -> Frame:
        return plane[y[places, None, None] + inner[:, None], x[places, None, None] + inner]

    places = _evenly(np.arange(y.size), 4 * _TILES)  # bounded, whatever the size of the frame
    green = cut(frame[..., 1], places)
    low, high = green.min((1, 2)), green.max((1, 2))
    useful = places[(low > 0) & (high < 255) & (high - low >= _CONTRAST)]
    rgb = cut(frame, _evenly(useful, _TILES))
    whole = ((rgb > 0) & (rgb < 255)).all((1, 2, 3))
    luma: NDArray[np.float32] = rgb[whole].astype(np.float32) @ _LUMA
    return luma


def _evenly(items: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most `count` of the items, evenly spread."""
    if len(items) <= count:
        return items
    return items[np.linspace(0, len(items) - 1, count).round().astype(np.intp)]


def _votes(tiles: NDArray[np.float32]) -> NDArray[np.int64]:
    """Votes for each phase (row * 8 + column) of the tiles that prefer exactly one."""
    cut = _cutting()
    coefficients = np.matmul(np.matmul(cut, tiles), cut.T).reshape(-1, 8, 8, 8, 8)
    zeros = (np.abs(coefficients) < _ZERO).sum((2, 4)).reshape(-1, 64)
    ordered = np.sort(zeros, axis=1)
    clear = (ordered[:, -1] > ordered[:, -2]) & (ordered[:, 0] < _FLAT)
    return np.bincount(zeros[clear].argmax(1), minlength=64)


@cache
def _cutting() -> NDArray[np.float32]:
    """The DCT of eight samples at each of eight offsets into fifteen: float32 (64, 15)."""
    frequency, sample = np.mgrid[0:8, 0:8]
    dct = np.cos((2 * sample + 1) * frequency * np.pi / 16) / 2
    dct[0] /= math.sqrt(2)
    result = np.zeros((8, 8, _TILE), np.float32)
    for offset in range(8):
        result[offset, :, offset : offset + 8] = dct
    return result.reshape(64, _TILE)


def _chance(votes: int, winning: int, phases: int) -> float:
    """log10 of how often votes by chance agree so well on any of the phases."""
    share = winning / votes
    if share <= 1 / phases:
        return 0.0
    # Chernoff's bound of the binomial tail: a little pessimistic, and never out of range.
    divergence = share * math.log(share * phases)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - 1 / phases))
    return math.log10(phases) - votes * divergence / math.log(10)
