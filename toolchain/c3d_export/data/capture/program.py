"""The program whose frames are taken: started, watched, ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from c3d_export.core.errors import LibraryMissingError, MissingInputError, OptionError
from c3d_export.data.capture import processes

LAST_BYTES: Final = 4096
_PRELOAD: Final = "_capture*.so"
_PACKAGE: Final = Path(__file__).resolve().parents[2]


def preload_library(package: Path = _PACKAGE) -> Path:
    """The library that goes into programs. Raises LibraryMissingError where it was not built."""
    found = sorted(package.glob(_PRELOAD))
    if not found:
        advice = "install c3d-export from its source, on Linux: hosts' wheels leave it out"
        raise LibraryMissingError(f"the library that takes frames is not built; {advice}")
    return found[0]


def find_program(command: Sequence[str]) -> Path:
    """The file of a command. Raises MissingInputError where there is none that can be run."""
    found = shutil.which(command[0])
    if found is None and os.path.isfile(command[0]):
        raise MissingInputError(f"{command[0]} cannot be run; make it executable")
    if found is None:
        raise MissingInputError(f"no program {command[0]}; check the name, or give its path")
    return Path(found)


def check_preloads(path: Path) -> None:
    """Raises OptionError for a program that takes no library of ours, as its file says."""
    if kind := processes.kind_of(path):
        why = {"privileged": "it runs with the rights of another user", "static": "it is static"}
        reason = why.get(kind, "it is a 32-bit program")
        advice = "capture what it shows: --display new"
        raise OptionError(f"{path} loads no library that takes frames, since {reason}; {advice}")


class Program:
    """A running command, in a session of its own, so that it can be ended with its children.

    Laws: `code` is its exit code once it has ended, 128 and the number for one that a signal
    ended, as a shell has it.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Starts it; what it prints goes to `log`. Raises MissingInputError, DiskError."""
        self.started = time.monotonic()
        self.name = os.path.basename(command[0])
        self._log = log
        self._code: int | None = None
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    command,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise MissingInputError(f"cannot run {command[0]}: {error}; check it") from error

    @property
    def code(self) -> int | None:
        # Not reaped before `end`: as long as the kernel keeps its number, no other session has it.
        if self._code is None:
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if found := os.waitid(os.P_PID, self._process.pid, how):
                by_itself = found.si_code == os.CLD_EXITED
                self._code = found.si_status if by_itself else 128 + found.si_status
        return self._code

    @property
    def pids(self) -> list[int]:
        """Its living processes."""
        return processes.of_session(self._process.pid)

    def end(self, others: Iterable[int] = ()) -> None:
        """Ends it with its children, and other processes that are known to be its."""
        processes.end(self._process.pid, others)
        self._process.wait()

    def last_line(self) -> str:
        """What it printed last; nothing where that went to a device."""
        if not self._log.is_file():
            return ""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - LAST_BYTES))
            text = file.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""
