"""Event files of TensorBoard, written by tensorboardX where it is installed.

Of tensorboardX only the messages and the framing of records are used: its writer has a thread and
a queue of its own, and what is in the queue is lost with a process that is killed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "events.out.tfevents."


class Events:
    """One event file; every report is on its way to the disk when `add` returns."""

    def __init__(self, path: Path, start: int) -> None:
        """start: steps from this one on, in older files beside this one, count no more."""
        from tensorboardX.proto import event_pb2
        from tensorboardX.record_writer import RecordWriter

        self._messages: Any = event_pb2
        self._writer: Any = RecordWriter(str(path))
        self._write(file_version="brain.Event:2")
        if start:
            session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(step=start, session_log=session)

    def _write(self, **fields: Any) -> None:
        event = self._messages.Event(wall_time=time.time(), **fields)
        with contextlib.suppress(OSError):  # a full disk ends the events, not the training
            self._writer.write(event.SerializeToString())
            self._writer.flush()

    def add(self, step: int, figures: dict[str, float]) -> None:
        """One scalar for each figure."""
        from tensorboardX.proto import summary_pb2

        values = [summary_pb2.Summary.Value(tag=t, simple_value=v) for t, v in figures.items()]
        self._write(step=step, summary=summary_pb2.Summary(value=values))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()


def open_events(folder: Path, step: int) -> Events | None:
    """A file for the steps after `step` (0: old files are removed); None without tensorboardX."""
    name = f"{PREFIX}{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
    try:
        if not step:
            for old in folder.glob(f"{PREFIX}*"):
                old.unlink(missing_ok=True)
        return Events(folder / name, step + 1 if step else 0)
    except (ImportError, OSError):
        return None
