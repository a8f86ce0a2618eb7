"""Atomic files: whatever fails, the old file stays and no temporary one does."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from c3d_export.core import atomic
from c3d_export.core.atomic import TEMP_SUFFIX, atomic_path, write_bytes_atomic
from c3d_export.core.errors import DiskError


def _only(folder: Path, name: str, data: bytes) -> bool:
    return [path.name for path in folder.iterdir()] == [name] and (
        folder / name
    ).read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"new", bytearray(b"new"), memoryview(b"new")])
def test_a_file_is_written_and_replaced(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bin"
    write_bytes_atomic(path, b"old")
    write_bytes_atomic(str(path), data)
    assert _only(tmp_path, "a.bin", bytes(data))


def test_the_mode_is_that_of_a_plain_file(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        write_bytes_atomic(tmp_path / "a", b"")
        write_bytes_atomic(tmp_path / "b", b"", mode=0o600)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
    assert modes == [0o644, 0o600]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    write_bytes_atomic(tmp_path / "a", b"0123456789")
    assert _only(tmp_path, "a", b"0123456789")


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failing_system_call_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DiskError, match=r"cannot write .*a\.bin: .*; "):
        write_bytes_atomic(path, b"new")
    assert _only(tmp_path, "a.bin", b"old")


def test_the_disk_that_fills_up_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = os.write, [4]

    def fill(descriptor: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] = 0
        return write(descriptor, data[:4])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(DiskError, match="No space left on device; free some space"):
        write_bytes_atomic(tmp_path / "a", b"0123456789")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_removes_the_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomic(tmp_path / "a", b"new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO])
def test_a_folder_that_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    if code == errno.EINVAL:  # the file system does not know how
        write_bytes_atomic(tmp_path / "a", b"new")
    else:
        with pytest.raises(DiskError):
            write_bytes_atomic(tmp_path / "a", b"new")
    assert _only(tmp_path, "a", b"new")


def test_a_missing_folder_a_folder_and_a_zero_byte_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "a", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(DiskError, match="cannot write"):
            write_bytes_atomic(path, b"new")
    assert not list(tmp_path.iterdir())


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DiskError, match="no regular file"):
        write_bytes_atomic(tmp_path / "pipe", b"new")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_name_of_255_bytes_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    write_bytes_atomic(tmp_path / ("ü" * 127), b"new")
    assert len(list(tmp_path.iterdir())) == 1


def test_atomic_path_publishes_on_success(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.bin") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(TEMP_SUFFIX)
        temporary.write_bytes(b"new")
        assert not (tmp_path / "a.bin").exists()
    assert _only(tmp_path, "a.bin", b"new")


@pytest.mark.parametrize(
    ("raised", "seen"), [(ValueError("x"), ValueError), (OSError(28, "full"), DiskError)]
)
def test_atomic_path_keeps_the_old_file_on_failure(
    tmp_path: Path, raised: Exception, seen: type[Exception]
) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")

    def write_half() -> None:
        with atomic_path(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            raise raised

    with pytest.raises(seen):
        write_half()
    assert _only(tmp_path, "a.bin", b"old")


def test_atomic_path_wants_the_file_to_be_created(tmp_path: Path) -> None:
    with pytest.raises(DiskError), atomic_path(tmp_path / "a.bin"):
        pass
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from c3d_export.core import atomic
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
atomic.write_bytes_atomic(sys.argv[1], b"new" * 100_000)
"""


def test_kill_9_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    source_root = Path(atomic.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(source_root)}
    command = [sys.executable, "-c", KILLED, str(path)]
    done = subprocess.run(command, env=environment, timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (stale,) = set(tmp_path.iterdir()) - {path}
    assert stale.name.endswith(TEMP_SUFFIX)
    write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"new"
