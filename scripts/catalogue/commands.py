"""`c3d-export` as processes of their own: what they printed, and how they failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from c3d_export.core.errors import C3DError

CHILD: Final = Path(__file__).with_name("child.py")


class CommandFailedError(C3DError):
    """A command ended with an exit code other than 0, which is kept as `code`."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Runner:
    """threads: of each command. lock: a descriptor that stays open while a command runs."""

    threads: int = 1
    lock: int | None = None

    def run(self, arguments: Sequence[str], workspace: Path, log: Path) -> Any:
        """What the command printed as JSON; stderr goes to the end of `log`.

        Raises CommandFailedError with the last line of stderr.
        """
        line = f"c3d-export {' '.join(arguments)}"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {line}\n")
            file.flush()
            begin = file.tell()
            done = subprocess.run(
                [sys.executable, "-P", str(CHILD), str(os.getpid()), *arguments, "--json"],
                env=self._environment(workspace),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                pass_fds=() if self.lock is None else (self.lock,),
                check=False,
            )
        if done.returncode:
            reason = _last_line(log, begin) or "it said nothing"
            message = f"{line}: {reason.removeprefix('error: ')} (exit code {done.returncode})"
            raise CommandFailedError(f"{message}; all that it said is in {log}", done.returncode)
        return json.loads(done.stdout)

    def _environment(self, workspace: Path) -> dict[str, str]:
        """Single-threaded trainings side by side are faster than one on all cores."""
        threads = str(self.threads)
        return {
            **os.environ,
            "C3D_WORKSPACE": str(workspace),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }


def _last_line(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")
