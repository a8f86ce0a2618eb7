"""Frames into files: near-duplicates dropped, coded without loss, numbered, written atomically."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
from pathlib import Path
from typing import Final

import numpy as np

from c3d_export.core.atomic import make_folders, remove_litter
from c3d_export.core.errors import C3DError
from c3d_export.core.locks import locked
from c3d_export.data.capture.options import Target
from c3d_export.runtime.images import SUFFIXES, Frame, list_images, write_image

WAITING: Final = 4
"""Frames that wait for the disk: a program that is faster is held up, and memory stays bounded."""


class Keeper:
    """A thread that writes frames. Any thread may `offer` them.

    Laws: `kept` files are whole and on the disk; `full` is set when `count` of them are, or when
    writing failed, with `error`. Nothing is kept after that.
    """

    def __init__(self, target: Target) -> None:
        """Makes the folder. Raises DiskError where it cannot be made."""
        self.target = target
        self.full = threading.Event()
        self.error: C3DError | None = None
        self.kept: list[Path] = []
        self.duplicates = 0
        self.bytes = 0
        self.sizes: dict[tuple[int, int], int] = {}
        make_folders(target.folder)
        remove_litter(target.folder)
        self._next = _next_number(target)
        self._last: Frame | None = None
        self._queue: queue.Queue[Frame | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame) -> bool:
        """Takes a frame, uint8 (height, width, 3), and waits for room; False where it is full."""
        while not self.full.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(frame, timeout=0.1)
                return True
        return False

    def finish(self) -> None:
        """Writes what waits. Nobody may offer any more."""
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=0.1)
                break
        self._thread.join()

    def _work(self) -> None:
        while not self.full.is_set() and (frame := self._queue.get()) is not None:
            try:
                self._consider(frame)
            except C3DError as error:
                self.error = error
            except Exception as error:
                self.error = C3DError(f"cannot keep a frame: {type(error).__name__}: {error}")
            if self.error or len(self.kept) >= self.target.count:
                self.full.set()

    def _consider(self, frame: Frame) -> None:
        if self._last is not None and difference(self._last, frame) < self.target.min_change:
            self.duplicates += 1
            return
        with locked(self.target.folder):  # another capture may write into it, too
            path = self._free_path()
            write_image(path, frame)
        self._last = frame
        self.kept.append(path)
        self.bytes += path.stat().st_size
        size = frame.shape[1], frame.shape[0]
        self.sizes[size] = self.sizes.get(size, 0) + 1

    def _free_path(self) -> Path:
        """The first number from here on that no file has."""
        while True:
            stem = f"{self.target.scene}_{self._next:03d}"
            self._next += 1
            path = self.target.folder / stem
            if not any(path.with_name(stem + suffix).exists() for suffix in SUFFIXES):
                return path.with_name(f"{stem}.{self.target.suffix}")


def difference(first: Frame, second: Frame) -> float:
    """The mean absolute difference of two frames in grey levels; infinite for other sizes."""
    if first.shape != second.shape:
        return float("inf")
    larger, smaller = np.maximum(first, second), np.minimum(first, second)
    return float(np.mean(larger - smaller, dtype=np.float64))


def upright(pixels: bytearray, width: int, height: int) -> Frame:
    """The frame of a message: RGBA, the lowest row first, to uint8 (height, width, 3)."""
    rows = np.frombuffer(pixels, np.uint8).reshape(height, width, 4)
    return np.ascontiguousarray(rows[::-1, :, :3])


def _next_number(target: Target) -> int:
    """Behind the frames of this scene that are there."""
    name = re.compile(re.escape(target.scene) + r"_([0-9]+)")
    found = (name.fullmatch(path.stem) for path in list_images(target.folder))
    return 1 + max((int(match[1]) for match in found if match), default=-1)
