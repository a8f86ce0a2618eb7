"""Source images: their bytes as they lie there, and the pixels that they hold.

What `runtime/images.py` reads, and BMP. A file that grows or changes while it is read is none
yet: whoever writes it has not finished.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile

from c3d_export.core.errors import ImageError, MissingInputError
from c3d_export.core.limits import MAX_IMAGE_BYTES, size_fault
from c3d_export.runtime.images import SUFFIXES, Frame, is_lossless, read_image

BMP: Final = ".bmp"
SOURCE_SUFFIXES: Final = SUFFIXES | {BMP}


@dataclass(frozen=True)
class Stamp:
    """What changes when a file does: its size in bytes, time of change in ns, and number."""

    size: int
    changed: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


def read_steady(path: Path) -> tuple[bytes, Stamp]:
    """The bytes of a file that nobody changes meanwhile.

    Raises MissingInputError where it cannot be read, ImageError where it changed or is larger than
    MAX_IMAGE_BYTES.
    """
    try:
        with open(path, "rb") as file:
            before = Stamp.of(os.fstat(file.fileno()))
            data = file.read(MAX_IMAGE_BYTES + 1)
            after = Stamp.of(os.fstat(file.fileno()))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"cannot open {path}: {reason}; check the path") from error
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"it has more than {MAX_IMAGE_BYTES} bytes; replace the file")
    if before != after or len(data) != after.size:
        raise ImageError("it changed while it was read; import it again when it is finished")
    return data, after


def decode(data: bytes) -> Frame:
    """The pixels, uint8 (height, width, 3) RGB. Raises ImageError, as `read_image` does."""
    return _decode_bmp(data) if is_bmp(data) else read_image(data)


def is_bmp(data: bytes) -> bool:
    return data[:2] == b"BM"


def lossy_coding(data: bytes) -> str:
    """What lost pixels in this file: "JPEG", "WebP", or nothing."""
    if is_bmp(data) or is_lossless(data):
        return ""
    return "JPEG" if data[:2] == b"\xff\xd8" else "WebP"


def _decode_bmp(data: bytes) -> Frame:
    try:
        with BmpImageFile(io.BytesIO(data)) as image:
            if fault := size_fault(*image.size):
                raise ImageError(f"it has {fault}; cut it into smaller ones")
            if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != 255:
                raise ImageError("it is transparent; flatten it first")
            return np.array(image.convert("RGB"))
    except ImageError as error:
        raise ImageError(f"cannot read the image: {error}") from error
    except Exception as error:  # Pillow raises nearly anything on hostile files
        reason = str(error) or type(error).__name__
        raise ImageError(f"cannot read the image: {reason}; replace the file") from error
