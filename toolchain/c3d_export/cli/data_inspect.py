"""`data inspect`: what a folder of frames holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import MissingInputError, OptionError, PartialFailureError
from .data_notes import bar, pairs, say_leaks, say_some
from .output import note, print_json, print_table
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..data.inspect import FolderSummary, Inspection


@click.command("inspect")
@click.argument("folder", type=PATH, required=False)
@click.option("--sheet", type=PATH, metavar="FILE.png", help="Write a contact sheet.")
@shared()
def inspect_(folder: Path | None, sheet: Path | None, as_json: bool) -> None:
    """Decode the frames of a folder and tell what is there; the workspace's data by default.

    bits/px is what a simple lossless predictor needs: how much there is to code. A sheet shows some
    frames of each scene; red ones were coded with loss, orange ones are twins of others.

    \b
    Example: c3d-export data inspect frames/ --sheet frames.png
    """
    from ..data.inspect import inspect_folder

    if sheet and sheet.suffix.lower() != ".png":
        raise OptionError(f"cannot write {sheet}: a contact sheet is a PNG; name it so")
    place = folder or find_workspace().data
    if folder is None and not place.is_dir():
        raise MissingInputError(f"no games in {place}; `c3d-export data import` brings some")
    with bar("frames") as advance:
        result = inspect_folder(place, advance)
    bad = [entry for item in result.folders for entry in item.unreadable]
    for path, reason in bad:
        note(f"unreadable {path}: {reason}")
    suspects = [entry for item in result.folders for entry in item.suspects]
    say_some("WARNING: suspects", [f"{path} {text}" for path, text in suspects])
    say_leaks(result.leaks)
    if as_json:
        print_json([_json(item, result.leaks) for item in result.folders])
    else:
        print_table("frames", _HEADERS, [_row(item) for item in result.folders])
    if sheet:
        _write_sheet(sheet, result)
    if bad:
        raise PartialFailureError(f"{len(bad)} files cannot be read; replace or remove them")


_HEADERS = (
    "game",
    "split",
    "frames",
    "scenes",
    "sizes",
    "MB",
    "bits/px",
    "equal",
    "near",
    "lossy",
    "suspect",
    "unreadable",
)


def _write_sheet(path: Path, inspection: Inspection) -> None:
    from ..data.sheet import contact_sheet
    from ..runtime.images import write_image

    write_image(path, contact_sheet(inspection))
    note(f"wrote {path}")


def _json(item: FolderSummary, leaks: Sequence[tuple[Path, Path]]) -> dict[str, Any]:
    sizes = [{"width": w, "height": h, "frames": n} for (w, h), n in item.resolutions]
    return {
        "folder": str(item.path),
        "split": item.split,
        "game": item.game,
        "frames": item.frames,
        "scenes": dict(item.scenes),
        "resolutions": sizes,
        "bytes": item.total_bytes,
        "bits_per_pixel": item.bits,
        "duplicates": pairs(item.duplicates, "frame", "of"),
        "near_duplicates": pairs(item.near, "frame", "of"),
        "leaks": pairs([pair for pair in leaks if pair[1].parent == item.path], "of", "frame"),
        "lossy": dict(item.lossy),
        "suspects": pairs(item.suspects, "frame", "reason"),
        "unreadable": pairs(item.unreadable, "input", "reason"),
    }


def _row(item: FolderSummary) -> tuple[object, ...]:
    return (
        item.game or str(item.path),
        item.split,
        item.frames,
        len(item.scenes),
        ", ".join(f"{w}x{h}" for (w, h), _ in item.resolutions),
        f"{item.total_bytes / 1e6:.1f}",
        f"{item.bits:.2f}",
        len(item.duplicates),
        len(item.near),
        sum(item.lossy.values()),
        len(item.suspects),
        len(item.unreadable),
    )
