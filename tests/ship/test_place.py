"""Bundles into folders: atomic, resumable, nothing twice, no litter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.atomic import TEMP_SUFFIX
from c3d_export.core.errors import DiskError, MissingInputError, UnreachableError
from c3d_export.deploy.ship.files import LocalFiles
from c3d_export.deploy.ship.parcel import Parcel
from c3d_export.deploy.ship.place import part_name, place
from c3d_export.runtime.remote.deadline import Deadline

from .conftest import Disk, MakeParcel

DATA = bytes(range(256)) * 12_000  # three pieces


class Counter:
    def __init__(self, end: int | None = None) -> None:
        self.total, self._end = 0, end

    def __call__(self, count: int) -> None:
        self.total += count
        if self._end is not None and self.total >= self._end:
            raise UnreachableError("cut by the test")


@pytest.fixture
def parcel(make_parcel: MakeParcel) -> Parcel:
    return make_parcel(DATA)


def put(folder: Path, parcel: Parcel, end: int | None = None) -> tuple[bool, int]:
    """Whether something was sent, and how much."""
    counter = Counter(end)
    return place(LocalFiles(Deadline(600)), str(folder), parcel, counter), counter.total


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_arrives_once(tmp_path: Path, parcel: Parcel) -> None:
    assert put(tmp_path, parcel) == (True, len(DATA))
    assert (tmp_path / "a.c3b").read_bytes() == DATA
    assert (tmp_path / "a.c3b").stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert put(tmp_path, parcel) == (False, 0)
    assert names(tmp_path) == ["a.c3b"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("other", [b"", b"old", DATA[:-1] + b"!", DATA + b"!"])
def test_what_is_there_is_replaced_unless_it_is_the_same(
    tmp_path: Path, parcel: Parcel, other: bytes
) -> None:
    (tmp_path / "a.c3b").write_bytes(other)
    assert put(tmp_path, parcel) == (True, len(DATA))
    assert (tmp_path / "a.c3b").read_bytes() == DATA
    assert names(tmp_path) == ["a.c3b"]


def test_a_cut_transfer_goes_on_and_the_old_bundle_stays_until_then(
    tmp_path: Path, parcel: Parcel
) -> None:
    (tmp_path / "a.c3b").write_bytes(b"old")
    with pytest.raises(UnreachableError):
        put(tmp_path, parcel, end=1 << 20)
    assert (tmp_path / "a.c3b").read_bytes() == b"old"
    assert put(tmp_path, parcel) == (True, len(DATA) - (1 << 20))
    assert (tmp_path / "a.c3b").read_bytes() == DATA
    assert names(tmp_path) == ["a.c3b"]


@pytest.mark.parametrize("part", [b"\0" * 5000, DATA + b"too long", b"\0" * (len(DATA) + 5)])
def test_a_part_that_holds_something_else_is_not_believed(
    tmp_path: Path, parcel: Parcel, part: bytes
) -> None:
    (tmp_path / part_name(parcel)).write_bytes(part)
    assert put(tmp_path, parcel)[0]
    assert (tmp_path / "a.c3b").read_bytes() == DATA


def test_links_are_replaced_and_not_followed(tmp_path: Path, parcel: Parcel) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    folder.mkdir()
    victim.write_bytes(DATA)  # even where it is the same
    (folder / "a.c3b").symlink_to(victim)
    (folder / part_name(parcel)).symlink_to(victim)
    assert put(folder, parcel) == (True, len(DATA))
    assert not (folder / "a.c3b").is_symlink()
    assert victim.read_bytes() == DATA
    assert (folder / "a.c3b").read_bytes() == DATA


def test_a_folder_may_be_a_link(tmp_path: Path, parcel: Parcel) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert put(tmp_path / "link", parcel)[0]
    assert names(tmp_path / "real") == ["a.c3b"]


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path, parcel: Parcel) -> None:
    (tmp_path / "file").write_bytes(b"")
    for missing in ("not-mounted", "file", "file/x"):
        with pytest.raises(MissingInputError, match="create it, or mount it"):
            put(tmp_path / missing, parcel)
    assert names(tmp_path) == ["file"]


def test_a_folder_of_the_bundles_name_is_left_alone(tmp_path: Path, parcel: Parcel) -> None:
    (tmp_path / "a.c3b").mkdir()
    with pytest.raises(DiskError, match="is a folder"):
        put(tmp_path, parcel)
    assert names(tmp_path) == ["a.c3b"]


def test_litter_of_the_dead_goes_and_that_of_the_living_stays(
    tmp_path: Path, parcel: Parcel
) -> None:
    dead, living = (f".a.c3b.{digit * 16}.0{TEMP_SUFFIX}" for digit in "01")
    foreign = f".b.c3b.{'0' * 16}.0{TEMP_SUFFIX}"
    for name in (dead, living, foreign):
        (tmp_path / name).write_bytes(b"x")
    for name in (dead, foreign):
        os.utime(tmp_path / name, (1, 1))
    put(tmp_path, parcel)
    assert names(tmp_path) == sorted([living, foreign, "a.c3b"])


def test_a_part_beside_the_finished_bundle_is_litter(tmp_path: Path, parcel: Parcel) -> None:
    put(tmp_path, parcel)
    (tmp_path / part_name(parcel)).write_bytes(DATA[:9])
    assert put(tmp_path, parcel) == (False, 0)
    assert names(tmp_path) == ["a.c3b"]


def test_a_full_disk_is_told_and_left_as_it_was(
    small_disk: Disk, parcel: Parcel, make_parcel: MakeParcel
) -> None:
    folder = small_disk(2048)
    put(folder, make_parcel(b"old"))
    with pytest.raises(DiskError, match="free some space"):
        put(folder, parcel)
    assert names(folder) == ["a.c3b"]
    assert (folder / "a.c3b").read_bytes() == b"old"


def together(*calls: Callable[[], object]) -> list[Exception]:
    failed: list[Exception] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_several_at_once_to_one_folder(tmp_path: Path, parcel: Parcel) -> None:
    for _ in range(10):
        assert together(*[lambda: put(tmp_path, parcel)] * 4) == []
        assert (tmp_path / "a.c3b").read_bytes() == DATA
        assert names(tmp_path) == ["a.c3b"]
        (tmp_path / "a.c3b").unlink()


def test_readers_see_a_whole_bundle_at_any_time(
    tmp_path: Path, parcel: Parcel, make_parcel: MakeParcel
) -> None:
    other, stop, seen = make_parcel(DATA[::-1]), threading.Event(), set[str]()
    put(tmp_path, parcel)

    def read() -> None:
        while not stop.is_set():
            data = (tmp_path / "a.c3b").read_bytes()
            seen.add({DATA: "old", DATA[::-1]: "new"}.get(data, "torn"))

    def write() -> None:
        for _ in range(10):
            put(tmp_path, other)
            put(tmp_path, parcel)
        stop.set()

    assert together(read, write) == []
    assert "torn" not in seen


KILLED = """
import os, signal, sys
from c3d_export.core.digest import sha256_bytes
from c3d_export.deploy.ship.files import LocalFiles
from c3d_export.deploy.ship.parcel import Parcel
from c3d_export.deploy.ship.place import place
from c3d_export.runtime.remote.deadline import Deadline
data = bytes(range(256)) * 12_000
digest = sha256_bytes(data)
def die(count):
    os.kill(os.getpid(), signal.SIGKILL)
place(LocalFiles(Deadline(600)), sys.argv[1], Parcel("a.c3b", "a", digest[:16], digest, data), die)
"""


def test_a_killed_ship_is_gone_on_with(tmp_path: Path, parcel: Parcel) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (part,) = names(tmp_path)
    assert part.endswith(TEMP_SUFFIX)
    assert put(tmp_path, parcel) == (True, len(DATA) - (1 << 20))
    assert names(tmp_path) == ["a.c3b"]


DYING = """
import os, signal, sys
from pathlib import Path
from c3d_export.core.digest import sha256_bytes
from c3d_export.deploy.ship.files import LocalFiles
from c3d_export.deploy.ship.parcel import Parcel
from c3d_export.deploy.ship.place import place
from c3d_export.runtime.remote.deadline import Deadline

data, folder = bytes(range(256)) * 12_000, Path(sys.argv[1])
digest = sha256_bytes(data)
parcel = Parcel("a.c3b", "a", digest[:16], digest, data)
left = -1

def counted(call):
    def wrapper(*arguments, **options):
        step()
        return call(*arguments, **options)
    return wrapper

def step(count=0):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def put():
    place(LocalFiles(Deadline(600)), str(folder), parcel, step)

for name in ("open", "fsync", "replace", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
for old in (None, b"old"):
    for death in range(1, 99):
        for path in folder.iterdir():
            path.unlink()
        if old:
            (folder / "a.c3b").write_bytes(old)
        child = os.fork()
        if not child:
            left = death
            put()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left = -1
        there = (folder / "a.c3b").read_bytes() if (folder / "a.c3b").exists() else None
        assert there in (old, data), death
        put()
        assert [path.name for path in folder.iterdir()] == ["a.c3b"], death
        assert (folder / "a.c3b").read_bytes() == data, death
        if status == 0:
            break
        assert status == -signal.SIGKILL
    print(death - 1)
"""


def test_death_at_any_step_leaves_the_old_bundle_and_no_litter_later(tmp_path: Path) -> None:
    """At every open, write, fsync and rename, one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Open, three pieces, fsync of the file, rename, fsync of the folder.
    assert min(map(int, done.stdout.split())) >= 7
