"""The command ffmpeg, and the pictures that it sends through a pipe."""

from __future__ import annotations

import importlib
import re
import shutil
from typing import IO, Final

import numpy as np

from c3d_export.core.errors import ImageError, LibraryMissingError
from c3d_export.core.limits import size_fault
from c3d_export.runtime.images import Frame

PICTURES: Final = ("-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-")
"""Output options: what `read_picture` reads."""

_LONGEST_LINE: Final = 64


def find_ffmpeg() -> str:
    """The program of the system, else that of imageio-ffmpeg. Raises LibraryMissingError."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        message = "no ffmpeg; install it (Debian: ffmpeg; or pip install 'c3d-export[baselines]')"
        raise LibraryMissingError(message) from error


def read_picture(pipe: IO[bytes]) -> Frame | None:
    """The next PPM of a stream, uint8 (height, width, 3); None at its end.

    Raises ImageError for anything else than a whole PPM of 8 bits within the limits of size.
    """
    magic, size, depth = (pipe.readline(_LONGEST_LINE) for _ in range(3))
    if not magic:
        return None
    numbers = re.fullmatch(rb"(\d{1,5}) (\d{1,5})\n", size)
    if magic != b"P6\n" or not numbers or depth != b"255\n":
        raise ImageError("ffmpeg sent something else than pictures; try another ffmpeg")
    width, height = int(numbers[1]), int(numbers[2])
    if fault := size_fault(width, height):
        raise ImageError(f"its frames have {fault}; scale or cut them")
    data = pipe.read(width * height * 3)
    if len(data) < width * height * 3:
        raise ImageError("it ends within a frame")
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)
