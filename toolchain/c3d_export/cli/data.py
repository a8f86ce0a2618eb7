"""`data`: frames into the workspace, how they are split, and what is there."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError, PartialFailureError
from .capture import capture
from .data_inspect import inspect_
from .data_notes import bar, pairs, say_cut, say_leaks, say_some, waits
from .output import note, print_json, print_table
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..data.importer import ImportResult
    from ..data.resplit import SplitOptions, SplitResult

fractions_option = click.option(
    "--fractions", default="0.8,0.1,0.1", show_default=True, metavar="TRAIN,VAL,TEST"
)


@click.group()
def data() -> None:
    """Capture frames, import them into the workspace, split them anew, or look at them."""


data.add_command(capture)
data.add_command(inspect_)


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
    with bar("frames") as advance:
        result = import_folder(source, root, game, options, waits=waits(game), advance=advance)
    _say_import(result)
    if as_json:
        print_json(_import_json(result))
    if result.skipped:
        raise PartialFailureError(f"{len(result.skipped)} files were skipped; see the lines above")


def _say_import(result: ImportResult) -> None:
    for path, reason in result.skipped:
        note(" ".join(f"skipped {path}: {reason}".splitlines()))
    say_some("left alone, no image", [str(path) for path in result.others])
    say_some("equal pixels", [f"{a} is {b}" for a, b in result.duplicates])
    say_some("near-duplicates left out", [f"{a} is nearly {b}" for a, b in result.near])
    say_some("WARNING: suspects", [f"{path} {text}" for path, text in result.traces])
    for coding, count in result.lossy.items():
        note(
            f"WARNING: frames that lost pixels to {coding}: {count}; a codec that is trained on"
            " them learns the faults, and one that is measured by them is measured wrongly"
        )
    say_leaks(result.leaks)
    counts = f"{result.train} train, {result.validation} validation, {result.test} test"
    note(f"{result.game}: {counts} new, {result.unchanged} were there")
    say_cut(result.cut_scenes)


def _import_json(result: ImportResult) -> dict[str, Any]:
    return {
        "game": result.game,
        "train": result.train,
        "validation": result.validation,
        "test": result.test,
        "linked": result.linked,
        "unchanged": result.unchanged,
        "duplicates": pairs(result.duplicates, "input", "of"),
        "near_duplicates": pairs(result.near, "input", "of"),
        "skipped": pairs(result.skipped, "input", "reason"),
        "others": [str(path) for path in result.others],
        "cut_scenes": list(result.cut_scenes),
        "lossy": dict(result.lossy),
        "suspects": pairs(result.traces, "frame", "reason"),
        "leaks": pairs(result.leaks, "frame", "of"),
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

    A scene is what the names of frames share before their number, or what --by matches; one with a
    comma in its name is given in double quotes ('"a,b",c'). The same command again completes one
    that was killed.

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

    with bar("frames") as advance:
        result = split_game(root, game, options, waits=waits(game), advance=advance)
    say_leaks(result.leaks)
    say_cut(result.cut_scenes)
    note(f"{game}: {result.moved} files moved")
    return result


def _given(validation: str, test: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for split, names in (("validation", validation), ("test", test)):
        for name in filter(None, _scenes(names)):
            if given.setdefault(name, split) != split:
                raise OptionError(f"scene {name} cannot be for validation and for test; choose one")
    return given


def _scenes(text: str) -> list[str]:
    """Raises OptionError."""
    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        message = f"{text!r} are no scenes ({error}); write them with commas between, as a,b"
        raise OptionError(message) from error


def _split_json(result: SplitResult) -> dict[str, Any]:
    scenes = [{"scene": s, "split": split, "frames": count} for s, split, count in result.scenes]
    return {
        "game": result.game,
        "scenes": scenes,
        "moved": result.moved,
        "cut_scenes": list(result.cut_scenes),
        "leaks": pairs(result.leaks, "frame", "of"),
    }


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError as error:
        message = f"--fractions {text} are not three numbers; write them like 0.8,0.1,0.1"
        raise OptionError(message) from error
    return train, validation, test
