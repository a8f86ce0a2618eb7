"""`eval`: a codec beside its baselines over a folder of frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError
from .files import make_folder
from .lookup import bundle_path
from .measuring import (
    Measuring,
    find_baselines,
    find_frames,
    find_metrics,
    lower_resolutions,
    measuring_options,
    note_lossy,
    require_all,
)
from .output import note, print_json, print_table
from .settings import PATH, device_option, effort_option, find_workspace, shared, threads_option
from .superres_options import superres_options

if TYPE_CHECKING:
    from ..evaluate.plan import Entry, PlanSpec
    from ..evaluate.reports import Report
    from ..evaluate.rows import Row


@click.command("eval")
@click.option("--codec", metavar="BUNDLE", help="File or name; the one that is shipped otherwise.")
@click.option("--data", "folder", required=True, type=PATH, metavar="DIR", help="Frames.")
@click.option(
    "--baselines",
    default="",
    metavar="A,B",
    help="Such as jpeg,webp,avif,jxl,hevc,av1, or a setting: jxl-3,x264-medium.",
)
@click.option("--qualities", metavar="Q,Q", help="Rate points of ours; all by default.")
@click.option(
    "--metrics",
    default="all",
    show_default=True,
    metavar="M,M",
    help="Such as psnr,ms_ssim, which cost least.",
)
@click.option("--out", required=True, type=PATH, metavar="DIR", help="Folder of the reports.")
@superres_options
@measuring_options
@device_option
@threads_option
@effort_option
@shared()
def evaluate(
    codec: str | None,
    folder: Path,
    baselines: str,
    qualities: str | None,
    metrics: str,
    out: Path,
    downscale: tuple[float, ...],
    upscale: tuple[str, ...],
    sr_model: Path | None,
    scheduler: str,
    repeat: int,
    fresh: bool,
    device: str,
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Measure rate, distortion and time of a codec and its baselines; CSV, JSON and tables.

    DIR is a folder of images, or a data folder, whose test frames are taken. An evaluation that
    was interrupted goes on where it was when it is called again. docs/evaluation.md says what
    every number means.

    \b
    Example: c3d-export eval --codec supertuxkart-small.c3b --data frames/ --baselines jpeg,webp --out report
    """  # noqa: E501
    from ..core.heap import keep_freed_memory
    from ..evaluate.meter import MeterOptions
    from ..evaluate.plan import OURS, PlanSpec, source_of
    from ..evaluate.row_store import RowStore

    keep_freed_memory()
    paths = find_frames(folder)
    source = source_of(OURS, bundle_path(find_workspace(), codec))
    others = tuple(item.name for item in find_baselines(baselines))
    chosen = _numbers(qualities)
    lower = lower_resolutions(downscale, upscale, sr_model, chosen, threads)
    spec = PlanSpec((source,), others, chosen, device, threads, effort, lower)
    measuring = Measuring(scheduler, MeterOptions(find_metrics(metrics), repeat))
    note_lossy(paths)
    plan = spec.open()
    make_folder(out)
    with RowStore(out, fresh=fresh) as store:
        rows = measuring.rows(spec, plan, paths, store)
    report = _report(rows, spec, plan, paths, scheduler)
    _write(report, out, folder)
    _show(report, len(paths), as_json)
    note(f"{out / 'results.csv'}, {out / 'results.json'} and tables for other tools beside them")
    require_all(rows)


def _report(
    rows: list[Row], spec: PlanSpec, plan: list[Entry], paths: list[Path], scheduler: str
) -> Report:
    from ..data.frames import frames_digest
    from ..evaluate.reports import Report
    from ..evaluate.summaries import bd_rates, summarize
    from ..evaluate.versions import environment, library_versions

    tested = [source.name for source in spec.sources]
    # Up-scaling alone is one point and no curve.
    anchors = [item.name for item in plan if len(item.qualities) > 1 or not item.supersampled]
    return Report(
        rows,
        summarize(rows),
        bd_rates(rows, tested, anchors),
        codec=_facts(spec, plan),
        frames={"count": len(paths), "digest": frames_digest(paths)},
        versions=library_versions(),
        environment={
            **environment(),
            "device": spec.device,
            "threads": spec.threads,
            "scheduler": scheduler,
        },
    )


def _facts(spec: PlanSpec, plan: list[Entry]) -> dict[str, Any]:
    from ..core.digest import sha256_file

    source, codec = spec.sources[0], plan[0].codec
    manifest = codec.bundle.manifest  # type: ignore[attr-defined]
    return {
        "name": manifest["name"],
        "id": source.codec_id,
        "sha256": sha256_file(source.path),
        "bytes": source.path.stat().st_size,
        "game": manifest.get("game") or "",
        "effort": spec.effort,
        "flavour": codec.sessions.flavour,  # type: ignore[attr-defined]
    }


def _write(report: Report, out: Path, folder: Path) -> None:
    from ..evaluate.exchange import write_compressai, write_eccv_csv, write_study_csv
    from ..evaluate.reports import write_csv, write_json

    write_csv(report.rows, out / "results.csv")
    write_eccv_csv(report.rows, out / "results-eccv.csv")
    write_study_csv(report.rows, out / "results-study.csv")
    make_folder(out / "compressai")
    counts = report.frames or {}
    description = f"{counts.get('count')} frames of {folder.name}, RGB, real files"
    write_compressai(report.summaries, out / "compressai", description)
    write_json(report, out / "results.json")


def _show(report: Report, frames: int, as_json: bool) -> None:
    from ..evaluate.tables import bd_table, comparison_table

    if as_json:
        lists = {"summaries": report.summaries, "bd_rates": report.bd_rates}
        found = {name: [vars(item) for item in items] for name, items in lists.items()}
        print_json({"frames": frames, **found})
        return
    facts = report.codec or {}
    table = comparison_table(report.summaries)
    print_table(f"{facts.get('name')}, {frames} frames", table.headers, table.cells)
    if report.bd_rates:
        table = bd_table(report.bd_rates)
        print_table("rate at equal quality, and the range of it", table.headers, table.cells)
    for reason in dict.fromkeys(item.reason for item in report.bd_rates if item.reason):
        note(f"no BD-rate: {reason}")


def _numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise OptionError(f"--qualities {text} are no numbers; write them like 2,4") from error
