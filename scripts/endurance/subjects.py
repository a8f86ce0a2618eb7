"""Codecs and frames that threads and memory are tried with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.images import Frame
from c3d_export.runtime.known import known_frame

ROOT: Final = Path(__file__).parents[2]
FAMILIES: Final = ROOT / "tests" / "golden" / "families"
OVERLAID: Final = ROOT / "tests" / "golden" / "v5"
"""A tiny codec of the own family, with an overlay."""
OWN: Final = ROOT / "exported" / "generic-xsmall.c3b"
"""The own family: the smallest codec that hosts really run."""


@dataclass(frozen=True)
class Trip:
    """One frame at one rate point, with the stream and the picture that it must always give."""

    frame: Frame
    quality: int
    stream: bytes
    picture: bytes

    def again(self, codec: Codec) -> bool:
        """Whether the frame gives the same bytes there and back."""
        stream = codec.encode(self.frame, self.quality)
        return stream == self.stream and codec.decode(stream).tobytes() == self.picture


def frame_of(height: int, width: int, seed: int) -> Frame:
    """(height, width, 3): the known frame over and over, moved by the seed."""
    tile = np.roll(known_frame(), (7 * seed, 5 * seed), (0, 1))
    times = (-(-height // tile.shape[0]), -(-width // tile.shape[1]), 1)
    return np.ascontiguousarray(np.tile(tile, times)[:height, :width])


def trip_of(codec: Codec, frame: Frame, number: int) -> Trip:
    """What this thread makes of a frame, at a rate point that goes round with the number."""
    quality = codec.qualities[number % len(codec.qualities)]
    stream = codec.encode(frame, quality)
    return Trip(frame, quality, stream, codec.decode(stream).tobytes())


def trips_of(codec: Codec, sizes: Sequence[tuple[int, int]]) -> list[Trip]:
    """One for each size (height, width)."""
    return [trip_of(codec, frame_of(*size, n), n) for n, size in enumerate(sizes)]


def opened(path: Path, threads: int) -> Codec:
    """The codec of a bundle, on the processor; raises as `open_codec`."""
    return open_codec(path, threads=threads)
