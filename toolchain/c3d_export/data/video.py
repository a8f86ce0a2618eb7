"""Frames of a video file, by PyAV where it is installed, else by the command ffmpeg.

Nearly every video has lost pixels: to its codec, and to 4:2:0 before that. Only a lossless codec
that holds RGB gives the frames that a game drew.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from c3d_export.core.errors import ImageError
from c3d_export.core.limits import size_fault
from c3d_export.data.ffmpeg import PICTURES, find_ffmpeg, read_picture
from c3d_export.runtime.images import Frame

_LOSSLESS: Final = frozenset(
    [
        "ffv1",
        "huffyuv",
        "ffvhuff",
        "utvideo",
        "magicyuv",
        "png",
        "bmp",
        "qtrle",
        "rawvideo",
        "zmbv",
        "flashsv",
    ]
)
_RGB: Final = frozenset(
    [
        "rgb24",
        "bgr24",
        "gbrp",
        "rgb0",
        "bgr0",
        "0rgb",
        "0bgr",
        "rgba",
        "bgra",
        "argb",
        "abgr",
        "gbrap",
    ]
)


@dataclass
class Video:
    """The frames of a file, one after the other.

    `lossy` names the coding that lost pixels, empty for none, and `fault` says why the file ended
    early; both are there after the first and after the last frame.
    """

    path: Path
    every: int = 1
    lossy: str = field(default="", init=False)
    fault: str = field(default="", init=False)

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Number (from 0) and pixels, uint8 (height, width, 3), of every `every`-th frame.

        A damaged file gives what comes before the damage. Raises ImageError where there is no
        frame or it is beyond the limits of size, LibraryMissingError without PyAV and ffmpeg.
        """
        count = 0
        for number, frame in self._decoder()():
            count += 1
            yield number, frame
        if not count:
            raise ImageError(f"no frame can be decoded: {self.fault or 'it has no pictures'}")

    def _decoder(self) -> Any:
        try:
            self._av = importlib.import_module("av")
        except ModuleNotFoundError:
            return self._by_command
        return self._by_pyav

    def _by_pyav(self) -> Iterator[tuple[int, Frame]]:
        av, number, end = self._av, -1, 0.0
        try:
            # A title may be of any coding, and nobody asks for it.
            with (
                _errors(av) as errors,
                av.open(str(self.path), metadata_errors="replace") as container,
            ):
                if not container.streams.video:
                    raise ImageError("it has no video stream")
                stream = container.streams.video[0]
                codec = stream.codec_context.name
                self._take(codec, stream.codec_context.pix_fmt or "")
                # Of frames side by side none could be told to be the damaged one.
                stream.thread_type = "AUTO" if self.lossy else "SLICE"
                _check_size(stream.width, stream.height)  # before anything is decoded
                for number, frame in enumerate(container.decode(stream)):
                    _check_size(frame.width, frame.height)  # which may change on the way
                    # Lossless decoders fill in what is damaged, and only say so. Decoders of
                    # other codecs complain of sound files, too.
                    if frame.is_corrupt or (not self.lossy and _is_of(codec, errors)):
                        raise ImageError(f"frame {number} is damaged")
                    end = frame.time or 0.0
                    if number % self.every == 0:
                        yield number, frame.to_ndarray(format="rgb24")
                self.fault = _missing_end(container, stream, number + 1, end)
        except av.error.FFmpegError as error:
            self.fault = f"{error.strerror} after {number + 1} frames"
        except ImageError as error:
            self.fault = str(error)

    def _by_command(self) -> Iterator[tuple[int, Frame]]:
        """The frames as PPM on a pipe, each with its size."""
        choose = f"select=not(mod(n\\,{self.every}))"
        options = ["-map", "0:v:0", "-vf", choose, "-fps_mode", "passthrough"]
        head = [find_ffmpeg(), "-nostdin", "-hide_banner"]
        told = subprocess.run([*head, "-i", str(self.path)], capture_output=True, check=False)
        codec = re.search(rb"Video: (\w+)[^,]*, (\w+)", told.stderr)
        names = [part.decode() for part in codec.groups()] if codec else ["unknown", ""]
        self._take(*names)
        command = [*head, "-v", "error", "-i", str(self.path), *options, *PICTURES]
        with tempfile.TemporaryFile() as said:  # a pipe that nobody reads would fill
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process:
                assert process.stdout is not None
                yield from self._from_pipe(process.stdout)
                process.stdout.close()
            said.seek(0)
            lines = said.read(1000).decode("utf-8", "replace").splitlines()
            self.fault = self.fault or (lines[0] if lines else "")

    def _from_pipe(self, pipe: IO[bytes]) -> Iterator[tuple[int, Frame]]:
        try:
            for index in itertools.count():
                if (frame := read_picture(pipe)) is None:
                    return
                yield index * self.every, frame
        except ImageError as error:
            self.fault = str(error)

    def _take(self, codec: str, pixels: str) -> None:
        exact = codec in _LOSSLESS and pixels in _RGB
        self.lossy = "" if exact else f"{codec} {pixels}".strip()


def _is_of(codec: str, errors: Sequence[tuple[int, str, str]]) -> bool:
    return any(name == codec for _, name, _ in errors)


@contextlib.contextmanager
def _errors(av: Any) -> Iterator[Sequence[tuple[int, str, str]]]:
    """What FFmpeg's threads complain of: level, who, what."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as said:
            yield said
    finally:
        av.logging.set_level(before)


def _missing_end(container: Any, stream: Any, count: int, end: float) -> str:
    """What the file promised and did not have: a truncated one often ends without an error."""
    if stream.frames and count < stream.frames:
        return f"it ends after {count} of {stream.frames} frames"
    seconds = (container.duration or 0) / 1e6
    rate = float(stream.average_rate or 0)
    if rate and seconds - end > max(1.0, 3 / rate):
        return f"it ends after {end:.1f} of {seconds:.1f} s"
    return ""


def _check_size(width: int, height: int) -> None:
    if fault := size_fault(width, height):
        raise ImageError(f"its frames have {fault}; scale or cut them")
