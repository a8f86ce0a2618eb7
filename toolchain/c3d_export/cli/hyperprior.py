"""`bundle` and `validate` for imported networks, whose transforms are float."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .keys import signed_with
from .lookup import published_file
from .output import note, print_json, print_table

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..deploy.floatreport import ExactnessReport
    from ..deploy.signing import SigningKey
    from ..runtime.bundle import Bundle
    from ..runtime.images import Frame

MAX_CALIBRATION_FRAMES = 4
"""What the ranges of integers are taken from; each takes some seconds."""


def imported_model(workspace: Workspace, name: str) -> Path | None:
    """The file of an imported network of this name, None where there is none."""
    return published_file(workspace, name)


def bundle_imported(
    source: Path,
    path: Path,
    name: str,
    game: str | None,
    licence: str,
    frames: Sequence[Frame],
    integer_synthesis: bool,
    key: SigningKey | None,
) -> dict[str, Any]:
    """Writes the bundle, signed where there is a key, after it opened and gave its known answers;
    what to say of it. Raises OptionError where there are no frames: all of them could not be read.
    """
    from ..core.atomic import write_bytes_atomic
    from ..deploy.families import make_bundle
    from ..deploy.provenance import Provenance, frames_record
    from ..models.saving import load
    from ..runtime.bundle import parse_bundle
    from ..runtime.families import flavours_of, open_family
    from ..runtime.sessions import SessionOptions
    from ..train.service import lineage, make_folder

    saved = load(source)
    few = frames[:: max(1, -(-len(frames) // MAX_CALIBRATION_FRAMES))]
    note(f"integers and tables from {len(few)} frames")
    stages = [
        {key: state[key] for key in ("name", "stage", "source", "steps") if key in state}
        for state in lineage(saved.state)
    ]
    provenance = Provenance(name, game or "", licence, {"stages": stages}, frames_record(few))
    data = make_bundle(saved.network, few, provenance, integer_synthesis=integer_synthesis)
    bundle = parse_bundle(data)
    for flavour in flavours_of(bundle, "cpu"):
        open_family(bundle, SessionOptions(flavour=flavour))
    data = signed_with(key, data)
    make_folder(path.parent)
    write_bytes_atomic(path, data)
    size = {"bundle": str(path), "bytes": len(data)}
    made = {**size, "name": name, "codec_id": bundle.id.hex(), "qualities": bundle.qualities}
    return made | ({"synthesis_psnr": _synthesis_cost(bundle, few)} if integer_synthesis else {})


def _synthesis_cost(bundle: Bundle, frames: Sequence[Frame]) -> float:
    """dB that integer synthesis adds to float synthesis, the mean of some frames."""
    from ..deploy.pixels import psnr_row
    from ..runtime.families import family_codec
    from ..runtime.sessions import SessionOptions

    floating, exact = (
        family_codec(bundle, SessionOptions(flavour=flavour)) for flavour in ("float", "qlinear")
    )
    rows = [psnr_row("", floating, exact, frame) for frame in frames]
    return round(sum(row.integer - row.floating for row in rows) / len(rows), 5)


def validate_bundle(bundle: Bundle, frames: Sequence[tuple[str, Frame]], as_json: bool) -> None:
    """Prints what was compared; raises BitMismatchError where an integer differs."""
    from ..deploy.families import validate_family

    report = validate_family(bundle, frames)
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    report.require_exact()


def _show(report: ExactnessReport) -> None:
    compared = sum(row.compared for row in report.integers)
    verdict = f"{report.differing} of {compared:,} integers differ from PyTorch's"
    rows = [(*key, f"{count:,}", off) for key, (count, off) in _by_way(report).items()]
    print_table(verdict, ("integers", "way", "compared", "differing"), rows)
    floats = [
        (r.subject, r.what, f"{r.largest:.3g}", f"{r.rms:.2g}", f"{r.differing_percent:.3f}")
        for r in report.floats
    ]
    headers = ("float parts, not promised", "what", "largest", "rms", "differing %")
    print_table("difference from PyTorch's float", headers, floats)
    if report.psnr:
        costs = [
            (r.subject, f"{r.floating:.3f}", f"{r.integer:.3f}", f"{r.integer - r.floating:+.4f}")
            for r in report.psnr
        ]
        columns = ("frame", "float dB", "integer dB", "difference")
        print_table("PSNR of float and of integer synthesis", columns, costs)
    click.echo(f"{report.certificates} layers certified again from the bundle's weights")


def _by_way(report: ExactnessReport) -> dict[tuple[str, str], tuple[int, int]]:
    """Graph and way -> values compared and differing, over all frames and outputs."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row in report.integers:
        key = row.part.split(":")[0], row.way
        count, off = sums.get(key, (0, 0))
        sums[key] = count + row.compared, off + row.differing
    return sums
