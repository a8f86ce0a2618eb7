"""One decoded frame as a file that is mapped: a header of 64 bytes, then the pixels row by row.

    0  magic, 8 bytes            20  CRC-32C of the pixels
    8  version                   24  key, 32 bytes
    12 height                    56  zero
    16 width                     60  CRC-32C of the 60 bytes before

Numbers are little-endian, of 4 bytes; the pixels uint8 (height, width, 3), and nothing follows
them. Whole rows, and no tiles: a crop is one strided copy, and took 28 us from a map and 28 us from
an array (256x256 of 1280x720, 179 frames; 82 us by reading its rows).
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Final

import numpy as np

from c3d_export import _arith

from ..core.atomic import write_bytes_atomic
from ..core.errors import DecodedFrameError, MissingInputError
from ..core.limits import size_fault
from ..runtime.images import Frame

SUFFIX: Final = ".rgb"
HEADER: Final = struct.Struct("<8sIIII32sII")
_MAGIC: Final = b"c3d-rgb\n"
_VERSION: Final = 1


def write_decoded(path: Path, key: str, frame: Frame) -> None:
    """Writes a frame, atomically. key: 64 hexadecimal digits. Raises DiskError."""
    pixels = np.ascontiguousarray(frame).reshape(-1)
    height, width = frame.shape[:2]
    fields = (_MAGIC, _VERSION, height, width, _arith.crc32c(pixels), bytes.fromhex(key), 0)
    head = HEADER.pack(*fields, 0)[:-4]
    head += struct.pack("<I", _arith.crc32c(head))
    write_bytes_atomic(path, head + pixels.tobytes())


class DecodedFrame:
    """A frame in its file. size: height and width. Its pixels are read when they are looked at."""

    def __init__(self, path: Path, size: tuple[int, int], checksum: int, data: mmap.mmap) -> None:
        self.path, self.size = path, size
        self._checksum, self._data, self._sound = checksum, data, False

    @property
    def nbytes(self) -> int:
        return self.size[0] * self.size[1] * 3

    def pixels(self) -> Frame:
        """The pixels, which cannot be written to; compared with their checksum the first time.

        Raises DecodedFrameError where they are other ones than were written.
        """
        flat = np.frombuffer(self._data, np.uint8, offset=HEADER.size)
        if not self._sound:
            self._advise("MADV_WILLNEED")  # all at once: a third less time from a cold disk
            if _arith.crc32c(flat) != self._checksum:
                raise DecodedFrameError(
                    f"{self.path} is damaged, its checksum does not hold; remove it and run this"
                    " again (a training with --resume): it is decoded anew. Look after that disk"
                )
            self._sound = True
        return flat.reshape(*self.size, 3)

    def let_go(self) -> None:
        """Takes the pages out of this process. They stay in the system's cache while it has room,
        and come back when they are looked at."""
        self._advise("MADV_DONTNEED")

    def _advise(self, name: str) -> None:
        advice = getattr(mmap, name, None)
        if advice is not None:  # Windows has none
            self._data.madvise(advice)


def open_decoded(path: Path, key: str) -> DecodedFrame | None:
    """The frame in a file; None where there is none, or one that was cut, of another version, of
    another key or with a damaged header: it has to be decoded anew.

    Raises MissingInputError where the file is there and cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            found = _parse(file.read(HEADER.size), key, os.fstat(file.fileno()).st_size)
            if found is None:
                return None
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}; remove it: it is decoded again"
        raise MissingInputError(message) from error
    size, checksum = found
    return DecodedFrame(path, size, checksum, data)


def _parse(head: bytes, key: str, length: int) -> tuple[tuple[int, int], int] | None:
    """Height and width, and the checksum of the pixels."""
    if len(head) < HEADER.size:
        return None
    magic, version, height, width, checksum, stored, _, own = HEADER.unpack(head)
    if (magic, version, stored) != (_MAGIC, _VERSION, bytes.fromhex(key)):
        return None
    if own != _arith.crc32c(head[:-4]) or size_fault(width, height):
        return None
    return ((height, width), checksum) if length == HEADER.size + height * width * 3 else None
