"""`runs`: the trainings of the workspace, how far they are and how they go on."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import click

from ..core.errors import MissingInputError
from .output import duration, note, print_json, print_table
from .settings import find_workspace, shared

if TYPE_CHECKING:
    from ..train.runs import RunInfo

_HEADERS: Final = (
    "run", "what", "games", "state", "step", "loss", "bpp", "quality", "steps/s", "trained",
    "last sign",
)  # fmt: skip
_BARS: Final = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH: Final = 60
_CURVES: Final = {"loss": "", "bpp": "", "psnr": " dB", "ms_ssim": "", "learning_rate": ""}


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--game", metavar="NAME", help="Only runs on frames of this game.")
@click.option("--model", metavar="SIZE", help="Only runs of this model.")
@shared()
def runs(name: str | None, game: str | None, model: str | None, as_json: bool) -> None:
    """List the trainings of the workspace, or show one with its curves.

    The last that gave a sign comes first. A run is `running` as long as its process lives.

    \b
    Example: c3d-export runs --game supertuxkart
             c3d-export runs supertuxkart-small-tune
    """
    from ..train.runs import list_runs

    folder = find_workspace().runs
    found, foreign = list_runs(folder)
    if name is not None:
        run = next((run for run in found if run.name == name), None)
        if run is None:
            raise MissingInputError(f"no run {name} in {folder}; `c3d-export runs` lists them")
        print_json(_record(run, whole=True)) if as_json else _show(run)
        return
    chosen = [r for r in found if game in (None, *r.games) and model in (None, r.model)]
    if foreign:
        note(f"without a log: {', '.join(path.name for path in foreign)}")
    if as_json:
        print_json([_record(run) for run in chosen])
        return
    print_table(str(folder), _HEADERS, [_cells(run) for run in chosen])
    for run in chosen:
        if run.goes_on:
            note(f"{run.name} goes on with: {run.line}")


def _cells(run: RunInfo) -> tuple[str, ...]:
    last = run.last
    return (
        run.name, f"{run.kind} {run.model}", ",".join(run.games), run.state,
        f"{run.step}/{run.steps}", figure(last, "loss"), figure(last, "bpp"), quality(last),
        figure(last, "steps_per_second", 3), duration(run.seconds), _when(run.when),
    )  # fmt: skip


def figure(record: dict[str, Any], key: str, digits: int = 4) -> str:
    """A figure of a log with so many digits, empty where it is none."""
    value = record.get(key)
    return f"{value:.{digits}g}" if isinstance(value, int | float) else ""


def quality(record: dict[str, Any]) -> str:
    """PSNR, or MS-SSIM where that is what was trained for."""
    if isinstance(record.get("psnr"), int | float):
        return f"{record['psnr']:.2f} dB"
    return figure(record, "ms_ssim")


def _when(seconds: float) -> str:
    return time.strftime("%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def _record(run: RunInfo, whole: bool = False) -> dict[str, Any]:
    record = {
        "name": run.name,
        "kind": run.kind,
        "model": run.model,
        "games": list(run.games),
        "state": run.state,
        "step": run.step,
        "steps": run.steps,
        "seconds": run.seconds,
        "last_sign": run.when,
        "error": run.error or None,
        "continue": run.line if run.goes_on else None,
        "last": run.last,
    }
    return {**record, "log": list(run.records)} if whole else record


def _show(run: RunInfo) -> None:
    click.echo(f"{run.name}: {run.kind} {run.model}, frames of {', '.join(run.games)}")
    click.echo(
        f"{run.state} at step {run.step} of {run.steps}, {duration(run.seconds)} of training"
    )
    if run.error:
        click.echo(f"error: {run.error}")
    if run.goes_on:
        click.echo(f"goes on with: {run.line}")
    for key, unit in _CURVES.items():
        values = [r[key] for r in run.records if isinstance(r.get(key), int | float)]
        if values:
            ends = f"{values[0]:.4g} to {values[-1]:.4g}{unit}"
            click.echo(f"{key:>13}  {_curve(values)}  {ends}")


def _curve(values: list[float]) -> str:
    """Means of equal parts as bars, from the least to the largest."""
    count = min(_CURVE_WIDTH, len(values))
    cuts = [index * len(values) // count for index in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, span = min(means), max(means) - min(means)
    scale = (len(_BARS) - 1) / span if span else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)
