"""What the commands that measure codecs over frames share: their options, and the run itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.errors import LibraryMissingError, MissingInputError, PartialFailureError
from .output import note, progress

if TYPE_CHECKING:
    from ..evaluate.baselines import Baseline
    from ..evaluate.equal_bytes import Method
    from ..evaluate.measure import Codec
    from ..evaluate.meter import MeterOptions
    from ..evaluate.plan import Entry, FurtherOf, PlanSpec
    from ..evaluate.row_store import RowStore
    from ..evaluate.rows import Row

F = TypeVar("F", bound=Callable[..., Any])


def measuring_options(function: F) -> F:
    """Adds --scheduler, --repeat and --fresh."""
    options = (
        click.option(
            "--scheduler",
            default="serial",
            show_default=True,
            metavar="KIND",
            help="serial, processes[:N], or dask[:ADDRESS]; times are honest with serial alone.",
        ),
        click.option(
            "--repeat",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Timed calls of each frame.",
        ),
        click.option(
            "--fresh", is_flag=True, help="Measure all anew, instead of going on where DIR is."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True)
class Measuring:
    """How a set is measured: the values of `measuring_options`, and the metrics."""

    scheduler: str
    options: MeterOptions

    def rows(self, spec: PlanSpec, plan: list[Entry], paths: Sequence[Path], store: RowStore
             ) -> list[Row]:  # fmt: skip
        """All rows of the plan that `spec` opens, with a bar, kept in `store` as they come."""
        from ..evaluate.runner import evaluate_plan
        from ..evaluate.schedulers import executor, parse_scheduler

        execute = executor(parse_scheduler(self.scheduler), spec, plan, self.options)
        total = len(paths) * sum(len(entry.qualities) for entry in plan)
        done = 0
        with progress("measuring", total) as advance:

            def count(row: Row) -> None:
                nonlocal done
                done += 1
                advance(done, f"{row.image} {row.model}")

            return evaluate_plan(plan, paths, execute, self.options, count, store)


def find_metrics(names: str) -> tuple[str, ...]:
    """The metrics of a list with commas; `all` for every one that this host has.

    Raises OptionError, and LibraryMissingError for one that was named.
    """
    from ..evaluate import vmaf
    from ..evaluate.metrics import METRICS, check_metrics

    if names == "all":
        try:
            vmaf.require()
        except LibraryMissingError as error:
            note(f"without vmaf: {error}")
            return tuple(name for name in METRICS if name != "vmaf")
        return METRICS
    chosen = tuple(dict.fromkeys(part.strip() for part in names.split(",") if part.strip()))
    check_metrics(chosen)
    if "vmaf" in chosen:
        vmaf.require()
    return chosen


def find_baselines(names: str) -> list[Baseline]:
    """The baselines of a list with commas, each once; those that this host lacks are told."""
    from ..evaluate.baselines import get_baseline

    found: dict[str, Baseline] = {}
    for name in filter(None, (part.strip() for part in names.split(","))):
        try:
            baseline = get_baseline(name)
            found[baseline.name] = baseline
        except LibraryMissingError as error:
            note(f"without {name}: {error}")
    return list(found.values())


def lower_resolutions(
    factors: Sequence[float],
    upscalers: Sequence[str],
    model: Path | None,
    qualities: Sequence[int] | None,
    threads: int,
) -> FurtherOf | None:
    """What `superres_options` add to a plan; None where no factor is given."""
    from ..superres.options import pipelines

    if not factors:
        return None
    return partial(
        pipelines,
        factors=factors,
        upscalers=upscalers,
        model=model,
        qualities=qualities,
        threads=threads,
    )


def lower_methods(
    codec: Codec, baselines: Sequence[Baseline], lower: FurtherOf | None
) -> list[Method]:
    """The same as methods of a sheet or a viewer."""
    from ..evaluate.equal_bytes import Method

    found = lower(codec, baselines) if lower else ()
    return [Method(name, made) for name, made, _, _ in found]


def find_frames(folder: Path) -> list[Path]:
    """The images of a folder, or the test frames of all games of a data folder.

    Raises MissingInputError where there are none.
    """
    from ..data.frames import game_folders
    from ..runtime.images import list_images

    if not folder.is_dir():
        raise MissingInputError(f"no folder {folder}; check --data")
    inside = list_images(folder)
    tests = (path for _, _, path in game_folders(folder / "test"))
    found = inside or [image for path in tests for image in list_images(path)]
    if not found:
        raise MissingInputError(
            f"no frames in {folder}; name a folder of images, or one with test/<game>-<height>p/"
        )
    return found


def note_lossy(paths: Sequence[Path]) -> None:
    """Says where frames have been through a lossy codec already."""
    from ..runtime.images import is_lossless

    lossy = [path for path in paths if not _quiet(is_lossless, path)]
    if lossy:
        note(
            f"note: {len(lossy)} of {len(paths)} frames come from lossy files, such as {lossy[0]}:"
            " codecs are measured on the artefacts of another one"
        )


def _quiet(check: Callable[[Path], bool], path: Path) -> bool:
    """What cannot be read is told in its rows."""
    from ..core.errors import C3DError

    try:
        return check(path)
    except C3DError:
        return True


def require_all(rows: Sequence[Row]) -> None:
    """Raises PartialFailureError where a measurement failed, after a line for each codec."""
    failed = [row for row in rows if row.error is not None]
    if not failed:
        return
    for model in dict.fromkeys(row.model for row in failed):
        images = {row.image for row in failed if row.model == model}
        every = {row.image for row in rows if row.model == model}
        note(f"note: {model} lacks {len(images)} of {len(every)} frames: its means are of others")
    raise PartialFailureError(
        f"{len(failed)} of {len(rows)} measurements failed, the first on {failed[0].image}:"
        f" {failed[0].error}"
    )
