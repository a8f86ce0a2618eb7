"""Overlays from frames: tiles that show the same in several scenes, in groups that go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..runtime.overlay import PIXELS, TILE, Overlay
from .clusters import Bytes, State, tile_states
from .pack import LearntOverlay, limits
from .tints import Tile, Tints

_TOGETHER: Final = 0.95
"""Least share of frames, of those that show one of two tiles, that show both, for one group."""
_LEAST_VALUE: Final = 20.0
"""Bits that a group saves in an average frame: half of them pay for the bit of its flag, and for
what it costs where another map happens to look alike."""
_FEW_SCENES: Final = 5
"""Up to so many scenes, two must show the same; of more, three."""

Told = Callable[[int, int], None]


def learn_overlay(
    frames: Bytes, scenes: Sequence[str], told: Told | None = None
) -> LearntOverlay | None:
    """The overlay of a game, None where nothing is drawn at the same place in several scenes.

    frames: (F, H, W, 3) uint8, all of one size. scenes: (F) their maps; what one map alone shows
    at a place is scenery. told: called with rows of tiles done and in all.
    """
    numbers = np.unique(np.asarray(scenes), return_inverse=True)[1].astype(np.int64)
    states = _states(frames, numbers, told)
    if not states:
        return None
    tiles = Tints(frames, states).tiles()
    return _assembled(frames, _groups(tiles))


def _states(frames: Bytes, scenes: NDArray[np.int64], told: Told | None) -> list[State]:
    rows, columns = frames.shape[1] // TILE, frames.shape[2] // TILE
    least = 2 if len(np.unique(scenes)) <= _FEW_SCENES else 3
    found = []
    for row in range(rows):
        for column in range(columns):
            y, x = row * TILE, column * TILE
            pixels = frames[:, y : y + TILE, x : x + TILE].reshape(-1, PIXELS, 3)
            found += tile_states((row, column), pixels, scenes, least)
        if told is not None:
            told(row + 1, rows)
    return found


def _groups(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Tiles side by side that the same frames show; a tile never twice in a group."""
    groups = {n: [n] for n in range(len(tiles))}
    home = list(range(len(tiles)))
    for a, b in _pairs(tiles):
        first, second = home[a], home[b]
        if first == second or not _fit(tiles, groups[first], groups[second]):
            continue
        groups[first] += groups.pop(second)
        for n in groups[first]:
            home[n] = first
    split = [part for group in groups.values() for part in _split([tiles[n] for n in group])]
    return sorted(split, key=_value, reverse=True)


def _split(group: list[Tile]) -> list[list[Tile]]:
    """A group without the tiles that other frames show than most of it: those stand alone."""
    if len(group) < 3:
        return [group]
    most = np.mean([tile.frames for tile in group], 0) > 0.5
    alike = [(tile.frames ^ most).sum() <= (1 - _TOGETHER) * most.sum() for tile in group]
    core = [tile for tile, good in zip(group, alike, strict=True) if good]
    alone = [[tile] for tile, good in zip(group, alike, strict=True) if not good]
    return [core, *alone] if core else alone


def _pairs(tiles: Sequence[Tile]) -> list[tuple[int, int]]:
    """Parents and what is tinted with them first, then neighbours that go together."""
    children, near = [], []
    places: dict[tuple[int, int], list[int]] = {}
    for n, tile in enumerate(tiles):
        if n != tile.parent:
            children.append((tile.parent, n))
        for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1)):
            for other in places.get((tile.tile[0] + dy, tile.tile[1] + dx), []):
                if _together(tile, tiles[other]) >= _TOGETHER:
                    near.append((other, n))
        places.setdefault(tile.tile, []).append(n)
    return children + near


def _together(a: Tile, b: Tile) -> float:
    return float((a.frames & b.frames).sum() / max(1, (a.frames | b.frames).sum()))


def _fit(tiles: Sequence[Tile], a: list[int], b: list[int]) -> bool:
    return not {tiles[n].tile for n in a} & {tiles[n].tile for n in b}


def _value(group: Sequence[Tile]) -> float:
    """Bits that it saves in an average frame."""
    return sum(float(tile.bits * tile.frames.mean()) for tile in group)


def _assembled(frames: Bytes, groups: Sequence[list[Tile]]) -> LearntOverlay | None:
    """The groups that are worth it, of those that frames show when they are looked for."""
    kept = [group for group in groups if _value(group) >= _LEAST_VALUE and _is_opaque(group)]
    for _ in range(2):  # once those that are never shown are gone, others may be
        if not kept:
            return None
        learnt = _learnt(frames, kept)
        shown = learnt.shares * len(frames) >= 2
        kept = [group for group, good in zip(kept, shown, strict=True) if good]
    return _learnt(frames, kept) if kept else None


def _is_opaque(group: Sequence[Tile]) -> bool:
    """Tints alone fit too many pictures."""
    return sum(int((tile.pixels[:, 3] == 0).sum()) for tile in group) >= TILE


def _learnt(frames: Bytes, groups: Sequence[list[Tile]]) -> LearntOverlay:
    tiles = [tile for group in groups for tile in group]
    numbers = np.array([n for n, group in enumerate(groups) for _ in group], np.uint16)
    place = np.array([tile.tile for tile in tiles], np.uint16)
    pixels = np.stack([tile.pixels for tile in tiles])
    size = (frames.shape[1], frames.shape[2])
    saved = np.array([_value(group) for group in groups])
    shown = Overlay(size, place, numbers, pixels, limits(1).astype(np.uint16))
    first = np.searchsorted(numbers, np.arange(len(groups)))
    flags = [np.maximum.reduceat(shown.find(frame, 0), first) for frame in frames]
    return LearntOverlay(size, place, numbers, pixels, np.mean(flags, 0), saved)
