"""Whether a new bundle is better than the one that is there: on validation frames only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from c3d_export.core.errors import BundleError
from catalogue.measure import Curve, Meter, distance


def compare(
    meter: Meter, own: Path | None, candidate: Path, frames: Mapping[str, Sequence[Path]]
) -> dict[str, Any]:
    """{"better": bool, "validation": {game: BD-rate in percent or None}, "reason": line}.

    own: the bundle that is there. frames: the validation frames of every game that the network is
    for. Better: fewer bytes at equal PSNR (RGB), in the mean over the games. Where there is no
    bundle, or one that this package can no longer open, the new one is taken.
    """
    if own is None:
        return {"better": True, "validation": {}, "reason": "there was none"}
    try:
        before = {game: meter.bundle(own, paths) for game, paths in frames.items()}
    except BundleError as error:
        return {"better": True, "validation": {}, "reason": f"the one before: {error}"}
    after = {game: meter.bundle(candidate, paths) for game, paths in frames.items()}
    return verdict(before, after)


def verdict(before: Mapping[str, Curve], after: Mapping[str, Curve]) -> dict[str, Any]:
    """`compare`, from the curves of each game."""
    measured = {game: distance(before[game], after[game]) for game in before}
    rates = {game: item["bd_rate"] for game, item in measured.items()}
    known = [rate for rate in rates.values() if rate is not None]
    if len(known) < len(rates):
        reason = next(item["reason"] for item in measured.values() if item["bd_rate"] is None)
        return {"better": False, "validation": rates, "reason": reason}
    mean = fmean(known)
    return {"better": mean < 0, "validation": rates, "reason": f"BD-rate {mean:+.2f} %"}
