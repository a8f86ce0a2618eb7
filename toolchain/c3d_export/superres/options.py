"""The codecs at lower resolutions that a comparison adds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..core.errors import OptionError
from .pipeline import LosslessCodec, RescaledCodec
from .resample import thousandths
from .upscalers import Upscaler, get_upscaler

if TYPE_CHECKING:
    from ..evaluate.baseline_codec import Baseline
    from ..evaluate.measure import Codec

OURS: Final = "ours"
SR_ONLY: Final = "SR only"


class Pipeline(NamedTuple):
    """One more codec of a comparison.

    name: as in tables, such as "ours /2 fsr". qualities: those at which it is measured.
    supersampled: factor and up-scaler, such as "2 fsr".
    """

    name: str
    codec: Codec
    qualities: tuple[int, ...]
    supersampled: str


def pipelines(
    codec: Codec | None,
    baselines: Sequence[Baseline],
    factors: Sequence[float],
    upscalers: Sequence[str],
    model: Path | None = None,
    *,
    qualities: Sequence[int] | None = None,
    threads: int = 0,
) -> list[Pipeline]:
    """Every codec at every factor with every up-scaler, and "SR only" for each of the latter two.

    codec: ours, at `qualities` (all of them where None); baselines: at their ladders. factors:
    1..4. upscalers: of NAMES. model: the network of rcan. An up-scaler that cannot do one factor
    (rcan has one of its own) is left out there where it can do another one of them. Raises
    OptionError for unknown names and factors, and where an up-scaler can do none of the factors;
    what `get_upscaler` raises.
    """
    for factor in factors:
        thousandths(factor)  # refuses what no up-scaler can do
    if not factors:
        return []
    found = [get_upscaler(name, model, threads) for name in dict.fromkeys(upscalers)]
    own = {upscaler.name: _factors_of(upscaler, factors) for upscaler in found}
    pairs = [(f, up) for f in dict.fromkeys(factors) for up in found if f in own[up.name]]
    coded: list[tuple[str, Codec, tuple[int, ...]]] = []
    if codec is not None:
        chosen = codec.qualities if qualities is None else qualities
        coded.append((OURS, codec, tuple(chosen)))
    coded += [(baseline.name, baseline, baseline.ladder) for baseline in baselines]
    coded.append((SR_ONLY, LosslessCodec(), (0,)))
    return [
        _pipeline(name, inner, chosen, factor, upscaler)
        for name, inner, chosen in coded
        for factor, upscaler in pairs
    ]


def _pipeline(
    name: str, codec: Codec, qualities: tuple[int, ...], factor: float, upscaler: Upscaler
) -> Pipeline:
    rescaled = RescaledCodec(codec, factor, upscaler)
    return Pipeline(f"{name} /{factor:g} {upscaler.name}", rescaled, qualities, rescaled.label)


def _factors_of(upscaler: Upscaler, factors: Sequence[float]) -> list[float]:
    """Those that it can do; raises OptionError where it can do none."""
    own = [factor for factor in factors if _fits(upscaler, factor)]
    if not own:
        upscaler.check(factors[0])
    return own


def _fits(upscaler: Upscaler, factor: float) -> bool:
    try:
        upscaler.check(factor)
    except OptionError:
        return False
    return True
