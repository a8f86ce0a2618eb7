"""Streams that are damaged: cut, with a flipped bit, and flipped behind their checksums."""

from __future__ import annotations

import struct
from typing import Final

from c3d_export import _arith
from c3d_export.runtime.stream import HEADER_BYTES

CHECKED: Final = HEADER_BYTES - 4
"""Bytes of the header that its checksum covers."""
LATENTS_CRC: Final = 24
"""Where the header has the checksum of the latents."""
_ENTRY: Final = struct.Struct("<II")
"""Length and checksum of a payload, in the list of the block."""
_HEAD: Final = 2
"""Version and number of payloads, before the list."""


def flipped(data: bytes, bit: int) -> bytes:
    """The bytes with this bit (from 0, the lowest of each byte first) changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def resealed(data: bytes) -> bytes:
    """The same stream with checksums of bytes that hold, as far as its lists can be read.

    What a forger would send, and what a decoder sees whose own numbers differ: only the checksum
    of the latents is left as it was.
    """
    made = bytearray(data)
    made[CHECKED:HEADER_BYTES] = _crc(made[:CHECKED])
    count = made[HEADER_BYTES + 1]
    listed = HEADER_BYTES + _HEAD + count * _ENTRY.size
    if listed + 4 > len(made):
        return bytes(made)
    at = listed + 4
    for n in range(count):
        place = HEADER_BYTES + _HEAD + n * _ENTRY.size
        length, _ = _ENTRY.unpack_from(made, place)
        made[place + 4 : place + 8] = _crc(made[at : at + length])
        at += length
    made[listed : listed + 4] = _crc(made[HEADER_BYTES:listed])
    return bytes(made)


def _crc(data: bytes | bytearray) -> bytes:
    return _arith.crc32c(bytes(data)).to_bytes(4, "little")


def sealed_bits(data: bytes) -> list[int]:
    """The bits of a stream that `resealed` leaves as they are, so that a flip behind the checksums
    is a stream of its own: all but those of checksums over bytes."""
    count = data[HEADER_BYTES + 1]
    listed = HEADER_BYTES + _HEAD + count * _ENTRY.size
    crcs = [CHECKED, listed]
    crcs += [HEADER_BYTES + _HEAD + n * _ENTRY.size + 4 for n in range(count)]
    covered = {at + byte for at in crcs for byte in range(4)}
    return [8 * at + bit for at in range(len(data)) if at not in covered for bit in range(8)]
