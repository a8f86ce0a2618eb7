"""`data`: frames into the workspace, how they are split, and what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError, PartialFailureError
from .output import note, print_json, print_table, progress
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..data.importer import ImportResult
    from ..data.inspect import FolderSummary, Inspection
    from ..data.resplit import SplitOptions, SplitResult

SHOWN = 5
"""Lines of one kind that are said one by one; `--json` has them all."""

Advance = Callable[[int, int], None]

fractions_option = click.option(
    "--fractions", default="0.8,0.1,0.1", show_default=True, metavar="TRAIN,VAL,TEST"
)


@click.group()
def data() -> None:
    """Import frames into the workspace, split them anew, or look at what is there."""


@data.command("import")
@click.argument("source", type=PATH)
@click.option("--game", required=True, metavar="NAME", help="What the frames are of.")
@fractions_option
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    metavar="K",
    help="Each K-th frame of a video.",
)
@click.option("--lossy", is_flag=True, help="Take JPEG and lossy WebP too, and mark them.")
@click.option("--keep-duplicates", is_flag=True, help="Take near-duplicates within a scene too.")
@shared()
def import_(
    source: Path,
    game: str,
    fractions: str,
    every: int,
    lossy: bool,
    keep_duplicates: bool,
    as_json: bool,
) -> None:
    """Bring lossless frames (PNG, WebP, BMP) or a video into the workspace, split by scene.

    SOURCE is a folder of frames or of clips, or a video. A folder with train/, validation/ or
    test/ keeps its splits. Files that cannot be used are skipped; the exit code is 3 then. The
    same command again goes on where a killed one was.

    \b
    Example: c3d-export data import screenshots/ --game imhotep
    """
    from ..data.importer import ImportOptions, import_folder

    options = ImportOptions(_fractions(fractions), keep_duplicates, lossy, every)
    root = find_workspace().data
    with _bar("frames") as advance:
        result = import_folder(source, root, game, options, waits=_waits(game), advance=advance)
    _say_import(result)
    if as_json:
        print_json(_import_json(result))
    if result.skipped:
        raise PartialFailureError(f"{len(result.skipped)} files were skipped; see the lines above")


def _say_import(result: ImportResult) -> None:
    for path, reason in result.skipped:
        note(f"skipped {path}: {reason}")
    if result.others:
        names = ", ".join(path.name for path in result.others[:SHOWN])
        note(f"left alone, no images: {len(result.others)} files ({names})")
    _say_some("equal pixels", [f"{a} is {b}" for a, b in result.duplicates])
    _say_some("near-duplicates left out", [f"{a} is nearly {b}" for a, b in result.near])
    _say_some("WARNING: suspects", [f"{path} {text}" for path, text in result.traces])
    for coding, count in result.lossy.items():
        note(
            f"WARNING: {count} frames lost pixels to {coding}: a codec that is trained on them"
            " learns the faults, and one that is measured by them is measured wrongly"
        )
    _say_leaks(result.leaks)
    counts = f"{result.train} train, {result.validation} validation, {result.test} test"
    note(f"{result.game}: {counts} new, {result.unchanged} were there")
    if result.cut_scenes:
        note(f"fewer scenes than splits: {', '.join(result.cut_scenes)} is in several")


def _say_some(what: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    for line in lines[:SHOWN]:
        note(f"{what}: {line}")
    if len(lines) > SHOWN:
        note(f"{what}: {len(lines)} in all")


def _say_leaks(leaks: Sequence[tuple[Path, Path]]) -> None:
    _say_some("WARNING: near-duplicates in two splits", [f"{a} and {b}" for a, b in leaks])


def _import_json(result: ImportResult) -> dict[str, Any]:
    return {
        "game": result.game,
        "train": result.train,
        "validation": result.validation,
        "test": result.test,
        "linked": result.linked,
        "unchanged": result.unchanged,
        "duplicates": _pairs(result.duplicates, "input", "of"),
        "near_duplicates": _pairs(result.near, "input", "of"),
        "skipped": _pairs(result.skipped, "input", "reason"),
        "others": [str(path) for path in result.others],
        "cut_scenes": list(result.cut_scenes),
        "lossy": dict(result.lossy),
        "suspects": _pairs(result.traces, "frame", "reason"),
        "leaks": _pairs(result.leaks, "frame", "of"),
    }


@data.command("split")
@click.option("--game", metavar="NAME", help="Only this one; all by default.")
@fractions_option
@click.option("--by", default="", metavar="REGEX", help="What of a file name is its scene.")
@click.option("--validation", default="", metavar="SCENE,...", help="Exactly these scenes.")
@click.option("--test", default="", metavar="SCENE,...", help="Exactly these scenes.")
@click.option("--cut", is_flag=True, help="Cut the largest scene where there are too few.")
@shared()
def split(
    game: str | None,
    fractions: str,
    by: str,
    validation: str,
    test: str,
    cut: bool,
    as_json: bool,
) -> None:
    """Split the workspace's frames anew: whole scenes, the same way each time, by moving files.

    A scene is what the names of frames share before their number, or what --by matches. The same
    command again completes one that was killed.

    \b
    Example: c3d-export data split --game imhotep --test temple,market
    """
    from ..data.frames import games
    from ..data.resplit import SplitOptions

    options = SplitOptions(_fractions(fractions), by, _given(validation, test), cut)
    root = find_workspace().data
    wanted = [game] if game else games(root)
    if not wanted:
        raise OptionError(f"no games in {root}; `c3d-export data import` brings some")
    results = [_split(root, name, options) for name in wanted]
    if as_json:
        print_json([_split_json(result) for result in results])
    else:
        rows = [(r.game, repr(s)[1:-1], split, n) for r in results for s, split, n in r.scenes]
        print_table("scenes", ("game", "scene", "split", "frames"), rows)


def _split(root: Path, game: str, options: SplitOptions) -> SplitResult:
    from ..data.resplit import split_game

    with _bar("frames") as advance:
        result = split_game(root, game, options, waits=_waits(game), advance=advance)
    _say_leaks(result.leaks)
    if result.cut_scenes:
        note(f"fewer scenes than splits: {', '.join(result.cut_scenes)} is in several")
    note(f"{game}: {result.moved} files moved")
    return result


def _given(validation: str, test: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for split, names in (("validation", validation), ("test", test)):
        for name in filter(None, names.split(",")):
            if given.setdefault(name, split) != split:
                raise OptionError(f"scene {name} cannot be for validation and for test; choose one")
    return given


def _split_json(result: SplitResult) -> dict[str, Any]:
    scenes = [{"scene": s, "split": split, "frames": count} for s, split, count in result.scenes]
    return {
        "game": result.game,
        "scenes": scenes,
        "moved": result.moved,
        "cut_scenes": list(result.cut_scenes),
        "leaks": _pairs(result.leaks, "frame", "of"),
    }


def _waits(game: str) -> Callable[[], None]:
    return lambda: note(f"another command works on the frames of {game}; waiting for it")


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    """In percent, since how much there is to do shows only while it is done."""
    with progress(what, 100) as advance:
        yield lambda done, total: advance(100 * done // max(1, total), f"{done} of {total}")


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError as error:
        message = f"--fractions {text} are not three numbers; write them like 0.8,0.1,0.1"
        raise OptionError(message) from error
    return train, validation, test


@data.command("inspect")
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
    with _bar("frames") as advance:
        result = inspect_folder(folder or find_workspace().data, advance)
    bad = [entry for item in result.folders for entry in item.unreadable]
    for path, reason in bad:
        note(f"unreadable {path}: {reason}")
    suspects = [entry for item in result.folders for entry in item.suspects]
    _say_some("WARNING: suspects", [f"{path} {text}" for path, text in suspects])
    _say_leaks(result.leaks)
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
        "duplicates": _pairs(item.duplicates, "frame", "of"),
        "near_duplicates": _pairs(item.near, "frame", "of"),
        "leaks": _pairs([pair for pair in leaks if pair[1].parent == item.path], "of", "frame"),
        "lossy": dict(item.lossy),
        "suspects": _pairs(item.suspects, "frame", "reason"),
        "unreadable": _pairs(item.unreadable, "input", "reason"),
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


def _pairs(found: Sequence[tuple[object, object]], *names: str) -> list[dict[str, str]]:
    return [dict(zip(names, map(str, pair), strict=True)) for pair in found]
