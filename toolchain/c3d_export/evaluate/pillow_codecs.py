"""JPEG, WebP and AVIF as Pillow writes them.

Pillow lets libaom and dav1d use every core and the others one; the times say what a host would
see, not what a core does.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image, features

from c3d_export.core.errors import FrameShapeError, LibraryMissingError
from c3d_export.evaluate.baseline_codec import Baseline
from c3d_export.runtime.images import Frame, check_frame

_JPEG_QUALITIES: Final = range(1, 101)
_QUALITIES: Final = range(101)
_JPEG_LADDER: Final = (10, 25, 50, 70, 85, 92)
_AVIF_LADDER: Final = (20, 35, 50, 65, 75, 85)


@dataclass(frozen=True)
class PillowCodec(Baseline):
    """`kind` is Pillow's name of the format, `feature` that of the library behind it, `options`
    go to its writer. WebP holds 16383 a side.
    """

    kind: str
    feature: str
    options: Mapping[str, str | int | bool]

    def require(self) -> None:
        Image.init()  # else the first call would load all plugins while it is timed
        if not features.check(self.feature):
            raise LibraryMissingError(
                f"the baseline {self.name} needs a Pillow with {self.kind};"
                " pip install --upgrade --force-reinstall --only-binary :all: pillow"
            )

    def encode(self, frame: Frame, quality: int) -> bytes:
        self.check_quality(quality)
        image, buffer = Image.fromarray(check_frame(frame)), io.BytesIO()
        try:
            image.save(buffer, self.kind, quality=quality, **self.options)
        except (OSError, ValueError) as error:
            size = f"{image.width}x{image.height}"
            message = f"{self.name} cannot encode {size}: {error}; leave this frame out"
            raise FrameShapeError(message) from error
        return buffer.getvalue()

    def decode(self, data: bytes) -> Frame:
        try:
            with Image.open(io.BytesIO(data), formats=[self.kind]) as image:
                return np.array(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise self.unreadable(error) from error


def _codec(
    name: str,
    feature: str,
    qualities: range,
    ladder: tuple[int, ...],
    **options: str | int | bool,
) -> PillowCodec:
    kind = "JPEG" if feature == "jpg" else feature.upper()
    return PillowCodec(name, qualities, ladder, kind, feature, MappingProxyType(options))


PILLOW_CODECS: Final = (
    _codec("jpeg", "jpg", _JPEG_QUALITIES, _JPEG_LADDER, subsampling="4:2:0", optimize=True),
    _codec("jpeg444", "jpg", _JPEG_QUALITIES, _JPEG_LADDER, subsampling="4:4:4", optimize=True),
    _codec("webp", "webp", _QUALITIES, (5, 25, 50, 70, 85, 95), method=4),
    _codec("avif", "avif", _QUALITIES, _AVIF_LADDER, subsampling="4:4:4", speed=6),
    _codec("avif420-fast", "avif", _QUALITIES, _AVIF_LADDER, subsampling="4:2:0", speed=9),
)
