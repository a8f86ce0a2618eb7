"""`report`: what `eval` found, as one page of HTML and as pictures of its plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError
from .compare import crop_option
from .files import make_folder
from .lookup import bundle_path
from .measuring import lower_resolutions
from .output import note, print_json
from .report_viewer import make_viewer
from .settings import PATH, device_option, effort_option, find_workspace, shared, threads_option
from .superres_options import superres_options

if TYPE_CHECKING:
    from ..evaluate.picture import Crop
    from ..report.results import Results
    from ..report.viewer import Viewer


@click.command()
@click.option(
    "--results", "folder", required=True, type=PATH, metavar="DIR", help="What eval --out made."
)
@click.option("--out", type=PATH, metavar="FILE", help="The page; report.html in DIR otherwise.")
@click.option("--plots", type=PATH, metavar="DIR", help="Also each plot there, as PNG and SVG.")
@click.option("--codec", metavar="BUNDLE", help="Of the viewer: the codec that was evaluated.")
@click.option("--data", type=PATH, metavar="DIR", help="Of the viewer: the frames, as for eval.")
@click.option("--baselines", metavar="A,B", help="Of the viewer; those of the results otherwise.")
@click.option("--quality", type=int, metavar="Q", help="Of the viewer; the middle otherwise.")
@click.option(
    "--frame",
    "chosen",
    multiple=True,
    metavar="NAME",
    help="A frame of the viewer, as the results call it; several times for several.",
)
@click.option(
    "--frames",
    "count",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    metavar="N",
    help="How many frames the viewer has where none is named: worst, best, middle.",
)
@crop_option
@superres_options
@device_option
@threads_option
@effort_option
@shared()
def report(
    folder: Path,
    out: Path | None,
    plots: Path | None,
    codec: str | None,
    data: Path | None,
    baselines: str | None,
    quality: int | None,
    chosen: tuple[str, ...],
    count: int,
    crop: Crop | None,
    downscale: tuple[float, ...],
    upscale: tuple[str, ...],
    sr_model: Path | None,
    device: str,
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Make one page of HTML of an evaluation: plots, tables, and a viewer that compares pictures.

    The page needs no network. The viewer needs --codec and --data, and codes its frames anew.

    \b
    Example: c3d-export report --results report/ --codec supertuxkart-small.c3b --data frames/ --plots report/
    """  # noqa: E501
    viewers = bool(chosen or crop or baselines or downscale or quality is not None)
    _check_viewer(codec, data, viewers)
    from ..core.atomic import write_bytes_atomic
    from ..report.page import build_page
    from ..report.results import read_results
    from ..report.viewer import Viewer

    results = read_results(folder)
    viewer = Viewer(absent="The page was made without pictures: name --codec and --data for them.")
    if codec is not None and data is not None:
        viewer = make_viewer(
            results,
            bundle_path(find_workspace(), codec),
            data,
            baselines=baselines,
            quality=quality,
            chosen=chosen,
            count=count,
            crop=crop,
            options=(device, threads, effort),
            lower=lower_resolutions(downscale, upscale, sr_model, None, threads),
        )
    page = build_page(results, viewer)
    target = out or (folder if folder.is_dir() else folder.parent) / "report.html"
    make_folder(target.parent)
    write_bytes_atomic(target, page)
    written = _write_plots(results, plots) if plots else []
    if as_json:
        print_json(_json(target, page, viewer, written))
    note(f"{target}, {len(page) / 1e6:.1f} MB, frames in the viewer: {len(viewer.shots)}")


def _json(target: Path, page: bytes, viewer: Viewer, plots: list[Path]) -> dict[str, Any]:
    return {
        "page": str(target),
        "bytes": len(page),
        "frames": [shot.image for shot in viewer.shots],
        "plots": list(map(str, plots)),
        "notes": list(viewer.notes),
    }


def _check_viewer(codec: str | None, data: Path | None, options: bool) -> None:
    """options: whether there are some that only the viewer has."""
    if (codec is None) != (data is None):
        missing = "--data" if data is None else "--codec"
        raise OptionError(f"the viewer needs --codec and --data; add {missing}")
    if codec is None and options:
        raise OptionError(
            "--frame, --crop, --baselines, --downscale and --quality are the viewer's; add --codec"
            " and --data"
        )


def _write_plots(results: Results, folder: Path) -> list[Path]:
    from ..core.atomic import write_bytes_atomic
    from ..report.chart import draw_chart
    from ..report.curves import charts_of
    from ..report.raster import png_file
    from ..report.svg import svg_file

    make_folder(folder)
    written = []
    for chart in charts_of(results):
        if chart.empty:
            note(f"no plot {chart.key}: nothing for it was measured")
            continue
        scene = draw_chart(chart.title, chart.axes, chart.curves, titled=True)
        for suffix, data in ((".svg", svg_file(scene)), (".png", png_file(scene))):
            path = folder / f"{chart.key}{suffix}"
            write_bytes_atomic(path, data)
            written.append(path)
    return written
