"""A codec at a lower resolution, as a codec: what `evaluate` measures beside the full resolution.

Its file is the inner codec's, behind six bytes that tell the frame's size and the factor: width,
height and thousandths of the factor, each an unsigned 16-bit number, low byte first. They cannot
be derived (1279 and 1280 columns have the same half), so they travel, and count as bytes of the
file. How a frame is enlarged is up to who decodes, and is not in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from ..core.errors import (
    OptionError,
    StreamHeaderError,
    StreamTrailingError,
    StreamTruncatedError,
    UnknownQualityError,
)
from ..core.limits import size_fault
from ..runtime.images import Frame, check_frame
from .resample import UNIT, downscale, low_shape, thousandths

if TYPE_CHECKING:
    from ..evaluate.measure import Codec
    from .upscalers import Upscaler

_SIZE: Final = struct.Struct("<HH")
_HEADER: Final = struct.Struct("<HHH")
HEADER_BYTES: Final = _HEADER.size


class RescaledCodec:
    """Down-scales, codes with `codec`, decodes and enlarges; a `measure.Codec` itself.

    codec: ours or a baseline. factor: 1..4 in thousandths (`resample`). Decoding follows the
    factor in the file. Raises OptionError for a factor that the up-scaler cannot do.
    """

    def __init__(self, codec: Codec, factor: float, upscaler: Upscaler) -> None:
        upscaler.check(factor)
        self.codec, self.factor, self.upscaler = codec, factor, upscaler

    @property
    def qualities(self) -> Sequence[int]:
        """Those of the codec."""
        return self.codec.qualities

    @property
    def identity(self) -> str | None:
        """What its files and frames depend on, as `evaluate.plan.identity_of` has it."""
        from ..evaluate.plan import identity_of

        inner = identity_of(self.codec)
        return inner and f"{inner} / {self.factor:g} {self.upscaler!r}"

    def payload_bytes(self, data: bytes) -> int:
        """Bytes of a file without this header and the codec's own."""
        from ..evaluate.meter import payload_bytes

        return payload_bytes(self.codec, data[HEADER_BYTES:])

    @property
    def label(self) -> str:
        """Factor and up-scaler, such as "2 fsr"."""
        return f"{self.factor:g} {self.upscaler.name}"

    def encode(self, frame: Frame, *, quality: int) -> bytes:
        """The file of a frame, uint8 (height, width, 3). Raises as the codec does."""
        height, width = check_frame(frame).shape[:2]
        header = _HEADER.pack(width, height, thousandths(self.factor))
        return header + self.codec.encode(downscale(frame, self.factor), quality=quality)

    def decode(self, data: bytes) -> Frame:
        """The frame of a file, of its original size.

        Raises StreamTruncatedError or StreamHeaderError for the header, StreamHeaderError where
        the codec decodes another size than the header says, OptionError where the up-scaler
        cannot do the factor, and what the codec raises.
        """
        shape, factor = _read_header(data)
        self.upscaler.check(factor)
        low = check_frame(self.codec.decode(data[HEADER_BYTES:]))
        wanted = low_shape(shape, factor)
        if low.shape[:2] != wanted:
            raise StreamHeaderError(
                f"the stream says {shape[1]}x{shape[0]} at factor {factor:g}, but holds a frame of"
                f" {low.shape[1]}x{low.shape[0]} instead of {wanted[1]}x{wanted[0]}; encode the"
                " frame again"
            )
        return self.upscaler(low, shape, factor)


def _read_header(data: bytes) -> tuple[tuple[int, int], float]:
    """(height, width) and factor."""
    if len(data) < HEADER_BYTES:
        raise StreamTruncatedError(
            f"the stream ends after {len(data)} of the {HEADER_BYTES} bytes of its size; fetch it"
            " again"
        )
    width, height, parts = _HEADER.unpack_from(data)
    _check_size(width, height)
    try:
        thousandths(parts / UNIT)
    except OptionError as error:
        raise StreamHeaderError(f"the stream is no rescaled one: {error}") from error
    return (height, width), parts / UNIT


def _check_size(width: int, height: int) -> None:
    if fault := size_fault(width, height):
        raise StreamHeaderError(f"the stream has a frame of {fault}; it is no stream of ours")


class LosslessCodec:
    """The pixels themselves behind width and height, 16 bits each: a `measure.Codec`.

    A pipeline around it shows what scaling alone costs ("SR only"): the PSNR that no codec inside
    can exceed. It compresses nothing, so that its rate means nothing.
    """

    identity = "lossless"

    @property
    def qualities(self) -> Sequence[int]:
        return (0,)

    def encode(self, frame: Frame, *, quality: int) -> bytes:
        """Raises UnknownQualityError, FrameShapeError."""
        if quality not in self.qualities:
            raise UnknownQualityError(f"the lossless codec has no quality {quality}; choose 0")
        height, width = check_frame(frame).shape[:2]
        return _SIZE.pack(width, height) + frame.tobytes()

    def decode(self, data: bytes) -> Frame:
        """Raises a leaf of StreamError."""
        if len(data) < _SIZE.size:
            raise StreamTruncatedError("the stream ends before its size; fetch it again")
        width, height = _SIZE.unpack_from(data)
        _check_size(width, height)
        wrong = len(data) - _SIZE.size - 3 * width * height
        if wrong:
            kind = StreamTruncatedError if wrong < 0 else StreamTrailingError
            raise kind(f"the stream does not hold {width}x{height} pixels; fetch it again")
        return np.frombuffer(data, np.uint8, offset=_SIZE.size).reshape(height, width, 3).copy()
