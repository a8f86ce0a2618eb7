"""What is to be captured, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.errors import OptionError
from c3d_export.core.limits import size_fault
from c3d_export.data.workspace import check_name

FORMATS: Final = ("webp", "png")
NEW_DISPLAY: Final = "new"


@dataclass(frozen=True)
class Pace:
    """Which frames of the program are taken.

    Laws: with `every` > 0 each `every`-th frame, else one each 1 / `fps` seconds; none before
    `warm_frames` frames and `warm_seconds` seconds after the first one have passed.
    `skip_drawing` (only with `every`): what lies between two taken frames need not be drawn.
    """

    fps: float = 1.0
    every: int = 0
    warm_seconds: float = 0.0
    warm_frames: int = 0
    skip_drawing: bool = False

    def __post_init__(self) -> None:
        if self.skip_drawing and not self.every:
            raise OptionError("--skip-drawing needs --every K: only then is it known what to draw")


@dataclass(frozen=True)
class Target:
    """Where frames go.

    Laws: files are `folder`/`scene`_NNN.`suffix`; no file is replaced; `count` frames at most; a
    frame whose mean absolute difference from the last kept one is below `min_change` grey levels
    is dropped.
    """

    folder: Path
    scene: str
    count: int = 50
    min_change: float = 2.0
    suffix: str = "webp"

    def __post_init__(self) -> None:
        check_name(self.scene, "scene")
        if self.suffix not in FORMATS:
            raise OptionError(f"unknown format {self.suffix}; choose one of {', '.join(FORMATS)}")


@dataclass(frozen=True)
class Place:
    """Where the program is shown.

    Laws: `grab` is the X display whose picture is taken ("new": one of our own), empty where
    frames come from the program itself; `headless` asks for a display of our own, of `size`.
    """

    headless: bool = False
    size: tuple[int, int] = (1280, 720)
    grab: str = ""

    def __post_init__(self) -> None:
        if fault := size_fault(*self.size):
            raise OptionError(f"--size has {fault}; choose another one")
        if self.headless and self.grab not in ("", NEW_DISPLAY):
            message = f"--headless and --display {self.grab} are two displays"
            raise OptionError(f"{message}; leave one of them out")


@dataclass(frozen=True)
class Options:
    """A whole capture.

    Laws: it ends `timeout` seconds after its start at the latest; the program is ended with it
    unless `keep_running`, with which it is waited for. `log` gets what the program prints.
    """

    command: tuple[str, ...]
    target: Target
    pace: Pace = Pace()
    place: Place = Place()
    timeout: float = 3600.0
    keep_running: bool = False
    log: Path | None = None

    def __post_init__(self) -> None:
        if not self.command and not self.place.grab:
            raise OptionError("no program to run; write it behind --, or name a --display")
        if self.place.grab and (self.pace.every or self.pace.warm_frames):
            message = "--every and --warmup-frames count frames of a program, a --display has none"
            raise OptionError(f"{message}; use --fps and --warmup")
