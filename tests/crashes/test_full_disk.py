"""A real disk that is full: a small tmpfs, which root may mount."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from c3d_export.cli.main import main
from c3d_export.core.errors import DiskError
from c3d_export.core.limits import KIB
from c3d_export.runtime.store.store import Store

from .conftest import NEW, OLD

PAGE = 4 * KIB
Resize = Callable[[int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system and a way to give it another size in bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")

    def resize(size: int) -> None:
        options = f"remount,size={size}"
        subprocess.run(["mount", "-o", options, str(folder)], check=True, capture_output=True)

    yield folder, resize
    subprocess.run(["umount", str(folder)], check=True)


def _used(folder: Path) -> int:
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(-(-size // PAGE) * PAGE for size in sizes)


def test_a_full_disk_changes_nothing(disk: tuple[Path, Resize], harness: ModuleType) -> None:
    folder, resize = disk
    store = Store(folder / "store")
    old, new = (harness.stages.named(path.read_bytes(), "tried") for path in (OLD, NEW))
    active = store.add(old)
    store.activate("tried", active)
    before = harness.stages.listing(folder)
    for room in (0, PAGE, 100 * KIB, 400 * KIB, 900 * KIB, 1600 * KIB):
        resize(_used(folder) + room)
        with pytest.raises(DiskError, match="No space left on device; free some space"):
            store.add(new)
        left = harness.stages.listing(folder)
        assert {k: v for k, v in left.items() if v != "folder"} == {
            k: v for k, v in before.items() if v != "folder"
        }
        assert store.bundle(store.active("tried")).id == active
    resize(64 << 20)
    store.activate("tried", store.add(new))
    store.prune()
    assert store.rollback("tried") == active


@pytest.mark.parametrize(
    ("name", "rooms"), [("export", (0, 300 * KIB)), ("bundle", (0, 200 * KIB))]
)
def test_a_command_on_a_full_disk_leaves_what_there_was(
    disk: tuple[Path, Resize], harness: ModuleType, name: str, rooms: tuple[int, ...]
) -> None:
    """`export` and `bundle` write over an old version: it stays, and works."""
    pytest.importorskip("onnx")
    folder, resize = disk
    stage = harness.stages.STAGES[name]
    stage.prepare(folder, OLD, NEW)
    before = harness.stages.listing(folder)
    for room in rooms:
        resize(_used(folder) + room)
        result = CliRunner().invoke(main, stage.args(folder))
        assert result.exit_code == 4, result.output
        assert "No space left on device" in result.output
        left = harness.stages.listing(folder)
        assert before.items() <= left.items()  # what `bundle` learnt of the overlay may be new
        assert not list(folder.rglob("*.c3d-tmp"))
        stage.check(folder)
    resize(64 << 20)
    result = CliRunner().invoke(main, stage.args(folder))
    assert result.exit_code == 0, result.output
    assert harness.stages.listing(folder) != before
    stage.check(folder)
