"""A display of our own, for hosts without one: Xvfb, and OpenGL computed in software."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from c3d_export.core.errors import LibraryMissingError

PATIENCE: Final = 30.0
"""Seconds that Xvfb has to come up."""

# Xvfb ends with its last client. Until we are the first one, a shell ends it where we are killed:
# our end of its pipe is closed then, before the line has come. Descriptor 3 is for the number.
_GUARDED: Final = """exec 3<&0
( (read -r _ <&3 || kill $$) >/dev/null 2>&1 & )
exec "$0" "$@" 3>&1 >/dev/null </dev/null"""

# An X client that says nothing but hello: protocol 11.0, no authorisation.
_HELLO: Final = b"l\0" + struct.pack("<HHHHH", 11, 0, 0, 0, 0)

# What would lead a program past the display, and to devices that a host like this one lacks.
_LEFT_OUT: Final = ("WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XAUTHORITY")
_SETTINGS: Final = {
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "XDG_SESSION_TYPE": "x11",
    "SDL_AUDIODRIVER": "dummy",
    "SDL_AUDIO_DRIVER": "dummy",
    "ALSOFT_DRIVERS": "null",
}


@contextlib.contextmanager
def headless_display(size: tuple[int, int], env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Starts Xvfb and yields the environment of programs that are to be shown there.

    It goes away with the block; where this process is killed, with the last program on it.
    Raises LibraryMissingError where Xvfb is missing or does not come up.
    """
    program = shutil.which("Xvfb", path=env.get("PATH"))
    if program is None:
        message = "no display and no Xvfb; install it (Debian: xvfb), or set DISPLAY"
        raise LibraryMissingError(message)
    with _server(program, size) as server, _client(_number(server)) as number:
        _let_go(server)
        kept = {name: value for name, value in env.items() if name not in _LEFT_OUT}
        yield {**_SETTINGS, **kept, "DISPLAY": f":{number}", "LIBGL_ALWAYS_SOFTWARE": "1"}


@contextlib.contextmanager
def _server(program: str, size: tuple[int, int]) -> Iterator[subprocess.Popen[bytes]]:
    """Xvfb, which writes the number of a display that is free. It waits for `_let_go`."""
    screen = ["-screen", "0", f"{size[0]}x{size[1]}x24"]
    more = ["-nolisten", "tcp", "-terminate", "+extension", "GLX", "+render", "-dpi", "96"]
    with subprocess.Popen(
        ["sh", "-c", _GUARDED, program, "-displayfd", "3", *screen, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            yield server
        finally:
            _let_go(server)
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _let_go(server: subprocess.Popen[bytes]) -> None:
    """From now on Xvfb outlives us as long as somebody else is its client."""
    assert server.stdin is not None
    if not server.stdin.closed:
        with contextlib.suppress(BrokenPipeError), server.stdin as pipe:
            pipe.write(b"\n")


def _number(server: subprocess.Popen[bytes]) -> int:
    """Of the display. Raises LibraryMissingError where none comes up."""
    assert server.stdout is not None
    text = b""
    deadline = time.monotonic() + PATIENCE
    while not text.endswith(b"\n"):
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([server.stdout], [], [], left)
        part = os.read(server.stdout.fileno(), 16) if ready else b""
        if not part:
            message = "Xvfb does not come up; see what `Xvfb :99` says, or set DISPLAY"
            raise LibraryMissingError(message)
        text += part
    return int(text)


@contextlib.contextmanager
def _client(number: int) -> Iterator[int]:
    """Keeps Xvfb from ending between two programs, or before the first: it always has a client."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(_address(number))
            connection.sendall(_HELLO)
        except OSError as error:
            message = f"Xvfb does not answer on display :{number}: {error}; set DISPLAY"
            raise LibraryMissingError(message) from error
        yield number


def _address(number: int) -> str:
    path = _socket(number)
    return str(path) if path.exists() else f"\0{path}"  # a name without a file


def _socket(number: int) -> Path:
    return Path(f"/tmp/.X11-unix/X{number}")


def _local(display: str) -> int | None:
    """The number of a display of this host (":3", ":3.0"); None for those of others."""
    found = re.fullmatch(r"(?:unix)?:(\d+)(?:\.\d+)?", display)
    return None if found is None else int(found[1])


def is_named(display: str) -> bool:
    """Whether there is a socket for a display of this host; of others, always.

    Nothing is asked there: a server without clients ends or begins anew behind each that leaves.
    """
    number = _local(display)
    if number is None or _socket(number).exists():
        return True
    return f"@{_socket(number)}\n" in Path("/proc/net/unix").read_text()


def is_there(display: str) -> bool:
    """Whether something listens for a display of this host; of others, always.

    Only for a display that has another client, see `is_named`.
    """
    number = _local(display)
    if number is None:
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(0)
        try:
            connection.connect(_address(number))
        except BlockingIOError:
            return True  # it is only slow to answer
        except OSError:
            return False
    return True
