"""What a capture says of itself, while it runs and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Status:
    """How far a capture is. Laws: `fps` is the program's own, 0 where it is not known."""

    kept: int
    duplicates: int
    bytes: int
    fps: float
    phase: str


@dataclass(frozen=True)
class Summary:
    """What a capture did.

    Laws: `files` are whole, in the order of time; `received` = kept + duplicates + those that came
    after the last wanted one; `ended` is one of "count", "timeout", "program", "display", "error";
    `program_exit` is the program's own exit code, None where we ended it or there is none, and
    `program_said` the last line that it printed;
    `faults` has a line for each sender that was cut off.
    """

    files: tuple[Path, ...]
    received: int
    duplicates: int
    bytes: int
    sizes: tuple[tuple[tuple[int, int], int], ...]
    seconds: float
    program_frames: int
    program_fps: float
    ended: str
    program_exit: int | None
    program_said: str
    faults: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """The program's where it ended by itself, else 0."""
        return self.program_exit or 0


Watch = Callable[[Status], None]
