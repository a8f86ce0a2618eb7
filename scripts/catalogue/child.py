"""Runs `c3d-export` as a child that ends with its parent: child.py PARENT ARGUMENT...

Else a training whose parent was killed would go on, beside the one that the next run starts. A
program of its own, since code between fork and exec is not safe in a process with threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # of Linux' prctl.h; elsewhere the lock of the state folder has to do


def die_with(parent: int) -> None:
    """Has the kernel kill this process when its parent ends; at once where it has ended."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    from c3d_export.cli.main import main

    main(sys.argv[2:], "c3d-export")
