"""Random crops of frames: the input of every training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.cropstore_frames import StoredFrames
from ..runtime.images import Frame


@dataclass(frozen=True)
class Pool:
    """Frames of one game: uint8 arrays (H, W, 3), in memory or in a store."""

    game: str
    frames: Sequence[Frame]

    @cached_property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of each frame."""
        if isinstance(self.frames, StoredFrames):
            return self.frames.sizes
        return [(frame.shape[0], frame.shape[1]) for frame in self.frames]


class Crops(NamedTuple):
    """pixels: (batch, 3, size, size) float32, 0..255, channels last. frames: (batch,) int64, the
    frame that each is of, counted through all pools.
    """

    pixels: Tensor
    frames: Tensor


class Cut(NamedTuple):
    """Crops as they come from the frames: pixels (batch, size, size, 3). frames: as in `Crops`."""

    pixels: NDArray[np.uint8]
    frames: NDArray[np.int64]

    def on(self, device: str) -> Crops:
        """As a training on this device wants them."""
        pixels, frames = (torch.from_numpy(array) for array in self)
        if device != "cpu":
            # Bytes go over, a quarter of the floats, while the processor goes on.
            pixels, frames = (
                t.pin_memory().to(device, non_blocking=True) for t in (pixels, frames)
            )
        planes = pixels.permute(0, 3, 1, 2).float()
        return Crops(planes.contiguous(memory_format=torch.channels_last), frames)


def sample_batch(pools: list[Pool], batch: int, size: int, seed: int, step: int) -> Tensor:
    """The pixels of `sample_crops`."""
    return sample_crops(pools, batch, size, seed, step).pixels


def sample_crops(
    pools: list[Pool], batch: int, size: int, seed: int, step: int, rows: range | None = None
) -> Crops:
    """The crops of one training step, or of it those of some rows of the batch.

    Games take turns so that a game of few frames counts as much as one of many; mirrored left to
    right at random (rendered frames have no fixed handedness, but they do have an up and down).
    The crops depend on (seed, step) alone, which makes a resumed run repeat the lost steps.
    """
    return cut_crops(pools, batch, size, seed, step, rows).on("cpu")


def cut_crops(
    pools: list[Pool],
    batch: int,
    size: int,
    seed: int,
    step: int,
    rows: range | None = None,
) -> Cut:
    """`sample_crops` before anything is computed: by numpy alone, for any thread.

    Raises DecodedFrameError.
    """
    rng = np.random.default_rng((seed, step))
    first = np.cumsum([0, *(len(pool.frames) for pool in pools)])
    wanted = range(batch) if rows is None else rows
    pixels = np.empty((len(wanted), size, size, 3), np.uint8)
    frames = np.empty(batch, np.int64)
    for i in range(batch):  # other rows draw too, so that each has the crop of the whole batch
        # Not (step * batch + i): with 2 or 4 games each rate point would meet one game for ever.
        game = (step + i) % len(pools)
        pool = pools[game]
        chosen = int(rng.integers(len(pool.frames)))
        height, width = (max(side, size) for side in pool.sizes[chosen])
        top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
        mirrored = bool(rng.integers(2))
        frames[i] = first[game] + chosen
        if i in wanted:
            crop = _pad_to(pool.frames[chosen], size)[top : top + size, left : left + size]
            _put(pixels[wanted.index(i)], crop, mirrored)
    return Cut(pixels, frames)


def _put(target: NDArray[np.uint8], crop: Frame, mirrored: bool) -> None:
    if not mirrored:
        target[...] = crop
        return
    for channel in range(3):  # a fifth of the time of one copy, pixel by pixel
        target[..., channel] = crop[:, ::-1, channel]


def _pad_to(frame: Frame, size: int) -> Frame:
    rows, columns = max(0, size - frame.shape[0]), max(0, size - frame.shape[1])
    if not rows and not columns:
        return frame
    return np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")
