"""What it takes to be evaluated as a codec, and one timed pass of a frame through one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from c3d_export.evaluate.metrics import bpp
from c3d_export.runtime.images import Frame, check_frame


class Codec(Protocol):
    """Anything that codes frames, uint8 (height, width, 3) RGB, at integer qualities."""

    @property
    def qualities(self) -> Sequence[int]:
        """The qualities that `encode` takes, from the lowest rate to the highest."""

    def encode(self, frame: Frame, /, *, quality: int) -> bytes:
        """The whole file of one frame."""

    def decode(self, data: bytes, /) -> Frame:
        """The frame of one file."""


@dataclass(frozen=True)
class Result:
    """One frame, coded and decoded.

    `data` is the whole file, `frame` what it decodes to, the times are wall-clock milliseconds
    of one call each; `bpp` is derived from `data` and the size of `frame`.
    """

    data: bytes = field(repr=False)
    frame: Frame = field(repr=False)
    encode_ms: float
    decode_ms: float
    quality: int

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return bpp(len(self.data), self.frame.shape[1], self.frame.shape[0])


def measure(codec: Codec, frame: Frame, quality: int) -> Result:
    """Codes and decodes a frame, uint8 (height, width, 3) RGB, and times both calls.

    The first calls of a codec are slow: make one and throw it away before times matter. Raises
    what the codec raises, and FrameShapeError where it decodes to something that is no frame.
    """
    data, encode_ms = timed_encode(codec, frame, quality)
    return timed_decode(codec, data, encode_ms, quality)


def timed_encode(codec: Codec, frame: Frame, quality: int) -> tuple[bytes, float]:
    """The file of a frame, and the milliseconds that it took."""
    start = time.perf_counter()
    data = codec.encode(frame, quality=quality)
    return data, 1000 * (time.perf_counter() - start)


def timed_decode(codec: Codec, data: bytes, encode_ms: float, quality: int) -> Result:
    """The result of a file that was encoded in `encode_ms` at `quality`."""
    start = time.perf_counter()
    frame = codec.decode(data)
    decode_ms = 1000 * (time.perf_counter() - start)
    return Result(data, check_frame(frame), encode_ms, decode_ms, quality)
