"""Rate-distortion curves from real files, each measured once, and the distance between two.

A curve is a list of points {quality, frames, bpp, psnr, ms_ssim}, means over all frames. It is
kept in the state folder by what it depends on: the codec, the frames, the qualities.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import OptionError, PartialFailureError
from c3d_export.data.frames import frames_digest
from c3d_export.evaluate.measure import Codec
from c3d_export.evaluate.metrics import bd_rate, psnr_overlap
from catalogue.ledger import key_of, read, write

Curve = list[dict[str, Any]]

# The rates at which frames are streamed: below, no codec here is good enough to play; above, all
# are. What a BD-rate says of others would drown what it says of these.
RATES: Final = (0.1, 1.0)

# Changes where a curve of today would not equal one of before.
_VERSION: Final = 1
_SAMPLES: Final = 1025


@dataclass(frozen=True)
class Meter:
    """Measures and remembers. store: folder of the curves. say: told what is being measured."""

    store: Path
    threads: int
    say: Callable[[str], None]

    def bundle(self, path: Path, frames: Sequence[Path], effort: int = 1) -> Curve:
        """The curve of a bundle at all its rate points. effort: of the encoder.

        Raises BundleError, PartialFailureError.
        """
        from c3d_export import open_codec

        inputs = {"bundle": sha256_file(path), **({"effort": effort} if effort > 1 else {})}

        def measure() -> Curve:
            looks = f", effort {effort}" if effort > 1 else ""
            self.say(f"{path.stem} on {frames[0].parent.name}, {len(frames)} frames{looks}")
            codec = open_codec(path, threads=self.threads, effort=effort)
            return curve_of(codec, frames, codec.qualities)

        return self._once(inputs, frames, measure)

    def baseline(self, name: str, qualities: Sequence[int], frames: Sequence[Path]) -> Curve:
        """The curve of an ordinary codec; raises LibraryMissingError where this host lacks it."""
        from c3d_export.evaluate.baselines import get_baseline

        codec = get_baseline(name)
        inputs = {"baseline": name, "qualities": list(qualities), "libraries": libraries()}

        def measure() -> Curve:
            self.say(f"{name} on {frames[0].parent.name}, {len(frames)} frames")
            return curve_of(codec, frames, qualities)

        return self._once(inputs, frames, measure)

    def _once(
        self, inputs: dict[str, Any], frames: Sequence[Path], measure: Callable[[], Curve]
    ) -> Curve:
        whole = {**inputs, "frames": frames_digest(frames), "version": _VERSION}
        path = self.store / f"{key_of(whole)[:32]}.json"
        record = read(path)
        if record is None:
            record = {"inputs": whole, "points": measure()}
            write(path, record)
        points: Curve = record["points"]
        return points


def libraries() -> dict[str, str]:
    """The versions of what the baselines come from."""
    from importlib import metadata

    from PIL import features

    found = {name: features.version(name) or "" for name in ("webp", "avif")}
    found["jpeg"] = features.version("libjpeg_turbo") or features.version("jpg") or ""
    for name in ("pillow", "imagecodecs"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def curve_of(codec: Codec, frames: Sequence[Path], qualities: Sequence[int]) -> Curve:
    """Raises PartialFailureError where one frame fails: its absence would change the mean."""
    from c3d_export.evaluate.runner import evaluate_codec, summarize

    rows = evaluate_codec(codec, frames, qualities)
    failed = [row for row in rows if row.error is not None]
    if failed:
        raise PartialFailureError(
            f"{len(failed)} of {len(rows)} measurements failed, the first on {failed[0].image}:"
            f" {failed[0].error}"
        )
    return [
        {
            "quality": item.quality,
            "frames": item.images,
            "bpp": round(item.bpp, 6),
            "psnr": round(item.psnr, 5),
            "ms_ssim": None if math.isnan(item.ms_ssim) else round(item.ms_ssim, 6),
        }
        for item in summarize(rows)
    ]


def distance(anchor: Curve, test: Curve) -> dict[str, Any]:
    """BD-rate of `test` over `anchor` in percent, both cut to RATES; the PSNR it speaks of.

    {"bd_rate": percent, "psnr": [from, to]}, or {"bd_rate": None, "reason": line} where the curves
    share no range there.
    """
    try:
        ours, theirs = cut(test), cut(anchor)
        low, high = psnr_overlap(theirs, ours)
        return {"bd_rate": round(bd_rate(theirs, ours), 3), "psnr": [low, high]}
    except OptionError as error:
        return {"bd_rate": None, "reason": str(error)}


def cut(curve: Curve, rates: tuple[float, float] = RATES) -> list[tuple[float, float]]:
    """(bpp, PSNR) of the curve within these rates, so dense that its ends are on them.

    Log rate over PSNR by Akima's interpolation, as a BD-rate has it, so that the cut does not
    change the curve. Raises OptionError where less than a hundredth of it lies within.
    """
    points = sorted((point["psnr"], math.log(point["bpp"])) for point in curve)
    psnr, rate = (np.array(values) for values in zip(*points, strict=True))
    if len(points) < 4 or not (np.diff(rate) > 0).all() or not (np.diff(psnr) > 0).all():
        raise OptionError(f"the curve {points} does not rise over four points; measure others")
    interpolate = importlib.import_module("scipy.interpolate")  # untyped
    grid = np.linspace(psnr[0], psnr[-1], _SAMPLES)
    found = np.exp(interpolate.Akima1DInterpolator(psnr, rate)(grid))
    inside = (rates[0] <= found) & (found <= rates[1])
    if inside.sum() < _SAMPLES // 100:
        raise OptionError(f"the curve has next to nothing in {rates[0]}..{rates[1]} bpp")
    return [(float(r), float(p)) for r, p in zip(found[inside], grid[inside], strict=True)]
