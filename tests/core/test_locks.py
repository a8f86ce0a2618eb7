"""Locks that a dead process cannot keep."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from c3d_export.core.errors import BusyError, DiskError
from c3d_export.core.locks import is_locked, locked, open_locked

HOLD = """
import sys
from pathlib import Path
from c3d_export.core.locks import open_locked
open_locked(Path(sys.argv[1]), "busy")
print("held", flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no flock")


def test_a_lock_holds_until_its_process_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert is_locked(path)
        with pytest.raises(BusyError, match="wait for it"):
            open_locked(path, "wait for it")
        child.kill()
        child.wait(timeout=30)
    assert not is_locked(path)
    os.close(open_locked(path, "wait for it"))


def test_looking_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    assert not is_locked(path)
    descriptor = open_locked(path, "busy")
    assert is_locked(path)
    os.close(descriptor)
    assert not is_locked(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="create the folder"):
        open_locked(tmp_path / "none" / "lock", "busy")


def test_a_look_does_not_refuse_a_process_that_begins(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, [descriptor]).start()
    os.close(open_locked(path, "busy"))


def test_who_waits_says_so_once_and_goes_on_when_it_is_free(tmp_path: Path) -> None:
    path, said = tmp_path / "lock", []
    descriptor = open_locked(path, "busy")

    def waits() -> None:
        said.append("waiting")
        threading.Timer(0.1, os.close, [descriptor]).start()

    with locked(path, waits):
        assert is_locked(path)
    assert said == ["waiting"]
    assert not is_locked(path)
    with locked(path, waits):
        pass
    assert said == ["waiting"]


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with locked(tmp_path / "lock"):
        pass
    with pytest.raises(DiskError, match="use a local disk"), locked(tmp_path / "x", needed=True):
        pass
