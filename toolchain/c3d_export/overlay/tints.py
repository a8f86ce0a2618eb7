"""Edges and shadows of what is drawn: pixels that let some of the picture through.

A pixel of an overlay is colour + kept * picture. What the picture would be is not known, but
around the overlay it goes on smoothly enough: the frames are filled there, and each pixel's line
through the (fill, seen) of all frames that show the overlay gives both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _native

from ..runtime.overlay import PIXELS, TILE
from .clusters import NOISE, Bytes, Mask, State
from .pack import UNTOUCHED, WORST

_REACH: Final = 3
"""Pixels around an opaque one that may be tinted."""
_MOST_KEPT: Final = 0.85
_UNEXPLAINED: Final = 0.4
"""Most of the error of the plain fill that the line may leave."""
_LEAST_BITS: Final = 20.0
_FAR: Final = 32
"""A little less than what the encoder takes for another picture (FAR of native_overlay.c)."""
_OFTEN: Final = 0.06


@dataclass(frozen=True)
class Tile:
    """A tile of an overlay. tile: (row, column). pixels: (256, 4) uint8, colour and keep. frames:
    (F) those that show it. bits: what it saves in each. parent: index of the State that it goes
    with."""

    tile: tuple[int, int]
    pixels: Bytes
    frames: Mask
    bits: float
    parent: int


def grown(mask: Mask, reach: int = _REACH) -> Mask:
    """(H, W): all pixels within `reach` of one of the mask."""
    for axis in (0, 1):
        steps = [np.roll(mask, step, axis) for step in range(-reach, reach + 1)]
        for step, moved in zip(range(-reach, reach + 1), steps, strict=True):
            beyond = slice(None, step) if step > 0 else slice(step, None)
            if step:
                np.moveaxis(moved, axis, 0)[beyond] = False
        mask = np.asarray(np.logical_or.reduce(steps))
    return mask


def cut(array: Mask, tile: tuple[int, int]) -> Mask:
    """What of (H, W) is one tile: a view."""
    y, x = tile[0] * TILE, tile[1] * TILE
    return array[y : y + TILE, x : x + TILE]


class Tints:
    """Fits the tiles of an overlay to frames (F, H, W, 3) uint8."""

    def __init__(self, frames: Bytes, states: Sequence[State]) -> None:
        self.frames, self.states = frames, states
        size = frames.shape[1:3]
        opaque = np.zeros(size, bool)
        for state in states:
            cut(opaque, state.tile)[...] |= state.pixels.reshape(TILE, TILE)
        self.ring = grown(opaque)
        self.fills = np.stack([self._filled(n) for n in range(len(frames))])

    def _filled(self, n: int) -> Bytes:
        """Frame n with the states that it shows, and what is around them, filled."""
        frame: Bytes = self.frames[n].copy()
        height, width = frame.shape[:2]
        shown = np.zeros((height, width), bool)
        for state in self.states:
            if state.frames[n]:
                cut(shown, state.tile)[...] |= state.pixels.reshape(TILE, TILE)
        cells = np.empty(_native.fill_bytes(height, width), np.uint8)
        _native.fill(frame, grown(shown).view(np.uint8), height, width, cells)
        return frame

    def tiles(self) -> list[Tile]:
        """One for each state, and one for each tile beside them that is tinted only."""
        tiles = [
            self._fit(state.tile, state.frames, state.pixels, parent)
            for parent, state in enumerate(self.states)
        ]
        return tiles + self._beside()

    def _beside(self) -> list[Tile]:
        """Tiles without a state that a neighbour's edges or shadows reach into."""
        own = {state.tile for state in self.states}
        around: dict[tuple[int, int], list[int]] = {}
        for index, state in enumerate(self.states):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    around.setdefault((state.tile[0] + dy, state.tile[1] + dx), []).append(index)
        rows, columns = (side // TILE for side in self.ring.shape)
        found = []
        for tile, parents in around.items():
            inside = 0 <= tile[0] < rows and 0 <= tile[1] < columns
            if tile in own or not inside or not cut(self.ring, tile).any():
                continue
            parent = max(parents, key=lambda index: self.states[index].frames.sum())
            fit = self._fit(tile, self.states[parent].frames, np.zeros(PIXELS, bool), parent)
            if fit.bits >= _LEAST_BITS:
                found.append(fit)
        return found

    def _fit(self, tile: tuple[int, int], shown: Mask, opaque: Mask, parent: int) -> Tile:
        y, x = tile[0] * TILE, tile[1] * TILE
        area = (shown, slice(y, y + TILE), slice(x, x + TILE))
        seen = self.frames[area].reshape(-1, PIXELS, 3).astype(np.float64)
        fill = self.fills[area].reshape(-1, PIXELS, 3).astype(np.float64)
        kept, colour, plain, left = _lines(seen, fill)
        ring = cut(self.ring, tile).reshape(PIXELS)
        tinted = ring & ~opaque & (plain > NOISE) & (left < _UNEXPLAINED * plain)
        tinted &= kept < _MOST_KEPT
        pixels = np.tile(np.array(UNTOUCHED, np.uint8), (PIXELS, 1))
        pixels[opaque, :3] = np.rint(np.median(seen[:, opaque], 0))
        pixels[opaque, 3] = 0
        pixels[tinted, :3] = np.clip(np.rint(colour[tinted]), 0, 255)
        pixels[tinted, 3] = np.rint(kept[tinted] * 255)
        showing = _showing(pixels, seen)
        touched = pixels[:, 3] < 255
        saved = np.log2((NOISE + plain) / (NOISE + left))[touched].sum() / 2
        frames = shown.copy()
        frames[shown] = showing
        return Tile(tile, pixels, frames, float(saved), parent)


def _showing(pixels: Bytes, seen: NDArray[np.float64]) -> Mask:
    """Which frames (n, 256, 3) show a tile as the encoder will ask; pixels that are often quite
    different are made untouched before."""
    kept = pixels[:, 3:].astype(np.int64)
    kept += kept >> 7
    most = np.minimum(pixels[:, :3] + ((255 * kept + 128) >> 8), 255)
    apart = np.maximum(np.maximum(pixels[:, :3] - seen, seen - most), 0)
    far = np.asarray((apart > _FAR).any(-1))
    pixels[far.mean(0) > _OFTEN] = UNTOUCHED
    touched = pixels[:, 3] < UNTOUCHED[3]
    near = (apart[:, touched] ** 2).sum((1, 2)) <= WORST * 3 * touched.sum()
    return np.asarray(near & ~far[:, touched].any(1))


def _lines(seen: NDArray[np.float64], fill: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """kept (256), colour (256, 3), and the mean squared errors of the plain fill and of the line.

    The three colours share one slope, so that few frames are enough.
    """
    mean_seen, mean_fill = seen.mean(0), fill.mean(0)
    spread = ((fill - mean_fill) ** 2).sum((0, 2))
    kept = ((seen - mean_seen) * (fill - mean_fill)).sum((0, 2)) / np.maximum(spread, 1e-3)
    kept = np.clip(kept, 0.0, 1.0)
    colour = mean_seen - kept[:, None] * mean_fill
    plain = ((seen - fill) ** 2).mean((0, 2))
    left = ((seen - colour - kept[:, None] * fill) ** 2).mean((0, 2))
    return kept, colour, plain, left
