"""Random crops of frames held in memory: the input of every training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Pool:
    """Frames of one game: uint8 arrays (H, W, 3), each side at least the crop's."""

    game: str
    frames: list[NDArray[np.uint8]]


class Crops(NamedTuple):
    """pixels: (batch, 3, size, size) float32, 0..255, channels last. frames: (batch,) int64, the
    frame that each is of, counted through all pools.
    """

    pixels: Tensor
    frames: Tensor


def _pad_to(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    rows, columns = max(0, size - frame.shape[0]), max(0, size - frame.shape[1])
    return np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")


def sample_batch(pools: list[Pool], batch: int, size: int, seed: int, step: int) -> Tensor:
    """The pixels of `sample_crops`."""
    return sample_crops(pools, batch, size, seed, step).pixels


def sample_crops(pools: list[Pool], batch: int, size: int, seed: int, step: int) -> Crops:
    """The crops of one training step.

    Games take turns so that a game of few frames counts as much as one of many; mirrored left to
    right at random (rendered frames have no fixed handedness, but they do have an up and down).
    The crops depend on (seed, step) alone, which makes a resumed run repeat the lost steps.
    """
    rng = np.random.default_rng((seed, step))
    first = np.cumsum([0, *(len(pool.frames) for pool in pools)])
    crops, frames = [], []
    for i in range(batch):
        # Not (step * batch + i): with 2 or 4 games each rate point would meet one game for ever.
        game = (step + i) % len(pools)
        chosen = int(rng.integers(len(pools[game].frames)))
        frame = _pad_to(pools[game].frames[chosen], size)
        frames.append(int(first[game]) + chosen)
        top = int(rng.integers(frame.shape[0] - size + 1))
        left = int(rng.integers(frame.shape[1] - size + 1))
        crop = frame[top : top + size, left : left + size]
        crops.append(crop[:, ::-1] if rng.integers(2) else crop)
    stacked = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    pixels = stacked.float().contiguous(memory_format=torch.channels_last)
    return Crops(pixels, torch.tensor(frames))
