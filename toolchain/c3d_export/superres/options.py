"""The options of rescaled coding, and the codecs that they add to a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from ..core.errors import OptionError
from .pipeline import LosslessCodec, RescaledCodec
from .resample import thousandths
from .upscalers import NAMES, Upscaler, get_upscaler

if TYPE_CHECKING:
    from ..evaluate.baseline_codec import Baseline
    from ..evaluate.measure import Codec

F = TypeVar("F", bound=Callable[..., Any])

OURS: Final = "ours"
SR_ONLY: Final = "SR only"
DEFAULT_UPSCALERS: Final = ("bicubic", "lanczos", "fsr", "fsr-sharp")


class Pipeline(NamedTuple):
    """One more codec of a comparison.

    name: as in tables, such as "ours /2 fsr". qualities: those at which it is measured.
    supersampled: factor and up-scaler, such as "2 fsr".
    """

    name: str
    codec: Codec
    qualities: tuple[int, ...]
    supersampled: str


def superres_options(function: F) -> F:
    """Adds --downscale, --upscale and --sr-model: arguments `downscale` (a tuple of factors, empty
    where it is not given), `upscale` (a tuple of names) and `sr_model` (a path or None).
    """
    options = (
        click.option("--downscale", callback=_factors, metavar="F,F",
                     help="Also measure frames made smaller by these factors: 2,1.7,1.5,1.3."),
        click.option("--upscale", callback=_names, metavar="U,U",
                     help=f"Ways to enlarge them again: {', '.join(NAMES)}; all but rcan by"
                     " default."),
        click.option("--sr-model", type=click.Path(path_type=Path), metavar="FILE",
                     help="Network of rcan (.c3u); the one that is shipped otherwise."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _factors(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, ...]:
    try:
        factors = tuple(float(part) for part in (text or "").split(",") if part.strip())
    except ValueError as error:
        raise OptionError(f"--downscale {text} are no numbers; write them like 2,1.5") from error
    if text is not None and not factors:
        raise OptionError("--downscale names no factor; write it like 2 or 2,1.5")
    return tuple(dict.fromkeys(factors))


def _names(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    names = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if unknown := [name for name in names if name not in NAMES]:
        raise OptionError(f"unknown up-scaler {unknown[0]!r}; choose from {', '.join(NAMES)}")
    return tuple(dict.fromkeys(names)) or DEFAULT_UPSCALERS


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
