"""One table and one picture: a bundle beside ordinary codecs at about the same bytes."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from c3d_export import open_codec
from c3d_export.core.errors import C3DError
from c3d_export.evaluate.baselines import at_bpp, get_baseline
from c3d_export.evaluate.measure import Result, measure
from c3d_export.evaluate.metrics import ms_ssim, psnr
from c3d_export.evaluate.picture import Crop, side_by_side
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.images import Frame, list_images, read_image, write_image

BASELINES = "jpeg,webp,avif"
LABELS = {
    "ours": "this codec",
    "avif": "AVIF 4:4:4",
    "avif420-fast": "AVIF 4:2:0",
    "jpeg": "JPEG 4:2:0",
    "jpeg444": "JPEG 4:4:4",
    "webp": "WebP",
}
# Qualities are whole numbers: the nearest of them is the fairest.
TOLERANCE = 0.002


@dataclass(frozen=True)
class Scored:
    """One frame through one codec, with its quality measured."""

    result: Result
    psnr: float
    ms_ssim: float


def score(frame: Frame, result: Result) -> Scored:
    return Scored(result, psnr(frame, result.frame), ms_ssim(frame, result.frame))


def compare(
    codec: Codec, frame: Frame, quality: int, baselines: Iterable[str]
) -> dict[str, Scored]:
    """Ours and every baseline that this host has, at the bytes that ours needs."""
    measure(codec, frame, quality)  # the first call of a session is slow
    ours = measure(codec, frame, quality)
    scored = {"ours": score(frame, ours)}
    for name in baselines:
        try:
            result = at_bpp(get_baseline(name), frame, ours.bpp, TOLERANCE)
            scored[name] = score(frame, result)
        except C3DError as error:
            Console(stderr=True).print(f"{name} is left out: {error}")
    return scored


def table_of(rows: dict[str, list[Scored]], title: str) -> Table:
    table = Table(title=title)
    for heading in ("codec", "bpp", "PSNR dB", "MS-SSIM", "encode ms", "decode ms"):
        table.add_column(heading, justify="left" if heading == "codec" else "right")
    for name, scored in rows.items():
        results = [s.result for s in scored]
        table.add_row(
            name,
            f"{statistics.fmean(r.bpp for r in results):.3f}",
            f"{statistics.fmean(s.psnr for s in scored):.2f}",
            f"{statistics.fmean(s.ms_ssim for s in scored):.4f}",
            f"{statistics.median(r.encode_ms for r in results):.0f}",
            f"{statistics.median(r.decode_ms for r in results):.0f}",
        )
    return table


def caption(name: str, scored: Scored) -> str:
    result = scored.result
    size = f"{len(result.data):,} bytes, {result.bpp:.3f} bpp"
    return f"{LABELS.get(name, name)}: {size}, {scored.psnr:.2f} dB"


def draw(path: Path, frame: Frame, scored: dict[str, Scored], crop: Crop | None) -> None:
    """The picture; with a crop the crops alone, in their own size."""
    entries = [(caption(name, s), s.result.frame) for name, s in scored.items()]
    write_image(path, side_by_side(frame, entries, crop, actual_size=crop is not None))


def parse_crop(text: str) -> Crop:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        message = f"{text} are not four numbers; write it like 860,0,420,340"
        raise argparse.ArgumentTypeError(message) from error
    return Crop(x, y, width, height)


def merge(all_scored: Iterable[dict[str, Scored]]) -> dict[str, list[Scored]]:
    rows: dict[str, list[Scored]] = {}
    for scored in all_scored:
        for name, value in scored.items():
            rows.setdefault(name, []).append(value)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", required=True, type=Path)
    parser.add_argument("--frames", required=True, type=Path, help="a folder, or one image")
    parser.add_argument("--quality", type=int, default=4)
    parser.add_argument("--baselines", default=BASELINES, metavar="A,B")
    parser.add_argument("--picture", type=Path, required=True, help="of the first frame")
    parser.add_argument("--crop", type=parse_crop, metavar="X,Y,W,H", help="this part alone, 1:1")
    options = parser.parse_args()
    codec = open_codec(options.codec)
    paths = list_images(options.frames) if options.frames.is_dir() else [options.frames]
    frames = [read_image(path) for path in paths]
    baselines = options.baselines.split(",")
    scored = [compare(codec, frame, options.quality, baselines) for frame in frames]
    title = f"{codec.bundle.name}, {len(frames)} held-out frames at about equal bytes"
    console = Console()
    console.print(table_of(merge(scored), title))
    draw(options.picture, frames[0], scored[0], options.crop)
    console.print(f"side by side: {options.picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
