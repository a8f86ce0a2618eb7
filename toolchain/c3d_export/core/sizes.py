"""Sizes of frames as people write them."""

from __future__ import annotations

from typing import Final

from .errors import OptionError
from .limits import size_fault

NAMED_SIZES: Final = {
    "360p": (640, 360),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "4k": (3840, 2160),
}


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of 720p, 1080p, ... or WxH; raises OptionError."""
    if text.lower() in NAMED_SIZES:
        return NAMED_SIZES[text.lower()]
    numbers = text.lower().split("x")
    whole = len(numbers) == 2 and all(n.isdecimal() and n.isascii() for n in numbers)
    width, height = (int(n) for n in numbers) if whole else (0, 0)
    if fault := size_fault(width, height):
        known = ", ".join(NAMED_SIZES)
        raise OptionError(f"the size {text} is {fault}; write it like 1280x720, or as {known}")
    return width, height
