"""`bench`: how long one frame takes here, and where the time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .encode import _SIZE
from .lookup import bundle_path
from .opening import open_allowed
from .output import print_json, print_table, progress
from .settings import (
    PATH,
    device_option,
    find_workspace,
    flavour_option,
    shared,
    threads_option,
)
from .timing import CODER, OTHER, PASSES, Stopwatch

if TYPE_CHECKING:
    from ..runtime.codec import Codec
    from ..runtime.images import Frame

_STAGES = ("g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s", CODER, PASSES, OTHER)
Times = list[dict[str, float]]


@click.command()
@click.option("--codec", metavar="BUNDLE", help="File or name; the one that is shipped otherwise.")
@click.option("--size", default="1280x720", show_default=True, metavar="WxH")
@click.option("--frame", type=PATH, metavar="IMAGE", help="A real frame; else a made-up one.")
@click.option("--quality", type=int, metavar="Q", help="Rate point; the middle one by default.")
@click.option("--repeat", type=click.IntRange(min=1), default=20, show_default=True, metavar="N")
@device_option
@flavour_option
@threads_option
@shared()
def bench(
    codec: str | None,
    size: str,
    frame: Path | None,
    quality: int | None,
    repeat: int,
    device: str,
    flavours: tuple[str, ...],
    threads: int,
    as_json: bool,
) -> None:
    """Time the encoding and decoding of one frame: median and p99 milliseconds, by stage.

    What an encoder codes takes part in the time: name a --frame of the game for real numbers.

    \b
    Example: c3d-export bench --codec supertuxkart-small.c3b --frame frame.png --repeat 50
    """
    pixels = _frame(size, frame)
    opened = open_allowed(bundle_path(find_workspace(), codec), device, flavours, threads)
    stream = opened.encode(pixels, quality)
    opened.decode(stream)
    watch = Stopwatch()
    with progress("timing", 2 * repeat) as advance, watch.watch(opened):
        encoding = _times(watch, repeat, lambda: opened.encode(pixels, quality), advance, 0)
        decoding = _times(watch, repeat, lambda: opened.decode(stream), advance, repeat)
    result = _result(opened, pixels, stream, repeat)
    result |= {"encode": _summary(encoding), "decode": _summary(decoding)}
    _show(result, as_json)


def _frame(size: str, path: Path | None) -> Frame:
    """The image, or the known frame repeated to the size: textures, edges and noise."""
    import numpy as np

    from ..core.errors import OptionError
    from ..core.limits import size_fault
    from ..runtime.images import read_image
    from ..runtime.known import known_frame

    if path is not None:
        return read_image(path)
    match = _SIZE.fullmatch(size)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if fault := size_fault(width, height):
        raise OptionError(f"--size {size} is {fault}; write it like 1280x720")
    tile = known_frame()
    times = -(-height // tile.shape[0]), -(-width // tile.shape[1]), 1
    return np.ascontiguousarray(np.tile(tile, times)[:height, :width])


def _times(
    watch: Stopwatch, repeat: int, call: Callable[[], object], advance: Any, start: int
) -> Times:
    """Milliseconds by stage of each repetition, "total" among them."""
    times = []
    for index in range(repeat):
        watch.take()
        begin = time.perf_counter()
        call()
        total = time.perf_counter() - begin
        stages = watch.take()
        stages |= {OTHER: total - sum(stages.values()), "total": total}
        times.append({stage: 1000.0 * seconds for stage, seconds in stages.items()})
        advance(start + index + 1, "")
    return times


def _summary(times: Times) -> dict[str, Any]:
    totals = [entry["total"] for entry in times]
    median = statistics.median(totals)
    stages = {
        stage: statistics.median(entry[stage] for entry in times)
        for stage in _STAGES
        if stage in times[0]
    }
    return {
        "median_ms": median,
        "p99_ms": _quantile(totals, 0.99),
        "stages": {
            stage: {"median_ms": value, "percent": 100.0 * value / sum(stages.values())}
            for stage, value in stages.items()
        },
    }


def _quantile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 100) // 100) - 1))]


def _result(codec: Codec, frame: Frame, stream: bytes, repeat: int) -> dict[str, Any]:
    height, width = frame.shape[:2]
    return {
        "codec": codec.bundle.name,
        "id": codec.id.hex(),
        "device": codec.sessions.options.device,
        "flavour": codec.sessions.flavour,
        "threads": codec.sessions.options.threads,
        "width": width,
        "height": height,
        "repeat": repeat,
        "bytes": len(stream),
        "bpp": 8 * len(stream) / (width * height),
    }


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    rows = []
    for what in ("encode", "decode"):
        part = result[what]
        total = f"{part['median_ms']:.2f}", f"{part['p99_ms']:.2f}", "100"
        rows.append((what, "total", *total))
        for stage, entry in part["stages"].items():
            cells = f"{entry['median_ms']:.2f}", "", f"{entry['percent']:.1f}"
            rows.append(("", stage, *cells))
    title = f"{result['codec']} on {result['device']} ({result['flavour']}),"
    title += f" {result['width']}x{result['height']}, {result['bpp']:.3f} bpp"
    print_table(title, ("", "stage", "median ms", "p99 ms", "%"), rows)
