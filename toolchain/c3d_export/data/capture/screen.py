"""The picture of an X display, by ffmpeg: for programs that load no library of ours."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from typing import Final

from c3d_export.core.errors import ImageError
from c3d_export.data.capture.headless import is_there
from c3d_export.data.capture.keeper import Keeper
from c3d_export.data.capture.options import Pace
from c3d_export.data.ffmpeg import PICTURES, find_ffmpeg, read_picture

_LOOK_EACH: Final = 1.0


class Screen:
    """A thread that takes the picture of a display. Laws: `frames` have come; `error` says why
    no more do, where ffmpeg ended by itself."""

    def __init__(self, display: str, pace: Pace, keeper: Keeper) -> None:
        """Raises LibraryMissingError where there is no ffmpeg."""
        self.frames = 0
        self.error = ""
        self._warm = time.monotonic() + pace.warm_seconds
        self._keeper = keeper
        self._display = display
        self._next_look = time.monotonic() + _LOOK_EACH
        # ffmpeg would look at 5 MB of pictures before it sends the first one.
        quiet = ["-nostdin", "-loglevel", "error", "-probesize", "32"]
        source = ["-f", "x11grab", "-draw_mouse", "0", "-framerate", f"{pace.fps:g}", "-i", display]
        self._ffmpeg = subprocess.Popen(
            [find_ffmpeg(), *quiet, *source, *PICTURES],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._work, name="screen", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether more may come. When a display has gone ffmpeg repeats its last picture.

        Before the first one it is not looked at: ffmpeg might be its first client.
        """
        if self.frames and time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + _LOOK_EACH
            if not is_there(self._display):
                self.error = f"{self._display} has gone"
        return self._thread.is_alive() and not self.error

    def close(self) -> None:
        """Ends ffmpeg."""
        self._ffmpeg.kill()
        self._thread.join()
        self._ffmpeg.wait()

    def _work(self) -> None:
        assert self._ffmpeg.stdout is not None
        assert self._ffmpeg.stderr is not None
        with self._ffmpeg.stdout as pictures, self._ffmpeg.stderr as errors:
            fault = "ffmpeg ended"
            try:
                while (frame := read_picture(pictures)) is not None:
                    self.frames += 1
                    if time.monotonic() >= self._warm and not self._keeper.offer(frame):
                        return
            except ImageError as error:
                fault = str(error)
            finally:
                with contextlib.suppress(OSError):
                    self._ffmpeg.kill()
            said = errors.read(4096).decode(errors="replace").strip()
            self.error = self.error or said or fault
