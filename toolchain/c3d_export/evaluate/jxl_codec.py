"""JPEG XL, lossy, as libjxl writes it (by way of imagecodecs): on two threads, 4:4:4 in XYB."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from c3d_export.core.errors import FrameShapeError, LibraryMissingError
from c3d_export.evaluate.baseline_codec import Baseline
from c3d_export.runtime.images import Frame, check_frame

_THREADS: Final = 2
_QUALITIES: Final = range(100)  # 100 would be lossless
_LADDER: Final = (12, 25, 50, 75, 85, 92)


@dataclass(frozen=True)
class JxlCodec(Baseline):
    """`effort` is libjxl's: from 1 (lightning) to 9 (tortoise)."""

    effort: int

    def require(self) -> None:
        if not _imagecodecs(self.name).JPEGXL.available:
            raise LibraryMissingError(
                f"the baseline {self.name} needs an imagecodecs with JPEG XL;"
                " pip install --upgrade --force-reinstall --only-binary :all: imagecodecs"
            )

    def encode(self, frame: Frame, quality: int) -> bytes:
        self.check_quality(quality)
        height, width = check_frame(frame).shape[:2]
        codecs = _imagecodecs(self.name)
        try:
            data = codecs.jpegxl_encode(
                np.ascontiguousarray(frame),
                distance=distance(quality),
                effort=self.effort,
                numthreads=_THREADS,
            )
        except (RuntimeError, ValueError) as error:
            message = f"{self.name} cannot encode {width}x{height}: {error}; leave this frame out"
            raise FrameShapeError(message) from error
        return bytes(data)

    def decode(self, data: bytes) -> Frame:
        codecs = _imagecodecs(self.name)
        try:
            return check_frame(codecs.jpegxl_decode(data, numthreads=_THREADS))
        except (RuntimeError, ValueError, FrameShapeError) as error:
            raise self.unreadable(error) from error


def distance(quality: int) -> float:
    """libjxl's butteraugli distance of a quality (JxlEncoderDistanceFromQuality).

    From 25 (quality 0, all that libjxl takes) to 0.19 (quality 99).
    """
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality * quality - 23 / 20 * quality + 25


def _imagecodecs(name: str) -> Any:
    try:
        return importlib.import_module("imagecodecs")
    except ImportError as error:
        message = f"the baseline {name} needs imagecodecs: {error}"
        raise LibraryMissingError(f"{message}; pip install 'c3d-export[baselines]'") from error


JXL_CODECS: Final = tuple(
    JxlCodec(f"jxl-{effort}", _QUALITIES, _LADDER, effort) for effort in (1, 3, 7)
)
