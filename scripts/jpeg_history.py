"""How well `data import` tells frames that were coded with loss before: the table of docs/data.md.

scripts/jpeg_history.py FRAMES [--every 3]      # FRAMES/{train,validation}/<game>-<height>p/*

Every frame is looked at as it is, and with its first 5 rows and 3 columns cut off; each so
many-th also after a coding and the same cut, as a tool that crops and writes PNG would leave it.
Prints, for each coding, how many were found and the share of the places that agree on a grid.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "toolchain"))

from c3d_export.data.frames import game_folders
from c3d_export.data.history import grid_trace
from c3d_export.data.parallel import in_order
from c3d_export.runtime.images import Frame, list_images, read_image

Coding = Callable[[Frame], Frame]


def still(kind: str, **options: object) -> Coding:
    """A frame through an image codec of Pillow."""

    def through(frame: Frame) -> Frame:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, kind, **options)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return through


def scaled(factor: float, first: Coding, frame: Frame) -> Frame:
    image = Image.fromarray(first(frame))
    size = (round(image.width * factor), round(image.height * factor))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def video(encoder: str, colours: str, options: dict[str, str], frame: Frame) -> Frame:
    """The sixth frame of a video in which the picture moves by three pixels a frame."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream(encoder, rate=30, options=options)
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = colours
        for index in range(6):
            moved = np.ascontiguousarray(np.roll(frame, 3 * index, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as container:
        *_, last = container.decode(video=0)
        return last.to_ndarray(format="rgb24")


def codings() -> dict[str, Coding]:
    found: dict[str, Coding] = {}
    for quality in (50, 75, 90, 95, 98):
        for name, subsampling in (("4:2:0", 2), ("4:4:4", 0)):
            coding = still("JPEG", quality=quality, subsampling=subsampling)
            found[f"JPEG {quality}, {name}"] = coding
    found |= {f"JPEG {q}, 4:4:4": still("JPEG", quality=q, subsampling=0) for q in (99, 100)}
    jpeg = still("JPEG", quality=75)
    found |= {f"JPEG 75, then scaled by {by}": partial(scaled, by, jpeg) for by in (0.75, 2)}
    found |= {f"WebP {q}": still("WEBP", quality=q) for q in (75, 90, 98)}
    found |= {f"AVIF {q}, 4:2:0": still("AVIF", quality=q, speed=9) for q in (60, 90)}
    for crf, colours in (("18", "yuv420p"), ("23", "yuv420p"), ("18", "yuv444p")):
        name = f"x264, CRF {crf}, {'4:2:0' if '420' in colours else '4:4:4'}"
        found[name] = partial(video, "libx264", colours, {"crf": crf, "preset": "medium"})
    return found


def row(name: str, coding: Coding, paths: list[Path], *, cut: bool) -> None:
    def look(path: Path) -> tuple[int, float, float]:
        frame = coding(read_image(path))
        frame = frame[5:, 3:] if cut else frame
        start = time.thread_time()
        trace = grid_trace(frame)
        return trace.step, trace.share, time.thread_time() - start

    steps, shares, seconds = zip(*in_order(look, paths), strict=True)
    cells = (
        name,
        len(paths),
        sum(step == 8 for step in steps),
        sum(step == 4 for step in steps),
        f"{100 * sum(map(bool, steps)) / len(steps):.0f} %",
        f"{min(shares):.2f}",
        f"{statistics.median(shares):.2f}",
        f"{max(shares):.2f}",
        f"{1000 * statistics.median(seconds):.0f}",
    )
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", type=Path)
    parser.add_argument("--every", type=int, default=3, help="each so many-th for the codings")
    options = parser.parse_args()
    roots = [options.frames / split for split in ("train", "validation")]
    paths = [p for root in roots for _, _, f in game_folders(root) for p in list_images(f)]
    print("| frames | number | 8x8 | 4x4 | found | share min | median | max | ms |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for name, cut in (("as drawn", False), ("as drawn, cut", True)):
        row(name, lambda frame: frame, paths, cut=cut)
    for name, coding in codings().items():
        row(name, coding, paths[:: options.every], cut=True)


if __name__ == "__main__":
    main()
