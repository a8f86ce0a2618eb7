"""The options of coding at a lower resolution, which `eval`, `compare` and `report` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core.errors import OptionError

F = TypeVar("F", bound=Callable[..., Any])


def superres_options(function: F) -> F:
    """Adds --downscale, --upscale and --sr-model: arguments `downscale` (a tuple of factors, empty
    where it is not given), `upscale` (a tuple of names) and `sr_model` (a path or None).
    """
    options = (
        click.option("--downscale", callback=_factors, metavar="F,F",
                     help="Also measure frames made smaller by these factors: 2,1.7,1.5,1.3."),
        click.option("--upscale", callback=_names, metavar="U,U",
                     help="Ways to enlarge them again: bicubic, lanczos, fsr, fsr-sharp, rcan; all"
                     " but rcan by default."),
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
    from ..superres.upscalers import FIXED, NAMES

    names = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if unknown := [name for name in names if name not in NAMES]:
        raise OptionError(f"unknown up-scaler {unknown[0]!r}; choose from {', '.join(NAMES)}")
    return tuple(dict.fromkeys(names)) or tuple(FIXED)
