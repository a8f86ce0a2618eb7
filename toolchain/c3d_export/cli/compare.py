"""`compare`: sample sheets of a codec and others at about the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import MissingInputError, OptionError, PartialFailureError
from .files import make_folder
from .lookup import bundle_path
from .measuring import find_baselines, lower_methods, lower_resolutions
from .numbers import Number
from .output import note, print_json, print_table, progress
from .settings import PATH, device_option, effort_option, find_workspace, shared, threads_option
from .superres_options import superres_options

if TYPE_CHECKING:
    from ..evaluate.equal_bytes import Method
    from ..evaluate.picture import Crop
    from ..evaluate.sample_sheet import Sheet

SUFFIXES = (".png", ".webp")


def parse_crop(_: click.Context, __: click.Parameter, text: str | None) -> Crop | None:
    """X,Y,W,H as a crop; the callback of `--crop`."""
    if text is None:
        return None
    from ..evaluate.picture import Crop

    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        message = f"--crop {text} are not four numbers; write it like 860,0,420,340"
        raise OptionError(message) from error
    return Crop(x, y, width, height)


crop_option = click.option(
    "--crop",
    metavar="X,Y,W,H",
    callback=parse_crop,
    help="Part of the frame that is shown; where the methods differ most by default.",
)


@click.command()
@click.option("--codec", metavar="BUNDLE", help="File or name; the one that is shipped otherwise.")
@click.option(
    "--frame",
    "--frames",
    "sources",
    type=PATH,
    multiple=True,
    required=True,
    metavar="PATH",
    help="An image or a folder of images; several times for several.",
)
@click.option("--quality", type=int, metavar="Q", help="Rate point of ours; the middle otherwise.")
@click.option("--bpp", type=Number(), metavar="B", help="Rate that ours comes nearest to, instead.")
@click.option("--baselines", default="jpeg,webp,avif", show_default=True, metavar="A,B")
@crop_option
@click.option("--actual-size", is_flag=True, help="The crops alone, one pixel for one pixel.")
@click.option(
    "--draw",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="Frames that are drawn, the first ones; the table is of all.",
)
@superres_options
@click.option("--out", required=True, type=PATH, metavar="FILE", help="The picture, a .png.")
@device_option
@threads_option
@effort_option
@shared()
def compare(
    codec: str | None,
    sources: tuple[Path, ...],
    quality: int | None,
    bpp: float | None,
    baselines: str,
    crop: Crop | None,
    actual_size: bool,
    draw: int,
    downscale: tuple[float, ...],
    upscale: tuple[str, ...],
    sr_model: Path | None,
    out: Path,
    device: str,
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Draw frames and what each codec makes of them at equal bytes, and print the means.

    The baselines take their quality that comes nearest to the bytes of ours on each frame.

    \b
    Example: c3d-export compare --codec supertuxkart-small.c3b --frame frame.png --quality 4 --out sheet.png
    """  # noqa: E501
    if quality is not None and bpp is not None:
        raise OptionError("--quality and --bpp exclude one another; give one of them")
    if out.suffix.lower() not in SUFFIXES:
        raise OptionError(f"cannot write {out}: a sheet is a .png (or a lossless .webp)")
    paths = _images(sources)
    from ..evaluate.equal_bytes import Method, means_table
    from ..evaluate.sample_sheet import draw_sheets
    from ..runtime.codec import open_codec
    from ..runtime.images import write_image

    found = find_baselines(baselines)
    opened = open_codec(
        bundle_path(find_workspace(), codec), device, threads=threads, effort=effort
    )
    lower = lower_resolutions(downscale, upscale, sr_model, None, threads)
    others = [Method(item.name, item) for item in found]
    others += lower_methods(opened, found, lower)
    sheets = _compare_all(paths, Method("ours", opened), others, quality, bpp)
    picture = draw_sheets(sheets[:draw], crop, actual_size=actual_size)
    make_folder(out.parent)
    write_image(out, picture)
    table = means_table([sheet.comparison for sheet in sheets])
    if as_json:
        print_json({"picture": str(out), "frames": [_facts(sheet) for sheet in sheets]})
    else:
        title = f"{opened.bundle.name} at about equal bytes, frames: {len(sheets)}"
        print_table(title, table.headers, table.cells)
    note(f"{out} shows {min(draw, len(sheets))} of the {len(sheets)}")
    _require_all(sheets)


def _images(sources: tuple[Path, ...]) -> list[Path]:
    from ..runtime.images import list_images

    paths: list[Path] = []
    for source in sources:
        found = list_images(source) if source.is_dir() else [source]
        if not found:
            raise MissingInputError(f"no images in {source}; name an image or a folder of some")
        paths += found
    return paths


def _compare_all(
    paths: list[Path],
    ours: Method,
    others: list[Method],
    quality: int | None,
    bpp: float | None,
) -> list[Sheet]:
    from ..evaluate.equal_bytes import compare_frame
    from ..evaluate.sample_sheet import Sheet
    from ..runtime.images import read_image

    sheets = []
    with progress("comparing", len(paths)) as advance:
        for index, path in enumerate(paths):
            frame = read_image(path)
            comparison = compare_frame(frame, ours, others, quality=quality, bpp=bpp)
            for name, reason in comparison.missing:
                note(f"{path.name} without {name}: {reason}")
            sheets.append(Sheet(path.name, frame, comparison))
            advance(index + 1, path.name)
    return sheets


def _facts(sheet: Sheet) -> dict[str, object]:
    return {
        "frame": sheet.name,
        "codecs": [
            {
                "name": item.name,
                "quality": item.result.quality,
                "bytes": len(item.result.data),
                "bpp": item.result.bpp,
                "psnr": item.psnr,
                "ms_ssim": item.ms_ssim,
                "encode_ms": item.result.encode_ms,
                "decode_ms": item.result.decode_ms,
            }
            for item in sheet.comparison.scored
        ],
        "missing": [{"name": name, "reason": reason} for name, reason in sheet.comparison.missing],
    }


def _require_all(sheets: list[Sheet]) -> None:
    failed = sum(len(sheet.comparison.missing) for sheet in sheets)
    if failed:
        raise PartialFailureError(
            f"{failed} comparisons failed, the others are done; see the lines above"
        )
