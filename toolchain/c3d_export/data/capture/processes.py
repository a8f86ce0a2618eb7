"""What the processes of a program are, by Linux' /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

GRACE: Final = 5.0
"""Seconds between asking a program to end and ending it."""

_PROC: Final = Path("/proc")
_ELF: Final = b"\x7fELF"
_INTERPRETER: Final = 3
_SESSION: Final = 3  # field behind the state: parent, group, session


def of_session(session: int) -> list[int]:
    """The living processes of a session, zombies left out."""
    return [int(p.name) for p in _PROC.iterdir() if p.name.isdigit() and _is_of(p, session)]


def _is_of(process: Path, session: int) -> bool:
    try:
        text = (process / "stat").read_bytes()
    except OSError:
        return False
    # The name before may hold blanks and brackets.
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[_SESSION]) == session and fields[0] not in (b"Z", b"X")


def end(session: int, others: Iterable[int], grace: float = GRACE) -> None:
    """Ends a session and other processes: SIGTERM, and after `grace` seconds SIGKILL."""
    rest = set(of_session(session)) | {pid for pid in others if pid > 1}
    _signal(rest, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while rest and time.monotonic() < deadline:
        time.sleep(0.05)
        rest = {pid for pid in rest if _lives(pid)} | set(of_session(session))
    _signal(rest, signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _lives(pid: int) -> bool:
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return False
    return text[text.rindex(b")") + 2 : text.rindex(b")") + 3] not in (b"Z", b"X")


def libraries(pid: int) -> frozenset[str]:
    """The names of the files that a process has mapped; none where we may not look."""
    try:
        lines = (_PROC / str(pid) / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(os.path.basename(line.split(maxsplit=5)[5]) for line in lines if "/" in line)


def kind_of(program: Path) -> str:
    """ "32-bit", "static", "privileged" (set-uid) or "" for what takes a preloaded library.

    Also "" for what is no ELF file: scripts run something else.
    """
    try:
        with program.open("rb") as file:
            head = file.read(4096)
        mode = program.stat().st_mode
    except OSError:
        return ""
    if not head.startswith(_ELF) or len(head) < 64:
        return ""
    if head[4] == 1:
        return "32-bit"
    if mode & 0o6000 and os.geteuid() != 0:
        return "privileged"
    return "" if _INTERPRETER in _segments(head) else "static"


def _segments(head: bytes) -> set[int]:
    """The types of the segments of a 64-bit ELF file."""
    (offset,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    starts = (offset + i * size for i in range(count))
    return {struct.unpack_from("<I", head, s)[0] for s in starts if s + 4 <= len(head)}
