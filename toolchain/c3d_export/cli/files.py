"""Which input goes to which output: one file to one file, several into a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import (
    C3DError,
    DiskError,
    MissingInputError,
    OptionError,
    PartialFailureError,
)
from .output import note

STANDARD = "-"


def collect(inputs: Sequence[str], list_folder: Callable[[Path], list[Path]]) -> list[Path]:
    """The files that were named, and those directly in folders that were named.

    Raises MissingInputError for a name that does not exist, or a folder without such files.
    """
    found: list[Path] = []
    for path in map(Path, inputs):
        if path.is_dir():
            inside = list_folder(path)
            if not inside:
                raise MissingInputError(f"no files to read in {path}; check the folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise MissingInputError(f"no file {path}; check the path")
    return found


def is_single(inputs: Sequence[str], out: Path) -> bool:
    """Whether one input file goes to one output file."""
    return len(inputs) == 1 and not Path(inputs[0]).is_dir() and not wants_folder(out)


def wants_folder(out: Path | str) -> bool:
    """Whether an output name is that of a folder, there or to be made."""
    return os.fspath(out).endswith(("/", os.sep)) or Path(out).is_dir()


def targets(sources: Sequence[Path], folder: Path, suffix: str) -> list[tuple[Path, Path]]:
    """Source and target of each file; raises OptionError where two would be one target."""
    taken: dict[str, Path] = {}
    for source in sources:
        other = taken.setdefault(source.stem + suffix, source)
        if other is not source:
            raise OptionError(
                f"{other} and {source} would both become {folder / (source.stem + suffix)}; code"
                " them into two folders"
            )
    return [(source, folder / name) for name, source in taken.items()]


def make_folder(folder: Path) -> None:
    """Creates an output folder and those above it; raises DiskError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot create {folder}: {error.strerror}; choose another -o"
        raise DiskError(message) from error


@dataclass
class Tally:
    """What became of several inputs. Laws: every input is in one of the two lists."""

    done: list[dict[str, object]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def skip(self, source: str, error: C3DError) -> None:
        note(f"skipped {source}: {error}")
        self.skipped.append({"input": source, "reason": str(error)})

    def require_all(self, what: str) -> None:
        """Raises PartialFailureError where an input was skipped."""
        if self.skipped:
            total = len(self.done) + len(self.skipped)
            raise PartialFailureError(
                f"{len(self.skipped)} of {total} {what} were skipped, the others are done; see the"
                " lines above"
            )


def write_standard(data: bytes) -> None:
    """Writes to stdout at once, so that a reader of the pipe sees whole items."""
    stream = sys.stdout.buffer
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"cannot write to the standard output: {error.strerror}; free some space"
        raise DiskError(message) from error


def chunks(data: bytes, length_of: Callable[[memoryview], int]) -> Iterator[bytes]:
    """Cuts concatenated items whose length is in their head; the last may be short."""
    rest = memoryview(data)
    while rest:
        length = length_of(rest)
        yield bytes(rest[:length])
        rest = rest[length:]


def listed(paths: Iterable[Path]) -> list[Path]:
    """Files only, sorted, hidden ones left out."""
    return sorted(path for path in paths if path.is_file() and path.name[0] != ".")
