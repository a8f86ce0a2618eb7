"""The ordinary codecs that ours is measured against, by way of Pillow.

Each is fixed to one setting, in the name of which a number is reported. Pillow lets libaom and
dav1d use every core and the others one; the times say what a host would see, not what a core does.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image, features

from c3d_export.core.errors import (
    FrameShapeError,
    ImageError,
    LibraryMissingError,
    OptionError,
)
from c3d_export.evaluate.measure import Result, measure, timed_decode, timed_encode
from c3d_export.runtime.images import Frame, check_frame

_JPEG_QUALITIES: Final = range(1, 101)
_QUALITIES: Final = range(101)


@dataclass(frozen=True)
class Baseline:
    """One setting of one codec of Pillow; it is a `Codec`.

    `kind` is Pillow's name of the format, `feature` that of the library behind it, `options` go to
    its writer; `qualities` runs from the lowest rate to the highest, and `ladder` holds the ones
    at which curves are drawn: on 720p frames of games from about 0.2 to 1.5 bpp or more.
    """

    name: str
    kind: str
    feature: str
    options: Mapping[str, str | int | bool]
    qualities: range
    ladder: tuple[int, ...]

    def encode(self, frame: Frame, quality: int) -> bytes:
        """The file of a frame, uint8 (height, width, 3) RGB.

        Raises OptionError for a quality outside `qualities`, FrameShapeError for other arrays or
        a side that the format does not hold (16383 in WebP).
        """
        if quality not in self.qualities:
            span = f"{self.qualities[0]}..{self.qualities[-1]}"
            raise OptionError(f"{self.name} has no quality {quality}; choose one in {span}")
        image, buffer = Image.fromarray(check_frame(frame)), io.BytesIO()
        try:
            image.save(buffer, self.kind, quality=quality, **self.options)
        except (OSError, ValueError) as error:
            size = f"{image.width}x{image.height}"
            message = f"{self.name} cannot encode {size}: {error}; leave this frame out"
            raise FrameShapeError(message) from error
        return buffer.getvalue()

    def decode(self, data: bytes) -> Frame:
        """The frame of a file that `encode` made. Raises ImageError for anything else."""
        try:
            with Image.open(io.BytesIO(data), formats=[self.kind]) as image:
                return np.array(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            message = f"{self.name} cannot decode its file: {error}; encode the frame again"
            raise ImageError(message) from error


def _baseline(
    name: str,
    feature: str,
    qualities: range,
    ladder: tuple[int, ...],
    **options: str | int | bool,
) -> Baseline:
    kind = "JPEG" if feature == "jpg" else feature.upper()
    return Baseline(name, kind, feature, MappingProxyType(options), qualities, ladder)


_JPEG_LADDER: Final = (10, 25, 50, 70, 85, 92)
_AVIF_LADDER: Final = (20, 35, 50, 65, 75, 85)

_ALL: Final = (
    _baseline("jpeg", "jpg", _JPEG_QUALITIES, _JPEG_LADDER, subsampling="4:2:0", optimize=True),
    _baseline("jpeg444", "jpg", _JPEG_QUALITIES, _JPEG_LADDER, subsampling="4:4:4", optimize=True),
    _baseline("webp", "webp", _QUALITIES, (5, 25, 50, 70, 85, 95), method=4),
    _baseline("avif", "avif", _QUALITIES, _AVIF_LADDER, subsampling="4:4:4", speed=6),
    _baseline("avif420-fast", "avif", _QUALITIES, _AVIF_LADDER, subsampling="4:2:0", speed=9),
)

BASELINES: Final[Mapping[str, Baseline]] = MappingProxyType({item.name: item for item in _ALL})
"""Every baseline by its name, whether this host can run it or not (see `get_baseline`)."""


def get_baseline(name: str) -> Baseline:
    """The baseline of this name, ready to run.

    Raises OptionError for an unknown name, and LibraryMissingError, with the line that installs
    it, where this Pillow was built without the library: skip that baseline then, and say so.
    """
    if name not in BASELINES:
        message = f"unknown baseline {name!r}; choose from {', '.join(BASELINES)}"
        raise OptionError(message)
    baseline = BASELINES[name]
    Image.init()  # else the first call would load all plugins while it is timed
    if not features.check(baseline.feature):
        raise LibraryMissingError(
            f"the baseline {name} needs a Pillow with {baseline.kind};"
            " pip install --upgrade --force-reinstall --only-binary :all: pillow"
        )
    return baseline


def at_bpp(baseline: Baseline, frame: Frame, target_bpp: float, tolerance: float = 0.03) -> Result:
    """The frame, uint8 (height, width, 3) RGB, coded at about `target_bpp` bits per pixel.

    Bisects the integer qualities until the rate is within `tolerance` (a fraction of the target),
    and takes the nearest (in log rate) of those tried where none is: steps between qualities may
    be coarser, and a target may lie outside what the format reaches. So compare with `.bpp` of
    the result, never with the target. Raises OptionError for a target that is not above 0.
    """
    if not 0 < target_bpp < math.inf:
        raise OptionError(f"cannot aim at {target_bpp} bpp; choose a rate above 0")
    target_bytes = target_bpp * check_frame(frame).shape[0] * frame.shape[1] / 8
    low, high = baseline.qualities[0], baseline.qualities[-1]
    tried: list[tuple[float, int, bytes, float]] = []
    while low <= high:
        quality = (low + high) // 2
        data, encode_ms = timed_encode(baseline, frame, quality)
        ratio = len(data) / target_bytes
        tried.append((abs(math.log(ratio)), quality, data, encode_ms))
        if abs(ratio - 1) <= tolerance:
            break
        low, high = (quality + 1, high) if ratio < 1 else (low, quality - 1)
    _, quality, data, encode_ms = min(tried)
    return timed_decode(baseline, data, encode_ms, quality)


def ladder(
    baseline: Baseline, frame: Frame, qualities: Iterable[int] | None = None
) -> list[Result]:
    """The frame coded at several qualities, those of `baseline.ladder` where none are given.

    Raises as `Baseline.encode`.
    """
    chosen = baseline.ladder if qualities is None else qualities
    return [measure(baseline, frame, quality) for quality in chosen]
