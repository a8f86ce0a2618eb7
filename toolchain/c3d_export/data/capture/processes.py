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


def with_variable(entry: str) -> set[int]:
    """The living processes that were started with this NAME=VALUE in their environment.

    Those of other users are left out, unless we are root.
    """
    wanted, found = os.fsencode(entry), set()
    for process in _PROC.iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit():
                words = (process / "environ").read_bytes().split(b"\0")  # a zombie has none
                found |= {int(process.name)} if wanted in words else set()
    return found


def lives(pid: int) -> bool:
    return _is_alive(_status(_PROC / str(pid)))


def _is_of(process: Path, session: int) -> bool:
    fields = _status(process)
    return _is_alive(fields) and int(fields[_SESSION]) == session


def _status(process: Path) -> list[bytes]:
    """What the kernel says of a process, from its state on; nothing where there is none."""
    try:
        text = (process / "stat").read_bytes()
    except OSError:
        return []
    return text.rpartition(b")")[2].split()  # the name before may hold blanks and brackets


def _is_alive(fields: list[bytes]) -> bool:
    return bool(fields) and fields[0] not in (b"Z", b"X")


def end(session: int, others: Iterable[int], grace: float = GRACE) -> None:
    """Ends a session and other processes: SIGTERM, and after `grace` seconds SIGKILL."""
    rest = set(of_session(session)) | {pid for pid in others if pid > 1}
    _signal(rest, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while rest and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = set(filter(lives, rest))
        rest = alive | set(of_session(session))
    _signal(rest, signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def libraries(pid: int) -> frozenset[str]:
    """The names of the files that a process has mapped; none where we may not look."""
    try:
        lines = (_PROC / str(pid) / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(os.path.basename(line.split(maxsplit=5)[5]) for line in lines if "/" in line)


def kind_of(program: Path) -> str:
    """Why a program takes no preloaded library: "32-bit", "static" or "privileged" (set-uid).

    Nothing for one that takes it, and for what is no ELF file: scripts run something else.
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
