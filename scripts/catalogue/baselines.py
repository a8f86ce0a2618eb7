"""The ordinary codecs that the catalogue compares with, and the qualities that draw their curves.

More and lower ones than `eval` takes: the frames of some games need twice the rate of others, and
each curve should cover all of 0.1 to 1.0 bpp.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_JPEG: Final = (3, 6, 10, 18, 30, 50, 70, 85)
_AVIF: Final = (8, 15, 25, 35, 45, 55, 65, 75)


class Anchor(NamedTuple):
    """name: of `evaluate.baselines`. label: as reports say it."""

    name: str
    label: str
    qualities: tuple[int, ...]


ANCHORS: Final = (
    Anchor("avif", "AVIF 4:4:4 speed 6", _AVIF),
    Anchor("avif420-fast", "AVIF 4:2:0 speed 9", _AVIF),
    Anchor("webp", "WebP method 4", (0, 3, 10, 25, 45, 65, 80, 92)),
    Anchor("jxl-7", "JPEG XL effort 7", (3, 12, 25, 40, 55, 70, 80, 90)),
    Anchor("jpeg444", "JPEG 4:4:4", _JPEG),
    Anchor("jpeg", "JPEG 4:2:0", _JPEG),
)
