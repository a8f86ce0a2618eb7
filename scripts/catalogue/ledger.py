"""What was done already: one small file a step, written in one piece when the step has ended.

A step has a key, the digest of everything that goes into it. It is done again where the key is
another, and never where it is the same: a command that was killed goes on at the step that it was
killed in.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from c3d_export.core import jsonio
from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import C3DError, DiskError, OptionError

Json = dict[str, Any]

# What a killed run leaves behind ends within moments; another run may last for days.
LOCK_SECONDS: Final = 10.0


def key_of(inputs: Json) -> str:
    """The digest of a step's inputs; equal values give equal keys, in whatever order they stand."""
    return sha256_bytes(jsonio.dumps(inputs))


def read(path: Path) -> Any:
    """A JSON file of the state; None where it does not exist. Raises OptionError for a bad one."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return jsonio.loads(data, OptionError, what=f"{path} (remove it)")


def write(path: Path, value: object) -> None:
    """Writes atomically, with the folder where it lacks one; raises DiskError."""
    make_folder(path.parent)
    write_bytes_atomic(path, jsonio.dumps(value))


def make_folder(folder: Path) -> None:
    """Creates a folder and those above it; raises DiskError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot create {folder}: {error.strerror}; choose another --state"
        raise DiskError(message) from error


@dataclass(frozen=True)
class Ledger:
    """The steps of one network in one round, a file each."""

    folder: Path

    def path(self, step: str) -> Path:
        return self.folder / f"{step}.json"

    def result(self, step: str) -> Json | None:
        """What a step came to; None where it was not done."""
        record = read(self.path(step))
        return None if record is None else record["result"]

    def once(self, step: str, inputs: Json, action: Callable[[str], Json]) -> Json:
        """The result of the step, which is done only where it was not done with these inputs.

        action: does it, given the key; may be called again where it was cut, and must cope with
        what it left. Its result is plain JSON.
        """
        key = key_of(inputs)
        record = read(self.path(step))
        if record is not None and record["key"] == key:
            return dict(record["result"])
        begin = time.monotonic()
        result = action(key)
        seconds = round(time.monotonic() - begin, 1)
        write(self.path(step), {"key": key, "inputs": inputs, "result": result, "seconds": seconds})
        return result


class BusyError(C3DError):
    """Another process works in the same state folder."""

    exit_code = 2


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Holds the state folder; yields a descriptor that keeps it held in child processes too.

    Raises BusyError where another process holds it for longer than LOCK_SECONDS.
    """
    make_folder(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait_for(descriptor, folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, folder: Path) -> None:
    import fcntl

    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                message = f"another train-catalogue works in {folder}; wait for it, or end it"
                raise BusyError(message) from None
            time.sleep(0.1)
