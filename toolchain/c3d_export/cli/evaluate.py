"""`eval`: a codec beside its baselines over a folder of frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import LibraryMissingError, MissingInputError, OptionError, PartialFailureError
from .files import make_folder
from .lookup import bundle_path
from .output import note, print_json, print_table, progress
from .settings import PATH, device_option, effort_option, find_workspace, shared, threads_option

if TYPE_CHECKING:
    from ..evaluate.baselines import Baseline
    from ..evaluate.runner import Row


@click.command("eval")
@click.option("--codec", metavar="BUNDLE", help="File or name; the one that is shipped otherwise.")
@click.option("--data", "folder", required=True, type=PATH, metavar="DIR", help="Frames.")
@click.option("--baselines", default="", metavar="A,B", help="Such as jpeg,avif,jxl-3,x264-medium.")
@click.option("--qualities", metavar="Q,Q", help="Rate points of ours; all by default.")
@click.option("--out", required=True, type=PATH, metavar="DIR", help="Folder of the reports.")
@device_option
@threads_option
@effort_option
@shared()
def evaluate(
    codec: str | None,
    folder: Path,
    baselines: str,
    qualities: str | None,
    out: Path,
    device: str,
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Measure rate, distortion and time of a codec and its baselines; CSV, JSON and a table.

    DIR is a folder of images, or a data folder, whose test frames are taken.

    \b
    Example: c3d-export eval --codec supertuxkart-small.c3b --data frames/ --baselines jpeg,webp --out report
    """  # noqa: E501
    from ..evaluate.reports import write_csv, write_json
    from ..evaluate.runner import evaluate_codec, summarize
    from ..evaluate.tables import comparison_table
    from ..runtime.codec import open_codec

    paths, others = _frames(folder), find_baselines(baselines)
    chosen = _numbers(qualities)
    path = bundle_path(find_workspace(), codec)
    opened = open_codec(path, device, threads=threads, effort=effort)
    rates = len(chosen or opened.qualities) + sum(len(item.ladder) for item in others)
    make_folder(out)
    rows: list[Row] = []
    with progress("measuring", len(paths) * rates) as advance:

        def report(row: Row) -> None:
            rows.append(row)
            advance(len(rows), f"{row.image} {row.model}")

        evaluate_codec(opened, paths, chosen, others, on_row=report)
    summaries = summarize(rows)
    write_csv(rows, out / "results.csv")
    write_json(rows, summaries, out / "results.json")
    if as_json:
        print_json({"frames": len(paths), "summaries": [vars(item) for item in summaries]})
    else:
        table = comparison_table(summaries)
        print_table(f"{opened.bundle.name}, {len(paths)} frames", table.headers, table.cells)
    note(f"{out / 'results.csv'} and {out / 'results.json'}")
    _require_all(rows)


def _frames(folder: Path) -> list[Path]:
    from ..data.frames import find_game, games
    from ..runtime.images import list_images

    if not folder.is_dir():
        raise MissingInputError(f"no folder {folder}; check --data")
    inside = list_images(folder)
    found = inside or [p for game in games(folder) for p in find_game(folder, game, "test")]
    if not found:
        raise MissingInputError(
            f"no frames in {folder}; name a folder of images, or one with test/<game>-<height>p/"
        )
    return found


def find_baselines(names: str) -> list[Baseline]:
    from ..evaluate.baselines import get_baseline

    found = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        try:
            found.append(get_baseline(name))
        except LibraryMissingError as error:
            note(f"without {name}: {error}")
    return found


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(f"--qualities {text} are no numbers; write them like 2,4") from error


def _require_all(rows: list[Row]) -> None:
    failed = [row for row in rows if row.error is not None]
    if failed:
        raise PartialFailureError(
            f"{len(failed)} of {len(rows)} measurements failed, the first on {failed[0].image}:"
            f" {failed[0].error}"
        )
