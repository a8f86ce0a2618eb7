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
from c3d_export.evaluate.picture import side_by_side
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.images import Frame, list_images, read_image, write_image

BASELINES = ("jpeg", "webp", "avif")


@dataclass(frozen=True)
class Scored:
    """One frame through one codec, with its quality measured."""

    result: Result
    psnr: float
    ms_ssim: float


def score(frame: Frame, result: Result) -> Scored:
    return Scored(result, psnr(frame, result.frame), ms_ssim(frame, result.frame))


def compare(codec: Codec, frame: Frame, quality: int) -> dict[str, Scored]:
    """Ours and every baseline that this host has, at the bytes that ours needs."""
    measure(codec, frame, quality)  # the first call of a session is slow
    ours = measure(codec, frame, quality)
    scored = {"ours": score(frame, ours)}
    for name in BASELINES:
        try:
            scored[name] = score(frame, at_bpp(get_baseline(name), frame, ours.bpp))
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


def draw(path: Path, frame: Frame, scored: dict[str, Scored]) -> None:
    entries = [
        (f"{name} {s.result.bpp:.3f} bpp {s.psnr:.2f} dB", s.result.frame)
        for name, s in scored.items()
    ]
    write_image(path, side_by_side(frame, entries))


def merge(all_scored: Iterable[dict[str, Scored]]) -> dict[str, list[Scored]]:
    rows: dict[str, list[Scored]] = {}
    for scored in all_scored:
        for name, value in scored.items():
            rows.setdefault(name, []).append(value)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", required=True, type=Path)
    parser.add_argument("--frames", required=True, type=Path)
    parser.add_argument("--quality", type=int, default=4)
    parser.add_argument("--picture", type=Path, required=True)
    options = parser.parse_args()
    codec = open_codec(options.codec)
    frames = [read_image(path) for path in list_images(options.frames)]
    scored = [compare(codec, frame, options.quality) for frame in frames]
    title = f"{codec.bundle.name}, {len(frames)} held-out frames at about equal bytes"
    console = Console()
    console.print(table_of(merge(scored), title))
    draw(options.picture, frames[0], scored[0])
    console.print(f"side by side: {options.picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
