"""What a capture runs in: a display, a folder for its own files, and signals that end it well."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from c3d_export.core.atomic import disk_errors
from c3d_export.core.errors import MissingInputError, OptionError
from c3d_export.core.folders import temporary_folder
from c3d_export.data.capture.headless import headless_display, is_named
from c3d_export.data.capture.options import NEW_DISPLAY, Place


@contextlib.contextmanager
def display(place: Place, env: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The environment of the program: its display is the one asked for.

    Raises MissingInputError where there is none of that name, and what `headless_display` does.
    """
    if place.grab not in ("", NEW_DISPLAY):
        if not is_named(place.grab):
            raise MissingInputError(
                f"no display {place.grab} on this host; see what DISPLAY says where a program shows"
                " something, or take --display new"
            )
        yield {**env, "DISPLAY": place.grab}
    elif place.headless or place.grab or not (env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")):
        with headless_display(place.size, env) as shown:
            yield shown
    else:
        yield env


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for socket, library and log. A program that runs as somebody else gets in, but
    cannot list it. Raises OptionError, DiskError."""
    place = Path(tempfile.gettempdir())
    if any(sign in str(place) for sign in " :"):
        message = f"LD_PRELOAD takes no blank and no colon, as in {place}; set TMPDIR"
        raise OptionError(f"{message} to another folder")
    with contextlib.ExitStack() as stack:
        with disk_errors(place):
            name = f"c3d-capture-{os.getuid()}"
            folder = stack.enter_context(temporary_folder(name, place))
            folder.chmod(0o711)
        yield folder


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does, so that the program is ended, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
