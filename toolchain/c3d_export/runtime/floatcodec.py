"""What codecs with float transforms and one rate point share: frames to streams and back.

All that is coded is integers and exact on every host; a decoded pixel may differ by a grey level
from host to host.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from c3d_export import _arith

from ..core.errors import (
    BundleFormatError,
    BundleManifestError,
    BundleMemberError,
    C3DError,
    KnownAnswerError,
    LatentsChecksumError,
    StreamHeaderError,
)
from .bundle import Bundle
from .codec import Codec
from .images import Frame, check_frame
from .known import known_frame
from .refine import EFFORTS
from .sessions import Refusal, SessionOptions, Sessions
from .slices import Workers
from .stream import Data, Stream, pack_stream, parse_stream, require_codec


class FloatCodec(Codec):
    """As Codec; a bundle has one rate point, since every network of these families is for one.

    exact_pixels: whether synthesis is integer, too.
    """

    exact_pixels = False

    @abstractmethod
    def use_kernel(self, kernel: int) -> None:
        """Of the layers in C, for comparisons of one with another (`hyperprior/packing.py`)."""

    def __init__(self, bundle: Bundle, options: SessionOptions, sessions: Sessions) -> None:
        self.bundle, self.sessions = bundle, sessions
        self.refused: tuple[Refusal, ...] = ()
        self.effort = EFFORTS.start
        self.overlay = None
        self._workers = Workers(options.threads)

    def tables_of(self, prefix: str = "") -> _arith.Tables:
        """The bank of two arrays of the bundle; raises BundleMemberError."""
        a = self.bundle.arrays
        try:
            return _arith.Tables(a[f"{prefix}frequencies"], a[f"{prefix}shapes"])
        except _arith.ArithError as error:
            raise BundleMemberError(f"the bundle's frequency tables are wrong: {error}") from error

    @abstractmethod
    def latents_of(self, frame: Frame) -> Any:
        """What a stream of this frame has; frame: contiguous."""

    @abstractmethod
    def packed(self, latents: Any) -> list[bytes]:
        """Payloads of the slices."""

    @abstractmethod
    def checksum(self, latents: Any) -> int:
        """CRC-32C of the latents."""

    @abstractmethod
    def pull(self, stream: Stream) -> Any:
        """The latents of a sound stream; raises LatentsChecksumError where they do not decode."""

    @abstractmethod
    def synthesise(self, latents: Any, height: int, width: int) -> Frame:
        """The picture, float: a grey level more or less from host to host."""

    @abstractmethod
    def reopened(self, options: SessionOptions) -> Codec:
        """The same codec with other options."""

    def encode(self, frame: Frame, quality: int | None = None, effort: int | None = None) -> bytes:
        """frame: uint8 (H, W, 3) RGB -> a `.c3s` stream. quality: 1 or None. effort: has no use
        here. Raises FrameShapeError, UnknownQualityError and OptionError."""
        self._row(quality), self._looks(effort)
        frame = np.ascontiguousarray(check_frame(frame))
        return self.stream_of(self.latents_of(frame), *frame.shape[:2])

    def stream_of(self, latents: Any, height: int, width: int) -> bytes:
        """Latents of a frame of this size -> a stream."""
        return pack_stream(
            quality=1,
            width=width,
            height=height,
            codec_id=self.id,
            slices=self.packed(latents),
            latents_crc=self.checksum(latents),
        )

    def decode(self, data: Data) -> Frame:
        """A stream of this bundle -> uint8 (H, W, 3) RGB; raises a leaf of StreamError."""
        stream = parse_stream(data)
        require_codec(stream.header, self.id)
        if stream.header.quality != 1 or stream.header.has_overlay:
            raise StreamHeaderError(
                "the stream has a rate point or an overlay that the bundle lacks"
            )
        latents = self.decode_latents(stream)
        return self.synthesise(latents, stream.header.height, stream.header.width)

    def decode_latents(self, stream: Stream) -> Any:
        """As `pull`, compared with the stream's checksum; raises LatentsChecksumError."""
        latents = self.pull(stream)
        if self.checksum(latents) != stream.header.latents_crc:
            raise LatentsChecksumError(
                "the decoded latents differ from the encoded ones: this host computes other"
                " numbers; run `c3d-export doctor`"
            )
        return latents

    @cached_property
    def _single(self) -> Codec:
        own = self.sessions.options
        if own.device == "cuda" or own.threads == 1:
            return self
        return self.reopened(replace(own, flavour=self.sessions.flavour, threads=1))


MOST_DIFFERENCE: Final = 4
"""Grey levels by which a pixel may differ: float convolutions are off by far less than one, which
rounding may make one; a broken kernel is off by dozens."""


def check_float_codec(
    codec: FloatCodec, answers: Callable[[], list[dict[str, Any]]], picture: Callable[[], Frame]
) -> None:
    """Compares what this host computes with the manifest's known answers and the known frame; a
    frame is coded too, whose latents may differ from host to host.

    Raises KnownAnswerError where one differs, BundleManifestError where they are not complete, and
    BundleFormatError where the graphs do not run.
    """
    wanted = codec.bundle.manifest.get("known_answers")
    if isinstance(wanted, list) and not codec.exact_pixels:
        wanted = [a for a in wanted if not (isinstance(a, dict) and "pixels" in a)]
    try:
        found, shown = answers(), None if codec.exact_pixels else picture()
        codec.encode(known_frame())
    except (C3DError, MemoryError):
        raise
    except Exception as error:  # graphs that contradict the manifest fail in many places
        raise BundleFormatError(f"the bundle's graphs do not run: {error}") from error
    if not isinstance(wanted, list) or _subjects(wanted) != _subjects(found):
        raise BundleManifestError("the bundle's known answers are not complete; get it again")
    for answer, other in zip(found, wanted, strict=True):
        if answer != other:
            raise _differs(codec, f"first in the {next(iter(answer))}")
    if shown is None:
        return
    off = np.abs(shown.astype(np.int16) - codec.bundle.arrays["known_frame"]).max()
    if off > MOST_DIFFERENCE:
        raise _differs(codec, f"a decoded pixel by {off} grey levels")


def _subjects(answers: list[Any]) -> list[Any]:
    """What each answer is about."""
    return [(sorted(a), a.get("graph")) if isinstance(a, dict) else None for a in answers]


def _differs(codec: FloatCodec, what: str) -> KnownAnswerError:
    return KnownAnswerError(
        f"this host computes other numbers than the bundle was made with (device"
        f" {codec.sessions.options.device}, {what}); choose another device, and run c3d-export"
        " doctor"
    )
