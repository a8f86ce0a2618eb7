"""The picture of an X display, by ffmpeg: for programs that load no library of ours."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import subprocess
import threading
import time
from typing import IO, Final

import numpy as np

from c3d_export.core.errors import CaptureProtocolError, LibraryMissingError
from c3d_export.core.limits import size_fault
from c3d_export.data.capture.keeper import Keeper
from c3d_export.data.capture.options import Pace
from c3d_export.runtime.images import Frame

_LONGEST_LINE: Final = 64
_PICTURES: Final = ("-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-")
_ADVICE: Final = "install it (Debian: ffmpeg; or pip install imageio-ffmpeg)"


def find_ffmpeg() -> str:
    """The program of the system, else that of imageio-ffmpeg. Raises LibraryMissingError."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        message = f"no ffmpeg, which takes frames of a display; {_ADVICE}"
        raise LibraryMissingError(message) from None


class Screen:
    """A thread that takes the picture of a display. Laws: `frames` have come; `error` says why
    no more do, where ffmpeg ended by itself."""

    def __init__(self, display: str, pace: Pace, keeper: Keeper) -> None:
        """Raises LibraryMissingError where there is no ffmpeg."""
        self.frames = 0
        self.error = ""
        self._warm = time.monotonic() + pace.warm_seconds
        self._keeper = keeper
        quiet = ["-nostdin", "-loglevel", "error"]
        source = ["-f", "x11grab", "-draw_mouse", "0", "-framerate", f"{pace.fps:g}", "-i", display]
        self._ffmpeg = subprocess.Popen(
            [find_ffmpeg(), *quiet, *source, *_PICTURES],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._work, name="screen", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Ends ffmpeg."""
        self._ffmpeg.kill()
        self._thread.join()
        self._ffmpeg.wait()

    def _work(self) -> None:
        assert self._ffmpeg.stdout is not None
        assert self._ffmpeg.stderr is not None
        with self._ffmpeg.stdout as pictures, self._ffmpeg.stderr as errors:
            try:
                while (frame := read_picture(pictures)) is not None:
                    self.frames += 1
                    if time.monotonic() >= self._warm and not self._keeper.offer(frame):
                        return
                self.error = errors.read(4096).decode(errors="replace").strip() or "ffmpeg ended"
            except CaptureProtocolError as error:
                self.error = str(error)
            finally:
                with contextlib.suppress(OSError):
                    self._ffmpeg.kill()


def read_picture(stream: IO[bytes]) -> Frame | None:
    """The next PPM of a stream, uint8 (height, width, 3), or None at its end, whole or not.

    Raises CaptureProtocolError for anything else than a PPM of 8 bits within the limits.
    """
    magic, size, depth = (stream.readline(_LONGEST_LINE) for _ in range(3))
    if not depth:
        return None
    try:
        width, height = map(int, size.split())
    except ValueError:
        width = height = 0
    if magic != b"P6\n" or depth != b"255\n" or size_fault(width, height):
        raise CaptureProtocolError("ffmpeg sent something else than pictures; try another ffmpeg")
    data = stream.read(width * height * 3)
    if len(data) < width * height * 3:
        return None
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)
