"""The folder of a sweep: who is at work in it, and what its logs say last.

    <folder>/state.json     how far every task is (`state.py`)
    <folder>/lock           held while a sweep is at work, with its token in it
    <folder>/logs/          <task>.<step>.<attempt>.log, and .done with its exit status
    <folder>/jobs/          of submitit
    <folder>/stop           there while a sweep that was interrupted ends its commands

Only who holds the lock writes the state.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..core.atomic import disk_errors, make_folders, remove_file
from ..core.locks import open_locked

STATE_FILE: Final = "state.json"
LOCK_FILE: Final = "lock"
STOP_FILE: Final = "stop"
LOGS: Final = "logs"
JOBS: Final = "jobs"
_LAST_BYTES: Final = 4096


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[str]:
    """Holds the lock of a sweep's folder, which is made; yields the token of this sweep.

    Raises BusyError where another one is at work there.
    """
    make_folders(folder / LOGS)
    path = folder / LOCK_FILE
    descriptor = open_locked(path, f"another sweep is at work in {folder}; wait for it, or stop it")
    token = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(8)}"
    try:
        with disk_errors(path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, token.encode())
        remove_file(folder / STOP_FILE)
        yield token
    finally:
        os.close(descriptor)


def last_line(path: str | Path) -> str:
    """The last line of a log that says something, without `error: `; empty where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [" ".join(line.split()) for line in lines if line.strip()]
    return said[-1].removeprefix("error: ") if said else ""
