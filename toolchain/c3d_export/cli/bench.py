"""`bench`: how long frames take here, and where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .lookup import bundle_path
from .measuring import find_baselines
from .numbers import Number
from .opening import open_allowed
from .output import note, print_json, print_table, progress
from .settings import (
    PATH,
    device_option,
    effort_option,
    find_workspace,
    flavour_option,
    shared,
    threads_option,
)

if TYPE_CHECKING:
    from ..evaluate.speed import SpeedRow, Timing
    from ..runtime.codec import Codec
    from ..runtime.images import Frame


@click.command()
@click.option(
    "--codec",
    "codecs",
    multiple=True,
    metavar="BUNDLE",
    help="File or name, also several times; the one that is shipped otherwise.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="WxH",
    help="Also 360p, 720p, 1080p, 4k, and several times [that of --frame, else 720p].",
)
@click.option("--frame", type=PATH, metavar="IMAGE", help="A real frame; else a made-up one.")
@click.option("--quality", type=int, metavar="Q", help="Rate point; the middle one by default.")
@click.option("--repeat", type=click.IntRange(min=1), default=20, show_default=True, metavar="N")
@click.option("--stream", "streams", is_flag=True, help="Frames a second in a stream of them too.")
@click.option(
    "--baselines", default="", metavar="A,B", help="Such as jpeg,jxl-3,x264-medium: equal rate."
)
@click.option("--budget", type=Number(min=0.1), metavar="MS", help="What fits into it?")
@click.option("--chart", type=PATH, metavar="FILE.png", help="The stages as a picture.")
@device_option
@flavour_option
@threads_option
@effort_option
@shared()
def bench(
    codecs: tuple[str, ...],
    sizes: tuple[str, ...],
    frame: Path | None,
    quality: int | None,
    repeat: int,
    streams: bool,
    baselines: str,
    budget: float | None,
    chart: Path | None,
    device: str,
    flavours: tuple[str, ...],
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Time the encoding and decoding of frames: median and p99 milliseconds, by stage.

    What an encoder codes takes part in the time: name a --frame of the game for real numbers.
    Other sizes are cut from it, or mirror it at its edges.

    \b
    Example: c3d-export bench --codec supertuxkart-small.c3b --frame frame.png --size 720p --size 1080p --stream
    """  # noqa: E501
    from ..core.atomic import write_bytes_atomic
    from ..evaluate.speed import keep_freed_memory, time_baseline, time_codec, time_streams
    from ..evaluate.stage_chart import stage_chart

    keep_freed_memory()
    pixels, others = _frames(sizes, frame), find_baselines(baselines)
    names = codecs or (None,)
    opened = [
        open_allowed(bundle_path(find_workspace(), name), device, flavours, threads, effort)
        for name in names
    ]
    rows, rivals = [], []
    with progress("timing", 2 * repeat * len(opened) * len(pixels)) as advance:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            advance(done, "")

        for each in pixels:
            for codec in opened:
                row = time_codec(codec, each, quality, repeat, count)
                rows.append(time_streams(codec, each, quality, row) if streams else row)
            rivals += [time_baseline(other, each, rows[-1].bpp, repeat) for other in others]
    if chart is not None:
        write_bytes_atomic(chart, stage_chart(rows))
    _show(_facts(opened[0], repeat), rows, rivals, budget, as_json)


def _frames(sizes: tuple[str, ...], path: Path | None) -> list[Frame]:
    """The image, or the known frame repeated (textures, edges and noise), at each size."""
    from ..core.sizes import parse_size
    from ..evaluate.speed import at_size
    from ..runtime.images import read_image
    from ..runtime.known import known_frame

    wanted = [parse_size(size) for size in sizes]
    source = known_frame() if path is None else read_image(path)
    if not wanted:
        wanted = [parse_size("720p") if path is None else (source.shape[1], source.shape[0])]
    return [at_size(source, *size) for size in wanted]


def _facts(codec: Codec, repeat: int) -> dict[str, Any]:
    return {
        "device": codec.sessions.options.device,
        "flavour": codec.sessions.flavour,
        "threads": codec.sessions.options.threads,
        "repeat": repeat,
    }


def _show(
    facts: dict[str, Any],
    rows: list[SpeedRow],
    rivals: list[SpeedRow],
    budget: float | None,
    as_json: bool,
) -> None:
    if as_json:
        answer = {} if budget is None else {"budget_ms": budget, "fits": _fitting(rows, budget)}
        sizes = {
            "rows": [_json(row) for row in rows],
            "baselines": [_json(row) for row in rivals],
        }
        print_json({**facts, **sizes, **answer})
        return
    for row in rows:
        _show_stages(facts, row)
    if len(rows) + len(rivals) > 1 or rows[0].encode_fps:
        _show_sizes(rows, rivals)
    if budget is not None:
        fitting = ", ".join(_fitting(rows, budget)) or "nothing that was tried"
        note(f"within {budget:g} ms each way (p99): {fitting}")


def _json(row: SpeedRow) -> dict[str, Any]:
    told = row.to_json()
    for way, timing in (("encode", row.encode), ("decode", row.decode)):
        told[way]["percent"] = timing.percent
    return told


def _fitting(rows: list[SpeedRow], budget: float) -> list[str]:
    return [f"{row.codec} at {row.width}x{row.height}" for row in rows if row.fits(budget)]


def _show_stages(facts: dict[str, Any], row: SpeedRow) -> None:
    rows: list[tuple[str, ...]] = []
    for way, timing in (("encode", row.encode), ("decode", row.decode)):
        rows.append((way, "total", f"{timing.median_ms:.2f}", f"{timing.p99_ms:.2f}", "100"))
        rows += _stages(timing)
    title = f"{row.codec} on {facts['device']} ({facts['flavour']}),"
    title += f" {row.width}x{row.height}, {row.bpp:.3f} bpp"
    print_table(title, ("", "stage", "median ms", "p99 ms", "%"), rows)


def _stages(timing: Timing) -> list[tuple[str, ...]]:
    return [
        ("", stage, f"{timing.stages[stage]:.2f}", "", f"{percent:.1f}")
        for stage, percent in timing.percent.items()
    ]


def _show_sizes(rows: list[SpeedRow], rivals: list[SpeedRow]) -> None:
    """All rows, and how long the others take in units of the first codec at that size."""
    table = []
    for row in [*rows, *rivals]:
        first = next(r for r in rows if (r.width, r.height) == (row.width, row.height))
        pixels = row.width * row.height
        table.append(
            (
                f"{row.codec} {row.width}x{row.height}",
                f"{row.bpp:.3f}",
                f"{row.encode.median_ms:.1f}",
                f"{row.decode.median_ms:.1f}",
                f"{1e6 * row.encode.median_ms / pixels:.1f}",
                f"{1e6 * row.decode.median_ms / pixels:.1f}",
                f"{row.encode.median_ms / first.encode.median_ms:.2f}",
                f"{row.decode.median_ms / first.decode.median_ms:.2f}",
                f"{row.encode_fps:.0f}" if row.encode_fps else "",
                f"{row.decode_fps:.0f}" if row.decode_fps else "",
                f"{row.resident_mb:.0f}" if row.resident_mb else "",
            )
        )
    ways = ("encode", "decode")
    headers = ("codec", "bpp", *(f"{way} ms" for way in ways), *(f"{w} ns/px" for w in ways))
    headers += (*(f"x {way}" for way in ways), *(f"{way} fps" for way in ways), "MB")
    print_table("sizes and rates; x: time over the first codec's", headers, table)
