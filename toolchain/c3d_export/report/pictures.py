"""What the viewer shows: a part of each frame, and of what every codec makes of it at equal bytes.

Every picture is a lossless WebP of the very pixels. What does not fit into the budget is cut
smaller, never compressed harder.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from c3d_export.core.errors import OptionError
from c3d_export.evaluate.equal_bytes import Comparison, Method, caption, compare_frame
from c3d_export.evaluate.labels import label_of
from c3d_export.evaluate.picture import Crop
from c3d_export.evaluate.sample_sheet import find_difference
from c3d_export.runtime.images import Frame

BUDGET: Final = 6_500_000
"""Characters for all pictures of a page: with more, a phone on a slow line waits for minutes."""
ORIGINAL: Final = "original"

_MIN_SIDE: Final = 32
_TRIES: Final = 8
_MAX_WEBP_SIDE: Final = 16383


@dataclass(frozen=True)
class Picture:
    """One version of a part of a frame. `data`: a lossless WebP. `caption`: with bytes, rate, PSNR
    and MS-SSIM of the whole frame."""

    name: str
    label: str
    caption: str
    data: bytes

    @property
    def url(self) -> str:
        """A data URL."""
        return f"data:image/webp;base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True)
class Shot:
    """A part of one frame in every version, the original first.

    `why`: what made somebody choose it. `missing`: (name, reason) of codecs that failed.
    """

    image: str
    why: str
    width: int
    height: int
    crop: Crop
    pictures: tuple[Picture, ...]
    missing: tuple[tuple[str, str], ...]
    file_bytes: int
    quality: int


def take_shot(
    image: str,
    why: str,
    frame: Frame,
    ours: Method,
    others: Sequence[Method],
    *,
    quality: int,
    crop: Crop | None = None,
    budget: int = BUDGET,
) -> Shot:
    """Codes a frame, uint8 (height, width, 3) RGB, and cuts what fits into `budget` characters.

    Without a crop it is the whole frame, or else the part where the codecs differ most. Raises as
    `compare_frame`, and OptionError where a crop was asked for and is outside or too large.
    """
    comparison = compare_frame(frame, ours, others, quality=quality)
    frames = [frame, *(item.result.frame for item in comparison.scored)]
    chosen, files = _cut(frames, crop, budget)
    height, width = frame.shape[:2]
    names = [(ORIGINAL, ORIGINAL, f"original, {width}x{height} pixels"), *_names(comparison)]
    pictures = [Picture(*name, data) for name, data in zip(names, files, strict=True)]
    return Shot(
        image,
        why,
        width,
        height,
        chosen,
        tuple(pictures),
        comparison.missing,
        len(comparison.scored[0].result.data),
        quality,
    )


def _names(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [
        (item.name, label_of(item.name), caption(item, with_bytes=True))
        for item in comparison.scored
    ]


def _cut(frames: list[Frame], crop: Crop | None, budget: int) -> tuple[Crop, list[bytes]]:
    height, width = frames[0].shape[:2]
    if crop is not None:
        _require_inside(crop, width, height)
        files = [_webp(frame, crop) for frame in frames]
        if _characters(files) > budget:
            raise OptionError(
                f"the crop {tuple(crop)} takes {_characters(files)} bytes in {len(files)} versions,"
                f" and {budget} are left for it; choose a smaller one, fewer frames or codecs"
            )
        return crop, files
    columns, rows = min(width, _MAX_WEBP_SIDE), min(height, _MAX_WEBP_SIDE)
    for _ in range(_TRIES):
        found = find_difference(frames[0], frames[1:], columns, rows)
        files = [_webp(frame, found) for frame in frames]
        size = _characters(files)
        if size <= budget:
            return found, files
        part = math.sqrt(budget / size) * 0.97
        columns, rows = max(1, int(columns * part)), max(1, int(rows * part))
        if min(columns, rows) < min(_MIN_SIDE, width, height):
            break
    raise OptionError(
        f"{len(frames)} versions of a frame do not fit into {budget} bytes;"
        " name fewer frames or fewer baselines"
    )


def _require_inside(crop: Crop, width: int, height: int) -> None:
    inside = 0 <= crop.x <= width - crop.width and 0 <= crop.y <= height - crop.height
    if crop.width < 1 or crop.height < 1 or not inside:
        raise OptionError(f"the crop {tuple(crop)} is not inside {width}x{height} pixels; move it")


def _webp(frame: Frame, crop: Crop) -> bytes:
    part = frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(part))
    image.save(buffer, "WEBP", lossless=True, method=4, quality=50)
    return buffer.getvalue()


def _characters(files: list[bytes]) -> int:
    return sum(-(-len(data) // 3) * 4 for data in files)
