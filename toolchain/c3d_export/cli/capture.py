"""`data capture`: the frames of a program that runs."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import OptionError
from .numbers import Number
from .output import note, print_json, stderr_console
from .settings import PATH, shared

if TYPE_CHECKING:
    from ..data.capture.options import Options
    from ..data.capture.summary import Status, Summary

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_DISPLAY = re.compile(r"new|[A-Za-z0-9.-]*:[0-9]+(\.[0-9]+)?")


@click.command()
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option("-o", "--out", "folder", type=PATH, required=True, help="Folder of the frames.")
@click.option("--scene", metavar="NAME", help="Begins the files' names; the program's without one.")
@click.option(
    "--count",
    type=click.IntRange(1, 1_000_000),
    default=50,
    show_default=True,
    metavar="N",
    help="Frames to take; then the program is ended.",
)
@click.option(
    "--fps",
    type=Number(0, 1000, min_open=True),
    default=1.0,
    show_default=True,
    metavar="F",
    help="Frames a second that are looked at.",
)
@click.option(
    "--every",
    type=click.IntRange(1, 1_000_000),
    metavar="K",
    help="Look at each K-th frame instead.",
)
@click.option(
    "--warmup",
    type=Number(0, 86_400),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Take nothing for so long after the first frame.",
)
@click.option(
    "--warmup-frames",
    type=click.IntRange(0, 1_000_000_000),
    default=0,
    metavar="N",
    help="Take none of the first N frames.",
)
@click.option(
    "--min-change",
    type=Number(0, 255),
    default=2.0,
    show_default=True,
    metavar="LEVELS",
    help="Drop frames that differ less from the last kept one, in mean grey levels.",
)
@click.option(
    "--format", "suffix", type=click.Choice(["webp", "png"]), default="webp", show_default=True
)
@click.option(
    "--skip-drawing",
    is_flag=True,
    help="With --every: have OpenGL drop what is drawn between. Speeds slow programs up.",
)
@click.option("--headless", is_flag=True, help="On a display of its own (Xvfb), in software.")
@click.option("--size", default="1280x720", show_default=True, metavar="WxH", help="Of that one.")
@click.option("--display", metavar=":N|new", help="Take the picture of an X display, by ffmpeg.")
@click.option(
    "--timeout",
    type=Number(0, 864_000, min_open=True),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="End it after so long, whatever was taken.",
)
@click.option("--keep-running", is_flag=True, help="Wait for the program when all is taken.")
@click.option("--log", type=PATH, metavar="FILE", help="What the program prints.")
@shared(workspace=False)
def capture(
    command: tuple[str, ...],
    folder: Path,
    scene: str | None,
    count: int,
    fps: float,
    every: int | None,
    warmup: float,
    warmup_frames: int,
    min_change: float,
    suffix: str,
    skip_drawing: bool,
    headless: bool,
    size: str,
    display: str | None,
    timeout: float,
    keep_running: bool,
    log: Path | None,
    as_json: bool,
) -> int:
    """Run an OpenGL program as it is, and save frames of it without loss.

    Frames go to OUT/SCENE_NNN.webp, and more captures may go into the same folder. Where there is
    no display, or with --headless, the program gets one of its own. The exit code is 0 when we
    ended the program, else its own.

    \b
    Example: c3d-export data capture -o frames --count 50 -- glxgears -info
    """
    from ..data.capture.options import Options, Pace, Place, Target
    from ..data.capture.session import capture as run

    options = Options(
        command,
        Target(folder, scene or _scene_of(command), count, min_change, suffix),
        Pace(fps, every or 0, warmup, warmup_frames, skip_drawing),
        Place(headless, _size(size), _display(display)),
        timeout,
        keep_running,
        log,
    )
    with _live(options) as watch:
        summary = run(options, os.environ, watch)
    _tell(summary, as_json)
    return summary.exit_code


def _scene_of(command: tuple[str, ...]) -> str:
    """A name from the program's; data inspect and import take digits at its end for a number."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(command[0]).stem) if command else "display"
    return name.strip("-._") or "program"


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise OptionError(f"--size {text} is no size; write it like 1280x720")
    return int(match[1]), int(match[2])


def _display(text: str | None) -> str:
    if text is not None and not _DISPLAY.fullmatch(text):
        raise OptionError(f"--display {text} is none; write it like :1, or new")
    return text or ""


@contextlib.contextmanager
def _live(options: Options) -> Iterator[Callable[[Status], None]]:
    """A bar on stderr that says how far it is; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda status: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.fields[text]}")
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text)
    with Progress(*columns, console=stderr_console(), transient=True) as bar:
        task = bar.add_task("", total=options.target.count, text="")
        yield lambda status: bar.update(task, completed=status.kept, text=_said(status))


def _said(status: Status) -> str:
    speed = f", program {status.fps:.3g} fps" if status.fps else ""
    return f"{status.phase}, {status.duplicates} alike, {status.bytes / 1e6:.1f} MB{speed}"


def _tell(summary: Summary, as_json: bool) -> None:
    for fault in summary.faults:
        note(f"note: {fault}")
    if summary.program_exit:
        said = f": {summary.program_said}" if summary.program_said else ""
        note(f"note: the program ended with exit code {summary.program_exit}{said}")
    if as_json:
        print_json(_json(summary))
        return
    sizes = ", ".join(f"{w}x{h}" for (w, h), _ in summary.sizes)
    speed = f", program {summary.program_fps:.3g} fps" if summary.program_fps else ""
    note(
        f"{len(summary.files)} frames {sizes}, {summary.duplicates} dropped as alike,"
        f" {summary.bytes / 1e6:.1f} MB in {summary.seconds:.0f} s{speed}; ended by {summary.ended}"
    )


def _json(summary: Summary) -> dict[str, object]:
    return {
        "files": [str(path) for path in summary.files],
        "frames": len(summary.files),
        "received": summary.received,
        "duplicates": summary.duplicates,
        "bytes": summary.bytes,
        "sizes": [{"width": w, "height": h, "frames": n} for (w, h), n in summary.sizes],
        "seconds": summary.seconds,
        "program_frames": summary.program_frames,
        "program_fps": summary.program_fps,
        "ended": summary.ended,
        "program_exit": summary.program_exit,
        "faults": list(summary.faults),
    }
