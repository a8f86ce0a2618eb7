"""What the workspace knows of a game's frames: `data/index/<game>/`.

    frames.jsonl     a line for each frame in the splits, sorted by its path; replaced in one step
    journal.jsonl    what an import has read so far; a killed one goes on from there
    import.json      the splits that an import chose; it keeps to them when it is run again
    split.json       the splits that `data split` chose, while it moves files
    staged/          frames of a video or a BMP, before they have their place
    lock             held by the one process at a time that works on the game

The files in the splits are the truth. A frame without a line, or of another size than its line
says, is read again, so that the index may be lost at any time; only which frames came from a video
is known nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from c3d_export.core import jsonio
from c3d_export.core.atomic import (
    disk_errors,
    make_folders,
    remove_file,
    remove_litter,
    write_bytes_atomic,
)
from c3d_export.core.errors import C3DError, DiskError, ImageError
from c3d_export.core.limits import MAX_FRAME_INDEX_BYTES
from c3d_export.core.locks import locked
from c3d_export.data.facts import Facts
from c3d_export.data.frames import INDEX, SPLIT_PLAN, SPLITS
from c3d_export.data.workspace import check_name


@dataclass(frozen=True)
class Record:
    """A frame in the splits. `key`: its path `split/folder/name`; `source`: where it came from,
    empty for one that lay there before."""

    key: str
    source: str
    facts: Facts

    def line(self) -> bytes:
        entry = {"file": self.key, "source": self.source, **self.facts.to_json()}
        return _line(entry)


@dataclass(frozen=True)
class GameIndex:
    """The paths of one game's index. Law: asking for a path creates nothing."""

    root: Path

    @classmethod
    def of(cls, data_root: Path, game: str) -> GameIndex:
        return cls(data_root / INDEX / check_name(game, "game"))

    @property
    def frames(self) -> Path:
        return self.root / "frames.jsonl"

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def import_plan(self) -> Path:
        return self.root / "import.json"

    @property
    def split_plan(self) -> Path:
        return self.root / SPLIT_PLAN

    @property
    def staged(self) -> Path:
        return self.root / "staged"

    @contextlib.contextmanager
    def lock(self, waits: Callable[[], None]) -> Iterator[None]:
        """Keeps other commands from this game's frames; `waits` is called before waiting for one.

        Raises DiskError where the folder cannot be made or locked.
        """
        try:
            make_folders(self.root)
        except DiskError as error:
            raise DiskError(f"{error}, or another --workspace") from error
        with locked(self.root / "lock", waits, needed=True):
            remove_litter(self.root)
            remove_litter(self.staged)
            yield

    def records(self) -> dict[str, Record]:
        """The lines of the index by key; those that are damaged are left out."""
        found = _entries(self.frames)
        records = (Record(str(e["file"]), str(e["source"]), f) for e, f in found if "file" in e)
        return {record.key: record for record in records}

    def write_records(self, records: Iterable[Record]) -> None:
        """Replaces the index. Raises DiskError."""
        lines = [record.line() for record in sorted(records, key=lambda record: record.key)]
        write_bytes_atomic(self.frames, b"".join(lines))

    def journalled(self) -> dict[str, Facts]:
        """What a killed import has read, by the SHA-256 of the source file, or of the pixels of a
        video's frame."""
        return {facts.digest or facts.pixels: facts for _, facts in _entries(self.journal)}

    def finish(self) -> None:
        """Removes what only an import under way needs. Raises DiskError."""
        for path in (self.import_plan, self.journal):
            if path.exists():
                remove_file(path)
        self.clear_staged()

    def clear_staged(self) -> None:
        shutil.rmtree(self.staged, ignore_errors=True)


class Journal:
    """Facts that are kept while an import runs, some at a time."""

    _TOGETHER: Final = 16  # flushed together: a kill costs a second of reading at most

    def __init__(self, path: Path, facts: Iterable[Facts]) -> None:
        """facts: of a journal that was there; its last line may be torn. Raises DiskError."""
        self._path = path
        self._waiting: list[bytes] = []
        if path.exists():
            write_bytes_atomic(path, b"".join(_line(item.to_json()) for item in facts))

    def add(self, facts: Facts) -> None:
        """Raises DiskError."""
        self._waiting.append(_line(facts.to_json()))
        if len(self._waiting) < self._TOGETHER:
            return
        with disk_errors(self._path), open(self._path, "ab") as file:
            file.write(b"".join(self._waiting))
            file.flush()
            os.fsync(file.fileno())
        self._waiting.clear()


def read_plan(path: Path) -> dict[str, str]:
    """`folder/name` -> split; empty where there is no plan. Raises ImageError for a damaged one."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    plan = jsonio.loads(data, ImageError, what=str(path), max_bytes=MAX_FRAME_INDEX_BYTES)
    if not isinstance(plan, dict) or not set(plan.values()) <= set(SPLITS):
        raise ImageError(f"{path} is no plan; remove it and run the command again")
    return {str(name): str(split) for name, split in plan.items()}


def write_plan(path: Path, plan: Mapping[str, str]) -> None:
    """Raises DiskError."""
    write_bytes_atomic(path, jsonio.dumps(dict(plan), max_bytes=MAX_FRAME_INDEX_BYTES))


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, ensure_ascii=False).encode("utf-8") + b"\n"


def _entries(path: Path) -> list[tuple[dict[str, Any], Facts]]:
    """The whole lines of a file, each with its facts."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    found = []
    for line in lines:
        with contextlib.suppress(C3DError):
            entry = jsonio.loads(line, ImageError, what=str(path))
            found.append((entry, Facts.from_json(entry)))
    return found
