"""`export` and `bundle`: from a trained network to graphs, and to the file that hosts open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core import jsonio
from ..core.errors import OptionError
from .hyperprior import bundle_imported, imported_model
from .keys import signed_with, signing_key
from .lookup import find_network, model_name
from .output import note, print_json, progress
from .overlay import find_overlay
from .packaging import Deployment, deployment_options
from .settings import PATH, find_workspace, force_option, model_option, shared

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..deploy.bundle import Export, Provenance
    from ..deploy.signing import SigningKey
    from ..overlay.pack import LearntOverlay
    from ..runtime.images import Frame
    from ..train.service import SavedModel

# What `calibrate` counts settles within some frames; each is coded at every rate point.
MAX_CALIBRATION_FRAMES = 12

BUNDLE_BYTES = 4_000_000
"""What an overlay must not make a bundle exceed, so that it stays small to fetch."""
ANSWERS_BYTES = 8_000
"""Of the known answers, and of tables that are fitted."""
OVERLAY_BYTES = 120_000
_OVERLAY_HELP = "Most for what the game draws at the same place always; 0 for none."
_FRAMES_DEFAULT = "licence of the training frames, for the model card"


@click.command()
@model_option
@click.option("--game", metavar="NAME", help="The game; the generic network without it.")
@click.option("-o", "--out", type=PATH, help="Folder [workspace/exports/NAME].")
@shared()
def export(size: str, game: str | None, out: Path | None, as_json: bool) -> None:
    """Write the twelve ONNX graphs of a network, and the certificates that they are exact.

    \b
    Example: c3d-export export --model small --game supertuxkart -o graphs
    """
    from ..core.folders import write_folder_atomic
    from ..deploy.bundle import export_network

    workspace, name = find_workspace(), model_name(game, size)
    origin, source = find_network(workspace, size, game)
    exported = export_network(source.network)
    folder = out or workspace.root / "exports" / name
    files = graph_files(exported)
    files["certificates.json"] = jsonio.dumps(exported.certificates)
    write_folder_atomic(folder, files)
    note(f"{folder}: {len(files)} files, from {origin}")
    if as_json:
        sizes = {file: len(data) for file, data in files.items()}
        print_json({"model": name, "folder": str(folder), "files": sizes})


def graph_files(exported: Export) -> dict[str, bytes]:
    """File name -> a complete ONNX model: the nodes of a flavour and the shared weights."""
    from ..runtime.bundle import FLAVOURS, GRAPHS

    return {
        f"{graph}.{flavour}.onnx": exported.graphs[f"graphs/{graph}.{flavour}"]
        + exported.graphs[f"graphs/{graph}.weights"]
        for graph in GRAPHS
        for flavour in FLAVOURS
    }


@click.command()
@model_option
@click.option("--game", metavar="NAME", help="The game; the generic network without it.")
@click.option("-o", "--out", type=PATH, help="File [workspace/bundles/NAME.c3b].")
@deployment_options("--package")
@click.option(
    "--overlay-bytes",
    type=click.IntRange(0),
    default=OVERLAY_BYTES,
    metavar="N",
    show_default=True,
    help=_OVERLAY_HELP,
)
@click.option(
    "--float-synthesis",
    is_flag=True,
    help="Published models: leave integer synthesis out, which gives exact pixels on CPUs.",
)
@click.option("--licence", default="unknown", metavar="TEXT", help=_FRAMES_DEFAULT)
@click.option("--sign", type=PATH, metavar="KEY", help="Sign it with this .key file of keygen.")
@force_option
@shared()
def bundle(
    size: str,
    game: str | None,
    out: Path | None,
    overlay_bytes: int,
    float_synthesis: bool,
    licence: str,
    sign: Path | None,
    force: bool,
    as_json: bool,
    deployment: Deployment,
) -> None:
    """Make the bundle of a network: graphs, tables fitted to frames, known answers, model card.

    A game's bundle has its overlay too: counters, panels and the like, see `c3d-export overlay`.
    An imported network (`c3d-export import ... -o NAME`) is bundled with --model NAME. What is
    deployed from a bundle (--package, --wheel, --triton) can be made later as well, by
    `c3d-export package`.

    \b
    Example: c3d-export bundle --model small --game supertuxkart -o supertuxkart-small.c3b
    """
    from ..core.atomic import remove_litter

    workspace = find_workspace()
    imported = imported_model(workspace, size)
    # A trained network of a published family has its game in its name already.
    named = imported is not None and (game is None or size.startswith(f"{game}-"))
    name = size if named else model_name(game, size)
    path = out or workspace.bundles / f"{name}.c3b"
    if path.exists() and not force:
        raise OptionError(f"{path} exists; add --force to replace it, or choose another -o")
    # Before the work: a passphrase that is wrong is said at once.
    key = None if sign is None else signing_key(sign)
    remove_litter(path.parent, path.name)
    frames = calibration_frames(workspace, game)
    if imported is not None:
        synthesis = not float_synthesis
        made = bundle_imported(imported, path, name, game, licence, frames, synthesis, key)
        _tell(made | deployment.make([path]), as_json)
        return
    if float_synthesis:
        raise OptionError("--float-synthesis is for published models; leave it out")
    origin, source = find_network(workspace, size, game)
    note(f"from {origin}, tables from {len(frames)} frames")
    learnt = find_overlay(workspace, game) if overlay_bytes and game else None
    provenance = _provenance(name, game, licence, source, frames)
    data = make_bundle(source, provenance, frames, learnt, overlay_bytes)
    data = _write_checked(path, data, key)
    result = {"bundle": str(path), "bytes": len(data), **_identity(path)}
    _tell(result | deployment.make([path]), as_json)


def _tell(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        note("  ".join(f"{key} {value}" for key, value in result.items()))


def make_bundle(
    source: SavedModel,
    provenance: Provenance,
    frames: list[Frame],
    overlay: LearntOverlay | None = None,
    overlay_bytes: int = OVERLAY_BYTES,
) -> bytes:
    """The bytes of a bundle whose tables are fitted to these frames (none: to Gaussians).

    overlay: the part of it that is worth most within overlay_bytes, and within what the network
    leaves of BUNDLE_BYTES.
    """
    from ..deploy.bundle import build_bundle, calibrate, export_network

    exported = export_network(source.network)
    if overlay is not None:
        left = BUNDLE_BYTES - ANSWERS_BYTES - len(exported.bundle(provenance, []))
        most = overlay.within(min(left, overlay_bytes), exported.bank)
        exported = replace(exported, overlay=most)
    if frames:
        with progress("tables", len(frames)) as advance:
            exported = calibrate(exported, _watched(frames, advance))
    return build_bundle(exported, provenance)


def _watched(frames: list[Frame], advance: Any) -> Any:
    for index, frame in enumerate(frames):
        advance(index, "")
        yield frame


def calibration_frames(workspace: Workspace, game: str | None) -> list[Frame]:
    """At most MAX_CALIBRATION_FRAMES training frames, the same number of every game.

    Raises MissingDataError where the game has none.
    """
    from ..core.errors import MissingDataError
    from ..data.frames import load_frames
    from ..data.locate import data_roots, locate_game, located_games
    from ..train.service import evenly

    roots = data_roots(workspace)
    names = [game] if game else located_games(roots)
    if not names:
        places = " and ".join(map(str, roots))
        raise MissingDataError(
            f"no frames to fit the tables to: looked in {places} for train/<game>-<height>p/;"
            " make them with `c3d-export data import FOLDER --game NAME`"
        )
    share = max(1, MAX_CALIBRATION_FRAMES // len(names))
    paths = [p for name in names for p in evenly(locate_game(roots, name, "train"), share)]
    frames, skipped = load_frames(paths)
    for path, reason in skipped:
        note(f"skipped {path}: {reason}")
    return frames


def _provenance(
    name: str, game: str | None, licence: str, source: SavedModel, frames: list[Frame]
) -> Provenance:
    from ..deploy.provenance import Provenance, frames_record
    from ..train.service import lineage

    stages = [_brief(state) for state in lineage(source.state)]
    return Provenance(name, game or "", licence, {"stages": stages}, frames_record(frames))


def _brief(state: dict[str, Any]) -> dict[str, Any]:
    """What a bundle says of one stage: no curves and no lists of channels."""
    kept = ("name", "stage", "command", "seed", "frames", "steps", "codec_id")
    brief = {key: state[key] for key in kept if key in state}
    if "pruning" in state:
        brief["pruned_share"] = state["pruning"]["ratio"]
    return brief


def _write_checked(path: Path, data: bytes, key: SigningKey | None) -> bytes:
    """Writes a bundle, signed where there is a key, only after it opened and gave its own known
    answers here; what was written."""
    from ..core.atomic import write_bytes_atomic
    from ..runtime.bundle import parse_bundle
    from ..runtime.codec import Codec
    from ..runtime.known import check_known_answers
    from ..train.service import make_folder

    check_known_answers(Codec(parse_bundle(data)))
    data = signed_with(key, data)
    make_folder(path.parent)
    write_bytes_atomic(path, data)
    return data


def _identity(path: Path) -> dict[str, Any]:
    from ..runtime.bundle import read_bundle

    opened = read_bundle(path)
    return {"name": opened.name, "codec_id": opened.id.hex(), "qualities": opened.qualities}
