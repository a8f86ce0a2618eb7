"""The `.c3s` stream: one coded frame and all that a decoder must know besides the bundle.

    header | block of slices

A slice is one payload of the entropy coder: the hyper-latents z of some rows of the frame, and
then their latents y in three steps, because the table indexes of each depend on the decoded ones
before it.

The specification is docs/stream-format.md. `parse_stream` checks everything that can be checked
without the bundle, in one fixed order, one leaf of the error tree per cause; after it
`require_codec` tells foreign streams apart, and after entropy decoding `check_latents` tells a
host that computes other numbers from one that does not.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.core.digest import CODEC_ID_BYTES
from c3d_export.core.errors import (
    C3DError,
    FrameShapeError,
    LatentsChecksumError,
    OptionError,
    StreamChecksumError,
    StreamForeignError,
    StreamHeaderError,
    StreamMagicError,
    StreamTrailingError,
    StreamTruncatedError,
    StreamVersionError,
    UnknownQualityError,
)
from c3d_export.core.limits import MAX_STREAM_BYTES, size_fault

Data = bytes | bytearray | memoryview

# A first byte above 127 stops transports that only pass text; "C3S" can be read in a hex dump.
MAGIC: Final = b"\x89C3S"
VERSION: Final = 4
"""1 to 3 were those of two coding steps and of payloads without slices, which no release had."""
OVERLAY_VERSION: Final = 5
"""As version 4, with the flags of an overlay (`overlay.py`) behind the slices."""

# Rate points are numbered 1.. in a byte.
MAX_QUALITY: Final = 255

# magic, version, flags, quality, reserved, width, height, codec id, bytes of the block, checksum
# of the latents. The latter is here so that the header's checksum covers it: damage to it must
# not look like a drift of the host.
_FIELDS: Final = struct.Struct("<4sBBBBHH8sII")
_CRC: Final = struct.Struct("<I")

HEADER_BYTES: Final = _FIELDS.size + _CRC.size


@dataclass(frozen=True)
class StreamHeader:
    """The fields of a header.

    Laws: quality in 1..255; width and height in 1..MAX_SIDE with at most MAX_PIXELS pixels;
    codec_id of 8 bytes; block_bytes is the length of the block of slices; latents_crc in
    0..2^32 - 1. has_overlay: whether the last payload of the block is an overlay's.
    """

    quality: int
    width: int
    height: int
    codec_id: bytes
    block_bytes: int
    latents_crc: int
    has_overlay: bool = False

    @property
    def total_bytes(self) -> int:
        """The length of the whole stream."""
        return HEADER_BYTES + self.block_bytes


@dataclass(frozen=True)
class Stream:
    """A stream whose checksums hold: the header, the payload of each slice, the overlay's flags
    (empty: it has none)."""

    header: StreamHeader
    slices: tuple[bytes, ...]
    overlay: bytes = b""


def pack_stream(
    *,
    quality: int,
    width: int,
    height: int,
    codec_id: bytes,
    slices: Sequence[bytes],
    latents_crc: int,
    overlay: bytes = b"",
) -> bytes:
    """The bytes of a stream; `parse_stream` gives the same values back.

    overlay: flags as `Overlay.pack` gives them, empty where the frame shows none.

    Raises FrameShapeError for a frame beyond the limits of size, UnknownQualityError for a rate
    point outside 1..255, and C3DError for what only a fault of the caller can produce: a wrong
    codec id or checksum, no or more than 255 slices, or payloads beyond MAX_STREAM_BYTES.
    """
    if not slices:
        raise C3DError("cannot write a stream of no slices")
    try:
        block = _arith.join_slices([*slices, overlay] if overlay else slices)
    except _arith.ArithError as error:
        raise C3DError(f"cannot write a stream: {error}") from error
    sizes = (quality, width, height, codec_id, len(block), latents_crc)
    _check_packable(StreamHeader(*sizes))
    version = OVERLAY_VERSION if overlay else VERSION
    fields = _FIELDS.pack(
        MAGIC, version, 0, quality, 0, width, height, codec_id, len(block), latents_crc
    )
    return b"".join([fields, _CRC.pack(_arith.crc32c(fields)), block])


def parse_stream(data: Data) -> Stream:
    """The parts of the stream that `data` is, from its first to its last byte.

    Raises, in the order of the checks: the errors of `peek_header`, StreamTruncatedError,
    StreamTrailingError, then of the block of slices StreamVersionError, StreamHeaderError,
    StreamChecksumError. Every prefix of a stream and every stream with one bit changed is refused.
    """
    view = _as_view(data)
    header = _parse_header(view)
    _check_length(len(view), header.total_bytes)
    block = view[HEADER_BYTES:]
    places = _split(block)
    damaged = [str(n) for n in range(1, len(places) + 1) if not _is_sound(block, n - 1)]
    if damaged:
        raise StreamChecksumError(
            f"slice {', '.join(damaged)} of {len(places)} is damaged; fetch the stream again"
        )
    payloads = tuple(bytes(block[at : at + size]) for at, size in places)
    if not header.has_overlay:
        return Stream(header, payloads)
    if len(payloads) < 2:
        raise StreamHeaderError("the stream has an overlay and no slice; no encoder writes this")
    return Stream(header, payloads[:-1], payloads[-1])


def _split(block: memoryview) -> list[tuple[int, int]]:
    try:
        return _arith.split_slices(block)
    except _arith.ArithError as error:
        if error.status == _arith.ERR_VERSION:
            raise StreamVersionError(f"{error}; update c3d-export") from error
        if error.status == _arith.ERR_CHECKSUM:
            message = "the list of the slices is damaged; fetch the stream again"
            raise StreamChecksumError(message) from error
        raise StreamHeaderError(f"the list of the slices is wrong: {error}") from error


def _is_sound(block: memoryview, position: int) -> bool:
    try:
        _arith.check_slice(block, position)
    except _arith.ArithError:
        return False
    return True


def peek_header(data: Data) -> StreamHeader:
    """The header of a stream of which at least the first 32 bytes are given.

    Raises, in the order of the checks: OptionError (not bytes), StreamTruncatedError (empty),
    StreamMagicError, StreamTruncatedError (shorter than a header), StreamVersionError (looked at
    as soon as its byte is there), StreamChecksumError (header), StreamHeaderError.
    """
    return _parse_header(_as_view(data))


def require_codec(header: StreamHeader, codec_id: bytes) -> None:
    """Raises StreamForeignError where the stream was not made by the bundle of this id."""
    if header.codec_id != codec_id:
        raise StreamForeignError(
            f"the stream was made by bundle {header.codec_id.hex()}, and this one is"
            f" {codec_id.hex()}; decode it with the bundle that made it"
        )


def latents_checksum(z: NDArray[np.int16], v: NDArray[np.uint8]) -> int:
    """The CRC-32C of the integer latents: z, int16 little-endian, and then v, a byte each.

    z are the symbols of the hyper-latents, v the dequantised latents that enter synthesis. Both in
    raster order with the channel last: shape (rows, columns, channels), or any shape with the same
    order in memory; z may have size 0. Raises C3DError for another dtype.
    """
    if z.dtype != np.int16 or v.dtype != np.uint8:
        raise C3DError(f"latents must be int16 and uint8, not {z.dtype} and {v.dtype}")
    crc = _arith.checksum(np.ascontiguousarray(z))
    return _arith.crc32c(np.ascontiguousarray(v).reshape(-1).data, crc)


def check_latents(stream: Stream, z: NDArray[np.int16], v: NDArray[np.uint8]) -> None:
    """Raises LatentsChecksumError where the decoded latents are not those that were encoded.

    The bytes of `stream` are sound, so that a difference means that this host computes other
    numbers than the encoder's did.
    """
    if latents_checksum(z, v) != stream.header.latents_crc:
        raise LatentsChecksumError(
            "the decoded latents differ from the encoded ones: this host computes other numbers;"
            " run `c3d-export doctor`"
        )


def _as_view(data: Data) -> memoryview:
    try:
        return memoryview(data).cast("B")
    except TypeError as error:
        kind = type(data).__name__
        raise OptionError(f"a stream must be contiguous bytes, not {kind}; pass bytes") from error


def _parse_header(view: memoryview) -> StreamHeader:
    _check_start(view)
    fields, (crc,) = view[: _FIELDS.size], _CRC.unpack(view[_FIELDS.size : HEADER_BYTES])
    if crc != _arith.crc32c(fields):
        raise StreamChecksumError("the stream's header is damaged; fetch the stream again")
    _, version, flags, quality, reserved, *values = _FIELDS.unpack(fields)
    if flags or reserved:
        raise StreamHeaderError("the stream's reserved bits are set; update c3d-export")
    header = replace(StreamHeader(quality, *values), has_overlay=version == OVERLAY_VERSION)
    if fault := _fault(header):
        raise StreamHeaderError(f"the stream has {fault}; no encoder writes this")
    return header


def _check_start(view: memoryview) -> None:
    if not view:
        raise StreamTruncatedError("the stream is empty; fetch the stream again")
    start = bytes(view[: len(MAGIC)])
    if start != MAGIC[: len(start)]:
        raise StreamMagicError("this is no .c3s stream; check the file")
    known = (VERSION, OVERLAY_VERSION)
    if len(view) > len(MAGIC) and (version := view[len(MAGIC)]) not in known:
        raise StreamVersionError(
            f"the stream has version {version}, and this c3d-export reads {VERSION} and"
            f" {OVERLAY_VERSION}; update it"
        )
    if len(view) < HEADER_BYTES:
        _check_length(len(view), HEADER_BYTES)


def _check_length(length: int, wanted: int) -> None:
    if length < wanted:
        message = f"the stream ends after {length} of {wanted} bytes; fetch the stream again"
        raise StreamTruncatedError(message)
    if length > wanted:
        message = f"{length - wanted} bytes follow the end of the stream; remove them"
        raise StreamTrailingError(message)


def _fault(header: StreamHeader) -> str:
    """What is out of range in a header, or an empty string."""
    if not 1 <= header.quality <= MAX_QUALITY:
        return f"rate point {header.quality}"
    if size := size_fault(header.width, header.height):
        return f"a frame of {size}"
    if header.total_bytes > MAX_STREAM_BYTES:
        return f"{header.total_bytes} bytes, more than the {MAX_STREAM_BYTES} allowed"
    return ""


def _check_packable(header: StreamHeader) -> None:
    if size := size_fault(header.width, header.height):
        raise FrameShapeError(f"cannot code a frame of {size}; cut the frame into smaller ones")
    if not 1 <= header.quality <= MAX_QUALITY:
        message = f"no rate point {header.quality}; choose one in 1..{MAX_QUALITY}"
        raise UnknownQualityError(message)
    if fault := _fault(header):
        raise C3DError(f"cannot write a stream with {fault}")
    if len(header.codec_id) != CODEC_ID_BYTES or not 0 <= header.latents_crc < 1 << 32:
        raise C3DError("a codec id has 8 bytes and a checksum 32 bits")
