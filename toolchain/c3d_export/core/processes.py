"""Processes that share the work of one command."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def cores() -> int:
    """The cores that this process may use."""
    count = getattr(os, "sched_getaffinity", None)
    return len(count(0)) if count else os.cpu_count() or 1


def end_with_parent() -> None:
    """Has this worker end when its parent was killed; it would else wait for jobs for ever.

    An interrupt of the terminal reaches all processes, and is the parent's to handle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
