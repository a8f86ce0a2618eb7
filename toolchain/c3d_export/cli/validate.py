"""`validate`: every graph, stream and pixel against the integers in PyTorch, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import MissingInputError, MissingModelError
from .lookup import bundle_path, has_network, load_network
from .output import note, print_json, print_table, progress
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..deploy.validate import ValidationReport
    from ..runtime.bundle import Bundle
    from ..runtime.images import Frame

_HEADERS = ("what", "flavour", "configurations", "compared", "differing", "first difference")


@click.command()
@click.argument("target", metavar="MODEL|BUNDLE")
@click.option("--frames", "folder", type=PATH, metavar="DIR", help="Compare on these images too.")
@click.option("--thorough", is_flag=True, help="Every rate point of every frame.")
@shared()
def validate(target: str, folder: Path | None, thorough: bool, as_json: bool) -> None:
    """Compare a bundle, or a model of the workspace, with the integer network, bit for bit.

    Exit code 3 where one bit differs.

    \b
    Example: c3d-export validate supertuxkart-small.c3b --frames frames/ --json
    """
    from ..deploy.validate import validate_bundle

    bundle = _bundle(target)
    frames = _frames(folder, thorough)
    middle = (bundle.qualities + 1) // 2
    qualities = None if thorough else sorted({1, middle, bundle.qualities})
    count = 0
    with progress("validating", _rows(bundle, frames, qualities)) as advance:

        def report(row: Any) -> None:
            nonlocal count
            count += 1
            advance(count, row.what)

        result = validate_bundle(bundle, frames, qualities, report=report)
    _show(bundle.name, result, as_json)
    result.require_exact()


def _rows(bundle: Bundle, frames: list[Frame], qualities: list[int] | None) -> int:
    from ..deploy.validate import CONFIGURATIONS
    from ..runtime.bundle import GRAPHS

    per_frame = len(qualities) if qualities else bundle.qualities
    return len(CONFIGURATIONS) * (len(GRAPHS) + len(frames) * per_frame)


def _bundle(target: str) -> Bundle:
    """A model of the workspace, exported as it would be shipped, or a bundle."""
    from ..core.errors import OptionError
    from ..runtime.bundle import read_bundle

    workspace = find_workspace()
    try:
        if not Path(target).is_file() and has_network(workspace, target):
            return _exported(target)
    except OptionError:  # a path is no name of a model
        pass
    try:
        return read_bundle(bundle_path(workspace, target))
    except MissingInputError as error:
        raise MissingModelError(
            f"no model {target} in {workspace.models} and no bundle of that name or path; make one"
            " with `c3d-export train --model small` or `c3d-export bundle`"
        ) from error


def _exported(name: str) -> Bundle:
    from ..deploy.bundle import Provenance, build_bundle, export_network
    from ..runtime.bundle import parse_bundle

    network = load_network(find_workspace(), name).network
    return parse_bundle(build_bundle(export_network(network), Provenance(name)))


def _frames(folder: Path | None, thorough: bool) -> list[Frame]:
    """The images of a folder, a few without --thorough; the known frame where none is named."""
    from ..core.errors import ImageError
    from ..data.frames import load_frames
    from ..runtime.images import list_images
    from ..runtime.known import known_frame
    from ..train.service import evenly

    if folder is None:
        return [known_frame()]
    paths = list_images(folder)
    frames, skipped = load_frames(paths if thorough else evenly(paths, 2))
    for path, reason in skipped:
        note(f"skipped {path}: {reason}")
    if not frames:
        message = f"no images in {folder}; name a folder of PNG, WebP or JPEG files"
        raise ImageError(message) if skipped else MissingInputError(message)
    return frames


def _show(name: str, report: ValidationReport, as_json: bool) -> None:
    if as_json:
        print_json({"bundle": name, **report.to_json()})
        return
    title = f"{name}: {report.differing} of {report.compared} values differ"
    print_table(title, _HEADERS, _lines(report))


def _lines(report: ValidationReport) -> list[tuple[object, ...]]:
    """A line per graph or frame and flavour; --json has every configuration of its own."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in report.rows:
        groups.setdefault((row.what, row.flavour), []).append(row)
    return [
        (
            *key,
            len(rows),
            sum(row.compared for row in rows),
            sum(row.differing for row in rows),
            next((row.first for row in rows if row.first), ""),
        )
        for key, rows in groups.items()
    ]
