"""VMAF as Netflix's libvmaf computes it, by way of the ffmpeg that imageio-ffmpeg installs.

The model is vmaf_v0.6.1, which looks at luma; here of BT.709 in limited range, as swscale makes
it. It was made for video: of an image for itself its motion feature is 0. It rewards sharpening:
do not compare codecs that sharpen with others by it alone.
"""

from __future__ import annotations

import importlib
import math
import re
import subprocess
from functools import cache
from typing import Final

import numpy as np

from c3d_export.core.errors import LibraryMissingError, WorkerError
from c3d_export.runtime.images import Frame

MIN_SIDE: Final = 64
"""Its coarsest scale has an eighth of the side, and a window of 17 pixels."""

MAX_PIXELS: Final = 16_000_000
"""What ffmpeg reads of raw video at once is 49 MB; there libvmaf takes a gigabyte."""

_SCORE: Final = re.compile(rb"VMAF score: ([0-9.]+)")
_TIMEOUT: Final = 600.0
_GRAPH: Final = (
    "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,split[a][b];"
    "[a]trim=end_frame=1[original];[b]trim=start_frame=1,setpts=PTS-STARTPTS[decoded];"
    "[decoded][original]libvmaf=model=version=vmaf_v0.6.1:n_threads=1"
)


def require() -> None:
    """Raises LibraryMissingError, with the line that installs it, where there is no libvmaf."""
    _ffmpeg()


def version() -> str:
    """That of ffmpeg; empty where there is no libvmaf."""
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_version() if _ffmpeg() else ""
    except LibraryMissingError:
        return ""


def score(original: Frame, decoded: Frame) -> float:
    """0..100 of two frames, uint8 (height, width, 3) RGB; NaN where a side is below MIN_SIDE,
    and beyond MAX_PIXELS.

    Raises LibraryMissingError, and WorkerError where ffmpeg fails.
    """
    height, width = original.shape[:2]
    if min(height, width) < MIN_SIDE or height * width > MAX_PIXELS:
        return math.nan
    command = [_ffmpeg(), "-hide_banner", "-nostdin", "-threads", "1", "-filter_threads", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "pipe:0"]
    command += ["-lavfi", _GRAPH, "-f", "null", "-"]
    pixels = np.stack([original, decoded])
    done = subprocess.run(command, input=pixels.data, capture_output=True, timeout=_TIMEOUT)
    found = _SCORE.search(done.stderr)
    if done.returncode or not found:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no score"]
        raise WorkerError(f"VMAF of {width}x{height} failed: {reason[0]}; leave out this metric")
    return float(found[1])


@cache
def _ffmpeg() -> str:
    """The program that has libvmaf."""
    install = "pip install 'c3d-export[baselines]'"
    try:
        program = str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        message = f"the metric vmaf needs imageio-ffmpeg: {error}; {install}"
        raise LibraryMissingError(message) from error
    command = [program, "-hide_banner", "-filters"]
    filters = subprocess.run(command, capture_output=True, timeout=_TIMEOUT).stdout
    if b"libvmaf" not in filters:
        raise LibraryMissingError(f"the metric vmaf needs an ffmpeg with libvmaf; {install}")
    return program
