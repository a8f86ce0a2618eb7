"""Frames beside their low resolutions: what an up-scaler is trained and validated on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..core.errors import OptionError
from ..runtime.images import Frame
from .resample import downscale, padded
from .spec import STRIDE

if TYPE_CHECKING:
    from ..evaluate.measure import Codec
    from ..train.crops import Pool

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Source:
    """How low resolutions are made: by the pipeline's own down-scaler, and then through a codec at
    each of `qualities` where there is one. name: of the codec, for the record.
    """

    factor: int
    codec: Codec | None = None
    qualities: tuple[int, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        known = self.codec.qualities if self.codec is not None else ()
        for quality in self.qualities:
            if quality not in known:
                choices = ", ".join(map(str, known)) or "none without --codec"
                raise OptionError(f"the codec has no quality {quality}; choose from {choices}")
        if self.codec is not None and not self.qualities:
            raise OptionError("name the qualities of the codec to train at")

    def lows(self, frame: Frame) -> tuple[Frame, ...]:
        low = downscale(frame, self.factor)
        if self.codec is None:
            return (low,)
        files = (self.codec.encode(low, quality=quality) for quality in self.qualities)
        return tuple(self.codec.decode(data) for data in files)


@dataclass(frozen=True)
class Pair:
    """high: uint8 (factor h, factor w, 3), edges repeated where the frame was smaller. lows: its
    low resolutions, uint8 (h, w, 3) each.
    """

    high: Frame
    lows: tuple[Frame, ...]


def make_pairs(
    pools: Sequence[Pool], source: Source, advance: Advance | None = None
) -> list[list[Pair]]:
    """The pairs of each game; advance: told how many frames are done."""
    done, games = 0, []
    for pool in pools:
        pairs = []
        for frame in pool.frames:
            pairs.append(Pair(padded(frame, source.factor), source.lows(frame)))
            done += 1
            if advance is not None:
                advance(done)
        games.append(pairs)
    return games


def sample_pairs(
    games: Sequence[Sequence[Pair]], factor: int, batch: int, size: int, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Low and high crops of one step: float32 in 0..1, (batch, 3, n, n) of n = size / factor, and
    (batch, 3, size, size).

    Games take turns; mirrored left to right at random, since rendered frames have an up. They
    depend on (seed, step) alone, so that a resumed run repeats the lost steps.
    """
    rng = np.random.default_rng((seed, step))
    low_size = size // factor
    lows, highs = [], []
    for i in range(batch):
        pairs = games[(step + i) % len(games)]
        pair = pairs[int(rng.integers(len(pairs)))]
        low = pair.lows[int(rng.integers(len(pair.lows)))]
        top, left = (int(rng.integers(side - low_size + 1)) for side in low.shape[:2])
        turn = slice(None, None, -1 if rng.integers(2) else 1)
        lows.append(_crop(low, top, left, low_size)[:, turn])
        highs.append(_crop(pair.high, top * factor, left * factor, size)[:, turn])
    return to_planes(np.stack(lows)), to_planes(np.stack(highs))


def _crop(frame: Frame, top: int, left: int, size: int) -> Frame:
    return frame[top : top + size, left : left + size]


def to_planes(frames: Frame) -> Tensor:
    """uint8 (B, h, w, 3) to float32 (B, 3, h, w) in 0..1, channels last in memory."""
    planes = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    return (planes.float() / 255.0).contiguous(memory_format=torch.channels_last)


def check_sizes(games: Sequence[Sequence[Pair]], factor: int, size: int) -> None:
    """Raises OptionError where a frame is smaller than a crop, or a crop is no whole number of
    positions of the features.
    """
    if size % (STRIDE * factor):
        raise OptionError(f"--crop {size} is no multiple of {STRIDE * factor}; choose 96 or 192")
    least = min(min(pair.high.shape[:2]) for pairs in games for pair in pairs)
    if least < size:
        raise OptionError(f"a frame has a side of {least} pixels, less than --crop {size}")
