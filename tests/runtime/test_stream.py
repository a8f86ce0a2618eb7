"""Streams: round trips, one test per attack, every prefix and every bit flip."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.core.errors import (
    C3DError,
    CorruptError,
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
from c3d_export.core.limits import MAX_STREAM_BYTES
from c3d_export.runtime.stream import (
    HEADER_BYTES,
    MAGIC,
    Stream,
    StreamHeader,
    check_latents,
    latents_checksum,
    pack_stream,
    parse_stream,
    peek_header,
    require_codec,
)

CODEC = bytes(range(8))
GOOD = pack_stream(
    quality=4,
    width=1280,
    height=720,
    codec_id=CODEC,
    slices=(b"why?", b"zed"),
    latents_crc=0x12345678,
)
HEAD = HEADER_BYTES + 2 + 2 * 8 + 4
"""Where the first slice of GOOD begins."""

OVERLAID = pack_stream(
    quality=4,
    width=1280,
    height=720,
    codec_id=CODEC,
    slices=(b"why?", b"zed"),
    latents_crc=0x12345678,
    overlay=b"\x2b",
)
"""Of version 5."""
BOTH = pytest.mark.parametrize("good", [GOOD, OVERLAID], ids=["4", "5"])

SPECIFICATION = Path(__file__).parents[2] / "docs" / "stream-format.md"


def _patched(offset: int, value: bytes, good: bytes = GOOD) -> bytes:
    """A stream with other header bytes and the checksum that fits them."""
    header = bytearray(good[: HEADER_BYTES - 4])
    header[offset : offset + len(value)] = value
    return bytes(header) + struct.pack("<I", _arith.crc32c(header)) + good[HEADER_BYTES:]


def test_the_layout_is_the_one_of_the_specification() -> None:
    # The example there was written by hand, its checksums come from a bit-by-bit CRC-32C.
    text = SPECIFICATION.read_text(encoding="utf-8")
    example = [line for line in text.splitlines() if line.startswith("    ")]
    assert bytes.fromhex("".join(example)) == GOOD
    assert bytes.fromhex(text.split("```")[1]) == OVERLAID
    assert HEADER_BYTES == 32


@settings(max_examples=60, deadline=None)
@given(
    quality=st.integers(1, 255),
    width=st.integers(1, 16384),
    height=st.integers(1, 5461),
    codec=st.binary(min_size=8, max_size=8),
    slices=st.lists(st.binary(max_size=40), min_size=1, max_size=254),
    crc=st.integers(0, 2**32 - 1),
    overlay=st.binary(max_size=40),
)
def test_round_trip(
    quality: int,
    width: int,
    height: int,
    codec: bytes,
    slices: list[bytes],
    crc: int,
    overlay: bytes,
) -> None:
    data = pack_stream(
        quality=quality,
        width=width,
        height=height,
        codec_id=codec,
        slices=slices,
        latents_crc=crc,
        overlay=overlay,
    )
    size = len(data) - HEADER_BYTES
    header = StreamHeader(quality, width, height, codec, size, crc, has_overlay=bool(overlay))
    assert parse_stream(data) == Stream(header, tuple(slices), overlay)
    assert data[4] == (5 if overlay else 4)
    assert peek_header(data[:HEADER_BYTES]) == header
    assert header.total_bytes == len(data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_is_read(kind: type) -> None:
    assert parse_stream(kind(GOOD)).slices == (b"why?", b"zed")


@BOTH
def test_every_prefix_is_refused(good: bytes) -> None:
    for length in range(len(good)):
        with pytest.raises(StreamTruncatedError):
            parse_stream(good[:length])


@BOTH
def test_every_single_bit_flip_is_refused(good: bytes) -> None:
    seen = set()
    for bit in range(8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptError) as caught:
            parse_stream(data)
        seen.add(caught.type)
    # A slice too many or too few is told before the checksum of their list can be looked up.
    assert seen == {StreamMagicError, StreamVersionError, StreamChecksumError, StreamHeaderError}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptError):
        parse_stream(data)
    with pytest.raises(CorruptError):
        parse_stream(MAGIC + b"\x01" + data)


def test_empty() -> None:
    with pytest.raises(StreamTruncatedError, match="empty"):
        parse_stream(b"")


def test_another_kind_of_file() -> None:
    for data in (b"\x89PNG\r\n\x1a\n", b"c", b"PK\x03\x04" + GOOD, GOOD[1:]):
        with pytest.raises(StreamMagicError):
            parse_stream(data)


@pytest.mark.parametrize("version", [0, 1, 3, 6, 255])
def test_another_version_is_told_before_anything_else(version: int) -> None:
    with pytest.raises(StreamVersionError, match=f"version {version}"):
        parse_stream(MAGIC + bytes([version]))


def test_every_reserved_bit() -> None:
    for offset in (5, 7):
        for bit in range(8):
            with pytest.raises(StreamHeaderError, match="reserved"):
                parse_stream(_patched(offset, bytes([1 << bit])))


@pytest.mark.parametrize(
    ("offset", "value", "named"),
    [
        (6, b"\x00", "rate point 0"),
        (8, b"\x00\x00", "0x720"),
        (10, b"\x00\x00", "1280x0"),
        (8, struct.pack("<H", 16385), "16385x720"),
        (10, struct.pack("<H", 65535), "1280x65535"),
        (8, struct.pack("<HH", 16384, 5462), "16384x5462"),
        (20, b"\xff\xff\xff\xff", "4294967327 bytes"),
        (20, struct.pack("<I", MAX_STREAM_BYTES - 31), f"{MAX_STREAM_BYTES + 1} bytes"),
    ],
)
def test_a_field_out_of_range_with_a_valid_checksum(offset: int, value: bytes, named: str) -> None:
    with pytest.raises(StreamHeaderError, match=named):
        parse_stream(_patched(offset, value))


def test_lengths_that_the_limit_allows_and_the_data_does_not_hold() -> None:
    with pytest.raises(StreamTruncatedError, match=f"of {MAX_STREAM_BYTES} bytes"):
        parse_stream(_patched(20, struct.pack("<I", MAX_STREAM_BYTES - 32)))


def _reblocked(offset: int, value: bytes) -> bytes:
    """GOOD with other bytes in the head of its block, and the checksum that fits them."""
    head = bytearray(GOOD[HEADER_BYTES : HEAD - 4])
    head[offset : offset + len(value)] = value
    crc = struct.pack("<I", _arith.crc32c(head))
    return GOOD[:HEADER_BYTES] + bytes(head) + crc + GOOD[HEAD:]


def test_a_border_between_slices_that_was_moved_damages_both() -> None:
    assert parse_stream(_reblocked(0, b"")).slices == (b"why?", b"zed")
    head = bytearray(GOOD[HEADER_BYTES : HEAD - 4])
    head[2:6], head[10:14] = struct.pack("<I", 5), struct.pack("<I", 2)
    data = GOOD[:HEADER_BYTES] + head + struct.pack("<I", _arith.crc32c(head)) + GOOD[HEAD:]
    with pytest.raises(StreamChecksumError, match="slice 1, 2 of 2 is damaged"):
        parse_stream(data)


@pytest.mark.parametrize(
    ("offset", "value", "error"),
    [
        (0, b"\x01", StreamVersionError),
        (0, b"\x03", StreamVersionError),
        (1, b"\x00", StreamHeaderError),
        (2, struct.pack("<I", 8), StreamHeaderError),
        (2, struct.pack("<I", 3), StreamHeaderError),
        (2, b"\xff\xff\xff\xff", StreamHeaderError),
        (6, b"\x00\x00\x00\x00", StreamChecksumError),
    ],
)
def test_a_block_that_no_encoder_writes(
    offset: int, value: bytes, error: type[CorruptError]
) -> None:
    with pytest.raises(error):
        parse_stream(_reblocked(offset, value))


def test_the_damaged_slice_is_named() -> None:
    for at, number in ((HEAD, 1), (HEAD + 4, 2)):
        data = bytearray(GOOD)
        data[at] ^= 0x10
        with pytest.raises(StreamChecksumError, match=f"slice {number} of 2 is damaged"):
            parse_stream(data)


@BOTH
def test_trailing_bytes(good: bytes) -> None:
    for tail in (b"\0", good):
        with pytest.raises(StreamTrailingError, match=f"{len(tail)} bytes"):
            parse_stream(good + tail)


@pytest.mark.parametrize("wrong", ["text", 5, None, memoryview(GOOD)[::2]])
def test_what_is_no_bytes_is_wrong_usage(wrong: object) -> None:
    with pytest.raises(OptionError):
        parse_stream(wrong)  # type: ignore[arg-type]


def test_a_stream_of_another_bundle() -> None:
    header = peek_header(GOOD)
    require_codec(header, CODEC)
    with pytest.raises(StreamForeignError, match="0001020304050607"):
        require_codec(header, CODEC[::-1])


def _pack(**changes: object) -> bytes:
    values = {
        "quality": 1,
        "width": 16,
        "height": 16,
        "codec_id": CODEC,
        "slices": (b"",),
        "latents_crc": 0,
    }
    return pack_stream(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("width", 0, FrameShapeError),
        ("height", 16385, FrameShapeError),
        ("quality", 0, UnknownQualityError),
        ("quality", 256, UnknownQualityError),
        ("codec_id", b"short", C3DError),
        ("latents_crc", -1, C3DError),
        ("latents_crc", 1 << 32, C3DError),
        ("slices", (), C3DError),
        ("slices", (b"",) * 256, C3DError),
        ("slices", (b"", bytes(MAX_STREAM_BYTES - 53)), C3DError),
    ],
)
def test_what_cannot_be_packed(field: str, value: object, error: type[C3DError]) -> None:
    with pytest.raises(C3DError) as caught:
        _pack(**{field: value})
    assert caught.type is error


Z = np.array([[[1, -2]]], np.int16)
V = np.arange(244, 256, dtype=np.uint8).reshape(2, 3, 2)


def test_the_latents_checksum_is_over_little_endian_z_and_then_v() -> None:
    data = struct.pack("<2h", 1, -2) + bytes(range(244, 256))
    assert latents_checksum(Z, V) == _arith.crc32c(data)
    assert latents_checksum(Z.astype(">i2").astype(np.int16), np.asfortranarray(V)) == (
        latents_checksum(Z, V)
    )
    assert latents_checksum(np.empty((0, 0, 4), np.int16), V) == _arith.crc32c(data[4:])


@pytest.mark.parametrize("latents", [Z, V], ids=["z", "v"])
def test_one_latent_off_by_one_is_found(latents: NDArray[np.generic]) -> None:
    stream = parse_stream(_pack(latents_crc=latents_checksum(Z, V)))
    check_latents(stream, Z, V)
    for index in range(latents.size):
        other = latents.copy()
        other.flat[index] ^= 1
        changed = (other, V) if latents is Z else (Z, other)
        with pytest.raises(LatentsChecksumError):
            check_latents(stream, *changed)


def test_latents_of_another_type_are_a_fault_of_the_caller() -> None:
    for wrong in ((Z, V.astype(np.int16)), (Z.astype(np.int32), V), (V, Z)):
        with pytest.raises(C3DError, match="int16 and uint8"):
            latents_checksum(*wrong)
