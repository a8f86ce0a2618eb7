"""What a damaged stream came to: an error of the tree, or which picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from c3d_export.core.errors import CorruptError, StreamError
from c3d_export.runtime.c2f.codec import MULTIPLE, CoarseToFineCodec
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.floatcodec import FloatCodec
from c3d_export.runtime.geometry import Bytes, Geometry, Symbols
from c3d_export.runtime.images import Frame
from c3d_export.runtime.overlay import TILE
from c3d_export.runtime.stream import Stream, parse_stream

SAME: Final = "the same picture"
OTHER_SIZE: Final = "the same picture, cut to another size"
OTHER_TILES: Final = "the same picture under other tiles"
OTHER_FRACTIONS: Final = "the same latents with other fractions"
WRONG: Final = "a wrong picture"
UNTYPED: Final = "an error that is no leaf of the tree"
FORGED: Final = (SAME, OTHER_SIZE, OTHER_TILES, OTHER_FRACTIONS)
"""What a stream may show whose checksums of bytes were made to hold; no promise covers a forger."""


@dataclass(frozen=True)
class Outcome:
    """kind: the name of an error, or one of the constants above. seconds: of this thread's
    processor time. detail: one line on what was seen."""

    kind: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Whole:
    """An undamaged stream and what it shows."""

    codec: Codec
    data: bytes
    stream: Stream
    picture: Frame

    @staticmethod
    def of(codec: Codec, data: bytes) -> Whole:
        return Whole(codec, data, parse_stream(data), codec.decode(data))


def outcome(whole: Whole, data: bytes) -> Outcome:
    """What `data` comes to, that was made of the whole stream."""
    begin = time.thread_time()
    try:
        shown = whole.codec.decode(data)
    except Exception as error:  # whatever else comes out is what is looked for
        seconds = time.thread_time() - begin
        is_leaf = isinstance(error, CorruptError) and type(error) not in (CorruptError, StreamError)
        return Outcome(type(error).__name__ if is_leaf else UNTYPED, seconds, repr(error))
    seconds = time.thread_time() - begin
    kind, detail = _kind(whole, parse_stream(data), shown)
    return Outcome(kind, seconds, detail)


def _kind(whole: Whole, stream: Stream, shown: Frame) -> tuple[str, str]:
    if np.array_equal(shown, whole.picture):
        return SAME, ""
    first, second = _common(whole.codec, whole.picture, shown)
    off = np.abs(first.astype(np.int16) - second)
    detail = f"{off.max()} grey levels off"
    if shown.shape != whole.picture.shape:
        return (WRONG if off.any() else OTHER_SIZE), detail
    if stream.overlay != whole.stream.overlay and stream.slices == whole.stream.slices:
        return (WRONG if off[_free(whole)].any() else OTHER_TILES), detail
    return (OTHER_FRACTIONS if _has_other_fractions(whole, stream) else WRONG), detail


def _common(codec: Codec, *pictures: Frame) -> list[Frame]:
    """Where pictures of the same latents overlap: most begin with the first latent, those of a
    coarse-to-fine codec are in the middle of whole ones."""
    before = [[0, 0] for _ in pictures]
    if isinstance(codec, CoarseToFineCodec):
        before = [[-side % MULTIPLE // 2 for side in p.shape[:2]] for p in pictures]
    corners = [np.array(p.shape[:2]) + b for p, b in zip(pictures, before, strict=True)]
    top, left = np.max(before, 0)
    bottom, right = np.min(corners, 0)
    cut = []
    for picture, (row, column) in zip(pictures, before, strict=True):
        cut.append(picture[top - row : bottom - row, left - column : right - column])
    return cut


def _free(whole: Whole) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(H, W), true where no tile of the overlay is."""
    free = np.ones(whole.picture.shape[:2], np.bool_)
    if whole.codec.overlay is not None:
        for row, column in whole.codec.overlay.place.astype(int) * TILE:
            free[row : row + TILE, column : column + TILE] = False
    return free


def _has_other_fractions(whole: Whole, stream: Stream) -> bool:
    """Whether two streams of the own family have the same v, which the checksum of the latents is
    over, with other fractions, which only synthesis sees."""
    if isinstance(whole.codec, FloatCodec):
        return False  # their checksum is over all that synthesis sees
    (v, fine), (other, finer) = (_latents(whole.codec, each) for each in (whole.stream, stream))
    return np.array_equal(v, other) and not np.array_equal(fine, finer)


def _latents(codec: Codec, stream: Stream) -> tuple[Bytes, Symbols]:
    """v, and the fractions, copied: the next frame overwrites them."""
    header = stream.header
    geometry = Geometry(header.height, header.width)
    v, fine = codec._decode_latents(stream, geometry, header.quality - 1)
    return v.copy(), fine.copy()
