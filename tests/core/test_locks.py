"""Locks that a dead process cannot keep."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from c3d_export.core.errors import BusyError, DiskError
from c3d_export.core.locks import is_locked, open_locked

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
