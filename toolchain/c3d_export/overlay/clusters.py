"""What is the same in one tile of many frames: clusters of frames, and the pixels they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..runtime.overlay import PIXELS, TILE

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SAME: Final = 6
"""Grey levels: pixels that differ by no more, in any colour, are the same."""
MOST_STATES: Final = 6
"""Of one tile: a digit has more, but few of them are frequent."""
_LEAST_PIXELS: Final = 8
_PIXEL_SHARE: Final = 0.85
"""Of the frames of a cluster that a pixel must be the same in."""
_FRAME_SHARE: Final = 0.93
"""Of a cluster's pixels that must be the same in a frame of it."""
_SEED_SHARE: Final = 0.08
_ROUNDS: Final = 3
_LEAST_SHARE: Final = 0.1
_DARK: Final = 24
_DARK_SHARE: Final = 0.4
"""Black is what any dark scene shows: it must be in more frames than other colours."""
NOISE: Final = 30.0
"""Grey levels squared: what a codec leaves of error; errors below it cost no bits."""
_LEAST_BITS: Final = 40.0
_STRUCTURE: Final = 0.3
"""log2(1 + variance / NOISE) below which a tile is too flat to be worth anything."""


@dataclass(frozen=True)
class State:
    """One thing that a tile shows. tile: (row, column). pixels: (256) those that it has. colour:
    (256, 3) uint8. frames: (F) those that show it. bits: what it saves in each, about."""

    tile: tuple[int, int]
    pixels: Mask
    colour: Bytes
    frames: Mask
    bits: float


def tile_states(
    tile: tuple[int, int], frames: Bytes, scenes: NDArray[np.int64], least_scenes: int
) -> list[State]:
    """The states of a tile, the most frequent first. frames: (F, 256, 3) uint8, its pixels."""
    return _TileClusters(tile, frames, scenes, least_scenes).states()


class _TileClusters:
    def __init__(
        self,
        tile: tuple[int, int],
        frames: Bytes,
        scenes: NDArray[np.int64],
        least_scenes: int,
    ) -> None:
        self.tile, self.x, self.scenes = tile, frames.astype(np.int16), scenes
        self.least_frames = max(3, round(_LEAST_SHARE * len(frames)))
        self.least_scenes = least_scenes
        # Every second pixel of every second row is enough to find clusters.
        self.seen = np.arange(PIXELS).reshape(TILE, TILE)[::2, ::2].ravel()

    def states(self) -> list[State]:
        sample = self.x[:, self.seen]
        structure = np.log2(1 + sample.var(1).mean(-1) / NOISE)
        free = structure >= _STRUCTURE
        if free.sum() < self.least_frames:
            return []
        same = np.abs(sample[:, None] - sample[None]).max(-1) <= SAME
        found = []
        for _ in range(MOST_STATES):
            cluster = self._largest(same, free)
            if cluster is None:
                break
            free = free & ~cluster[1]
            state = self._state(*cluster)
            dark = np.median(state.colour[state.pixels].max(-1)) < _DARK
            if state.bits >= _LEAST_BITS and not (dark and state.frames.mean() < _DARK_SHARE):
                found.append(state)
        return found

    def _largest(self, same: Mask, free: Mask) -> tuple[int, Mask] | None:
        """The seed and the frames of the cluster that covers most."""
        share = same.mean(-1)
        near = (share >= _SEED_SHARE) & free
        best: tuple[int, int, Mask] | None = None
        for seed in np.flatnonzero(free & (near.sum(1) >= self.least_frames)):
            frames, size = self._grow(same[seed], near[seed], free)
            if size and (best is None or size > best[0]):
                best = size, int(seed), frames
        return None if best is None else best[1:]

    def _grow(self, same: Mask, frames: Mask, free: Mask) -> tuple[Mask, int]:
        """same: (F, sampled pixels) as in the seed -> its cluster, and frames times pixels."""
        pixels = np.zeros(same.shape[1], bool)
        for _ in range(_ROUNDS):
            if not self._is_enough(frames):
                return frames, 0
            pixels = same[frames].mean(0) >= _PIXEL_SHARE
            if pixels.sum() < _LEAST_PIXELS // 2:
                return frames, 0
            frames = free & (same[:, pixels].mean(-1) >= _FRAME_SHARE)
        return frames, int(frames.sum() * pixels.sum()) if self._is_enough(frames) else 0

    def _is_enough(self, frames: Mask) -> bool:
        if frames.sum() < self.least_frames:
            return False
        return len(np.unique(self.scenes[frames])) >= self.least_scenes

    def _state(self, seed: int, frames: Mask) -> State:
        x = self.x[frames]
        pixels = (np.abs(x - self.x[seed]).max(-1) <= SAME).mean(0) >= _PIXEL_SHARE
        colour = np.rint(np.median(x, 0))
        bits = _bits(x, colour, pixels)
        return State(self.tile, pixels, colour.astype(np.uint8), frames, bits)


def _bits(x: NDArray[np.int16], colour: NDArray[np.float64], pixels: Mask) -> float:
    """What it costs to code these pixels over the mean of the others, on average of the frames."""
    whole = np.broadcast_to(colour.mean(0), (len(x), 3))
    around = whole if pixels.all() else x[:, ~pixels].mean(1)
    error = ((colour[None, pixels] - around[:, None]) ** 2).mean(-1)
    return float(np.log2(1 + error / NOISE).sum(1).mean() / 2)
