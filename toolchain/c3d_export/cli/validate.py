"""`validate`: every graph, stream and pixel against the integers in PyTorch, bit for bit."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import MissingInputError, MissingModelError
from .hyperprior import validate_bundle
from .lookup import bundle_path, has_network, load_network
from .output import note, print_json, print_table, progress
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..deploy.analysis import FloatComparison
    from ..deploy.matrix import NamedFrame, Plan
    from ..deploy.validate import ValidationReport
    from ..models.network import Codec as Network
    from ..runtime.bundle import Bundle

# Frames of a folder that are compared without --thorough.
FEW_FRAMES = 2


@dataclass(frozen=True)
class Target:
    """What is validated. frozen, model: integer and float network of a workspace model."""

    bundle: Bundle
    frozen: Network | None = None
    model: Network | None = None


@click.command()
@click.argument("target", metavar="MODEL|BUNDLE")
@click.option("--frames", "folder", type=PATH, metavar="DIR", help="Compare on these images too.")
@click.option(
    "--thorough", is_flag=True, help="All frames, every rate point, and 1920x1080; some minutes."
)
@click.option(
    "--float", "floats", is_flag=True, help="Measure the float network too (always for a MODEL)."
)
@click.option("--report", "page", type=PATH, metavar="FILE.html", help="Write it as one page.")
@shared()
def validate(
    target: str, folder: Path | None, thorough: bool, floats: bool, page: Path | None, as_json: bool
) -> None:
    """Compare a bundle, or a model of the workspace, with the integer network, bit for bit.

    Every output of every graph, and hyper-latents, latents, stream and pixels of frames, in both
    flavours, at every level of optimisation, with 1, 2 and all threads; the certificates again,
    from the graphs. Exit code 3 where one bit differs; the first node that differs is named.

    \b
    Example: c3d-export validate supertuxkart-small.c3b --frames frames/ --report proof.html
    """
    from ..deploy.matrix import make_plan

    found = _target(target)
    frames = _frames(folder, thorough)
    if found.bundle.family:
        validate_bundle(found.bundle, [(f.name, f.pixels) for f in frames], as_json)
        return
    plan = make_plan(found.bundle, frames, thorough=thorough)
    report = _run(found, plan, frames, floats or found.model is not None)
    if page is not None:
        _write_page(page, report)
    _show(report, as_json)
    report.require_exact()


def _run(
    target: Target, plan: Plan, frames: list[NamedFrame], with_floats: bool
) -> ValidationReport:
    import time

    from ..deploy.validate import count_rows, validate_bundle

    started, count = time.monotonic(), 0
    qualities = sorted({job.quality for job in plan.jobs})
    total = count_rows(plan) + (len(frames) or 1) * len(qualities) * with_floats
    with progress("validating", total) as advance:

        def step(what: object) -> None:
            nonlocal count
            count += 1
            advance(count, str(what))

        report = validate_bundle(target.bundle, plan, network=target.frozen, report=step)
        if with_floats and report.exact:
            measured = _floats(target, frames, qualities, step)
            report = report.with_floats(measured, time.monotonic() - started)
    return report


def _floats(
    target: Target, frames: list[NamedFrame], qualities: list[int], step: Callable[[str], None]
) -> FloatComparison:
    from ..deploy.analysis import compare_with_float
    from ..deploy.matrix import small_frames
    from ..deploy.restore import frozen_from_bundle, trainable_from_bundle

    return compare_with_float(
        target.model or trainable_from_bundle(target.bundle),
        target.frozen or frozen_from_bundle(target.bundle),
        target.bundle,
        frames or small_frames()[-1:],
        qualities,
        trained=target.model is not None,
        report=step,
    )


def _target(target: str) -> Target:
    """A model of the workspace, exported as it would be shipped, or a bundle."""
    from ..core.errors import OptionError
    from ..runtime.policy import read_admitted

    workspace = find_workspace()
    try:
        is_model = not Path(target).is_file() and has_network(workspace, target)
    except OptionError:  # a path is no name of a model
        is_model = False
    if is_model:
        return _exported(target)
    try:
        return Target(read_admitted(bundle_path(workspace, target)))
    except MissingInputError as error:
        raise MissingModelError(
            f"no model {target} in {workspace.models} and no bundle of that name or path; make one"
            " with `c3d-export train --model small` or `c3d-export bundle`"
        ) from error


def _exported(name: str) -> Target:
    from ..deploy.bundle import Provenance, build_bundle, export_network
    from ..runtime.bundle import parse_bundle

    network = load_network(find_workspace(), name).network
    exported = export_network(network)
    bundle = parse_bundle(build_bundle(exported, Provenance(name)))
    return Target(bundle, exported.frozen, network)


def _frames(folder: Path | None, thorough: bool) -> list[NamedFrame]:
    """The images of a folder, a few without --thorough."""
    from ..core.errors import ImageError
    from ..deploy.matrix import NamedFrame
    from ..runtime.images import list_images, read_image
    from ..train.service import evenly

    if folder is None:
        return []
    paths = list_images(folder)
    frames, skipped = [], 0
    for path in paths if thorough else evenly(paths, FEW_FRAMES):
        try:
            frames.append(NamedFrame(path.name, read_image(path)))
        except (ImageError, MissingInputError) as error:
            note(f"skipped {path}: {error}")
            skipped += 1
    if not frames:
        message = f"no images in {folder}; name a folder of PNG, WebP or JPEG files"
        raise ImageError(message) if skipped else MissingInputError(message)
    return frames


def environment() -> dict[str, str]:
    """The versions that the numbers hang on, the providers and the processor."""
    from importlib import metadata

    from .. import __version__
    from ..runtime.sessions import import_runtime
    from .host_facts import cpu_features

    runtime = import_runtime()
    versions = {name: metadata.version(name) for name in ("numpy", "torch", "onnx")}
    return {
        "c3d-export": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "onnxruntime": f"{runtime.__version__}, {', '.join(runtime.get_available_providers())}",
        **versions,
        "cpu": cpu_features(Path("/proc/cpuinfo")),
    }


def _write_page(path: Path, report: ValidationReport) -> None:
    from ..core.atomic import write_bytes_atomic
    from ..deploy.validation_report import report_html

    write_bytes_atomic(path, report_html(report, environment()))
    note(f"{path}: written")


def _show(report: ValidationReport, as_json: bool) -> None:
    from ..deploy import validation_report as view

    if as_json:
        print_json({**report.to_json(), "environment": environment()})
        return
    print_table(view.verdict(report), view.HEADERS, [line.cells for line in view.summary(report)])
    if report.rows:
        click.echo(view.ways_line(report))
    click.echo(view.certificate_line(report))
    if report.divergence is not None:
        click.echo(f"first divergence: {report.divergence}")
    if report.floats is not None:
        print_table(view.float_line(report.floats), view.FLOAT_HEADERS,
                    view.float_cells(report.floats))  # fmt: skip
        print_table("|integer - float| of the latents y, in units of v", view.ANALYSIS_HEADERS,
                    view.analysis_cells(report.floats))  # fmt: skip
