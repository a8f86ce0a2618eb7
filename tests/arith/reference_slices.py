"""The block of slices and CRC-32C of docs/arith-format.md, in plain Python."""

from collections.abc import Sequence

POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41 with its bits reflected


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ POLYNOMIAL * (crc & 1)
    return crc ^ 0xFFFFFFFF


def checksum(values: Sequence[int]) -> int:
    """Return the CRC-32C of int16 values."""
    return crc32c(b"".join(value.to_bytes(2, "little", signed=True) for value in values))


def join(slices: Sequence[bytes]) -> bytes:
    """Return the block of the slices."""
    head = bytes([2, len(slices)])
    for data in slices:
        head += len(data).to_bytes(4, "little") + crc32c(data).to_bytes(4, "little")
    return head + crc32c(head).to_bytes(4, "little") + b"".join(slices)
