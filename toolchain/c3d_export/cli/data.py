"""`data`: frames into the workspace, and what is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError, PartialFailureError
from .capture import capture
from .output import note, print_json, print_table
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..data.inspect import FolderSummary


@click.group()
def data() -> None:
    """Import frames into the workspace, or look at what is there."""


data.add_command(capture)


@data.command("import")
@click.argument("folder", type=PATH)
@click.option("--game", required=True, metavar="NAME", help="What the frames are of.")
@click.option("--fractions", default="0.8,0.1,0.1", show_default=True, metavar="TRAIN,VAL,TEST")
@shared()
def import_(folder: Path, game: str, fractions: str, as_json: bool) -> None:
    """Bring a folder of lossless frames (PNG, WebP) into the workspace, split by scene.

    A folder with train/, validation/ or test/ keeps its splits. Files that cannot be used are
    skipped; the exit code is 3 then.

    \b
    Example: c3d-export data import screenshots/ --game imhotep
    """
    from ..data.importer import import_folder

    result = import_folder(folder, find_workspace().data, game, _fractions(fractions))
    for path, reason in result.skipped:
        note(f"skipped {path}: {reason}")
    if as_json:
        skipped = [{"input": str(path), "reason": reason} for path, reason in result.skipped]
        print_json({**asdict(result), "skipped": skipped})
    else:
        counts = f"{result.train} train, {result.validation} validation, {result.test} test"
        note(f"{game}: {counts} new, {result.unchanged} were there")
    if result.cut_scenes:
        note(f"fewer scenes than splits: {', '.join(result.cut_scenes)} is in several")
    if result.skipped:
        raise PartialFailureError(f"{len(result.skipped)} files were skipped; see the lines above")


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError as error:
        message = f"--fractions {text} are not three numbers; write them like 0.8,0.1,0.1"
        raise OptionError(message) from error
    return train, validation, test


@data.command("inspect")
@click.argument("folder", type=PATH, required=False)
@shared()
def inspect_(folder: Path | None, as_json: bool) -> None:
    """Count and decode the frames of a folder; the workspace's data by default.

    \b
    Example: c3d-export data inspect frames/ --json
    """
    from ..data.inspect import inspect_folder

    summaries = inspect_folder(folder or find_workspace().data)
    bad = [entry for item in summaries for entry in item.unreadable]
    for path, reason in bad:
        note(f"unreadable {path}: {reason}")
    if as_json:
        print_json([_json(item) for item in summaries])
    else:
        headers = ("folder", "split", "game", "frames", "sizes", "MB", "unreadable")
        print_table("frames", headers, [_row(item) for item in summaries])
    if bad:
        raise PartialFailureError(f"{len(bad)} files cannot be read; replace or remove them")


def _json(item: FolderSummary) -> dict[str, Any]:
    sizes = [{"width": w, "height": h, "frames": n} for (w, h), n in item.resolutions]
    unreadable = [{"input": str(path), "reason": reason} for path, reason in item.unreadable]
    return {
        "folder": str(item.path),
        "split": item.split,
        "game": item.game,
        "frames": item.frames,
        "resolutions": sizes,
        "bytes": item.total_bytes,
        "unreadable": unreadable,
    }


def _row(item: FolderSummary) -> tuple[object, ...]:
    sizes = ", ".join(f"{w}x{h}" for (w, h), _ in item.resolutions)
    megabytes = f"{item.total_bytes / 1e6:.1f}"
    count = len(item.unreadable)
    return str(item.path), item.split, item.game, item.frames, sizes, megabytes, count
