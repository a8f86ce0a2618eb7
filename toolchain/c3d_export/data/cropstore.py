"""Frames decoded once, in a folder that trainings map into memory.

    <root>/<64 digits>.rgb    pixels of a frame, named by the SHA-256 of its file
    <root>/sources            digests of files that were read before
    <root>/lock               held by whoever fills the store

A file is named by what it holds, so games, splits and runs share frames, a new frame is decoded
alone, and what a killed process has decoded is kept. Each appears whole or not at all. One process
fills at a time, the others wait and find everything. Frames that were not used for longest are
removed when all take too much (`cropstore_room.py`); a training keeps those that it has mapped.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.atomic import make_folders
from ..core.digest import sha256_bytes
from ..core.errors import DiskError
from ..core.locks import locked
from ..runtime.images import Frame
from .cropstore_decode import Decoded, decode_all, decoded_path
from .cropstore_file import DecodedFrame, open_decoded, write_decoded
from .cropstore_frames import StoredFrames
from .cropstore_room import keep_limit, room
from .cropstore_sources import Sources
from .frames import Skipped, load_frames

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Filled:
    """What a store holds of some files.

    digests: SHA-256 of each file. decoded: how many were decoded now, to `written` bytes. skipped:
    with the reason.
    Law: each path is in `digests`, and its frame in `files`, by that digest, unless skipped.
    """

    digests: Mapping[Path, str]
    files: Mapping[str, DecodedFrame]
    skipped: tuple[Skipped, ...]
    decoded: int
    written: int

    def frames(self, paths: Sequence[Path]) -> StoredFrames:
        """The frames of these files, the skipped left out."""
        bad = {path for path, _ in self.skipped}
        keys = [self.digests[path] for path in paths if path not in bad]
        return StoredFrames(keys, [self.files[key] for key in keys])


class CropStore:
    """The store in a folder, which is made when it is used first.

    waiting: called once where another process fills it and is waited for.
    """

    def __init__(self, root: Path, waiting: Callable[[], None] | None = None) -> None:
        self.root, self._waiting = root, waiting

    def fill(self, paths: Sequence[Path], told: Told | None = None) -> Filled:
        """Has the frames of these files, and decodes those that it lacks.

        told: how many of how many are decoded. Raises MissingInputError where a file cannot be
        opened, DiskError where the disk has no room, WorkerError.
        """
        with self._locked():
            sources = Sources(self.root / "sources")
            digests = {path: sources.digest(path) for path in paths}
            sources.save()
            files = self._open(digests.values())
            missing = [path for path, key in digests.items() if key not in files]
            skipped = []
            for done in self._decode(missing, files.keys(), told):
                if done.fault:
                    skipped.append((done.path, done.fault))
                else:
                    digests[done.path] = done.key  # of another file, if it changed meanwhile
            good = digests.keys() - {path for path, _ in skipped}
            made = self._made(digests[path] for path in good if digests[path] not in files)
            files |= made
            if missing:
                keep_limit(self.root, files.keys())
        written = sum(frame.nbytes for frame in made.values())
        decoded = len(missing) - len(skipped)
        return Filled(digests, files, tuple(skipped), decoded, written)

    def derive(
        self,
        frames: StoredFrames,
        name: str,
        change: Callable[[Frame], Frame],
        told: Told | None = None,
    ) -> StoredFrames:
        """`change` of each frame, of the same size, computed once and kept.

        name: of what it does, with all that it depends on. Raises DiskError, DecodedFrameError.
        """
        keys = [sha256_bytes(f"{key} {name}".encode()) for key in frames.keys]
        with self._locked():
            files = self._open(keys)
            missing = {key: n for n, key in enumerate(keys) if key not in files}
            left = sum(3 * math.prod(frames.sizes[n]) for n in missing.values())
            used = {*files, *frames.keys}
            with room(self.root, lambda: left, used):
                for done, (key, n) in enumerate(missing.items(), 1):
                    write_decoded(decoded_path(self.root, key), key, change(frames[n]))
                    left -= 3 * math.prod(frames.sizes[n])
                    if told is not None:
                        told(done, len(missing))
            files |= self._made(missing)
            if missing:
                keep_limit(self.root, used | missing.keys())
        return StoredFrames(keys, [files[key] for key in keys])

    def _decode(
        self, missing: Sequence[Path], used: Collection[str], told: Told | None
    ) -> Iterator[Decoded]:
        if not missing:
            return
        firsts = {path.parent: path for path in reversed(missing)}
        sizes = {folder: _nbytes(path) for folder, path in firsts.items()}
        left = sum(sizes[path.parent] for path in missing)
        with room(self.root, lambda: left, used):
            for done, one in enumerate(decode_all(self.root, missing), 1):
                left -= sizes[one.path.parent]
                if told is not None:
                    told(done, len(missing))
                yield one

    def _open(self, keys: Iterable[str]) -> dict[str, DecodedFrame]:
        """Those that are there and sound; they count as used."""
        found = {}
        for key in set(keys):
            path = decoded_path(self.root, key)
            frame = open_decoded(path, key)
            if frame is not None:
                found[key] = frame
                with contextlib.suppress(OSError):  # of another user
                    os.utime(path)
        return found

    def _made(self, keys: Iterable[str]) -> dict[str, DecodedFrame]:
        """Those that were written just now."""
        wanted = set(keys)
        found = self._open(wanted)
        if len(found) < len(wanted):
            raise DiskError(
                f"frames that were written to {self.root} are gone already; leave that folder"
                " alone, and run this again"
            )
        return found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        make_folders(self.root)
        # Where there are no locks some frames are decoded twice.
        with locked(self.root / "lock", self._waiting or (lambda: None)):
            yield


def _nbytes(path: Path) -> int:
    """Of the frame in a file, and so of those beside it; 0 where it cannot be read."""
    frames, _ = load_frames([path])
    return frames[0].nbytes if frames else 0
