"""Streams that are damaged or forged."""

from __future__ import annotations

import dataclasses
from typing import Any

from c3d_export import _arith
from c3d_export.runtime.stream import Stream, pack_stream

DERIVED = ("block_bytes", "has_overlay")
"""Fields of a header that follow from the payloads."""


def flips(data: bytes) -> list[bytes]:
    """Every stream with one bit changed."""
    flipped = []
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(changed))
    return flipped


def pack(stream: Stream, **changes: Any) -> bytes:
    """The stream with other values, all checksums of bytes right."""
    header = {k: v for k, v in dataclasses.asdict(stream.header).items() if k not in DERIVED}
    parts = {"slices": stream.slices, "overlay": stream.overlay}
    return pack_stream(**{**header, **parts, **changes})


def signed(data: bytes, offset: int, value: bytes) -> bytes:
    """The stream with other bytes in its header, whose checksum is right."""
    changed = bytearray(data)
    changed[offset : offset + len(value)] = value
    changed[28:32] = _arith.crc32c(bytes(changed[:28])).to_bytes(4, "little")
    return bytes(changed)
