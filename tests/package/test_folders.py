"""Folders that appear whole or not at all, whatever happens to who makes them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from c3d_export.core.errors import DiskError, OptionError
from c3d_export.deploy.folders import new_folder

MAKER = """
import sys, time, pathlib
from c3d_export.deploy.folders import new_folder
with new_folder(pathlib.Path(sys.argv[1])) as made:
    (made / "part").write_text("half")
    print("making", flush=True)
    sys.stdin.read()
"""


def _maker(target: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MAKER, str(target)]
    pipe = subprocess.PIPE
    made = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "making\n"
    return made


def _end(maker: subprocess.Popen[str], kill: bool) -> None:
    if kill:
        maker.send_signal(signal.SIGKILL)
    maker.communicate(timeout=60)


def test_a_killed_maker_leaves_nothing_that_the_next_one_does_not_remove(tmp_path: Path) -> None:
    target = tmp_path / "package"
    _end(_maker(target), kill=True)
    assert not target.exists()
    assert len(list(tmp_path.iterdir())) == 1
    with new_folder(target) as made:
        (made / "whole").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["package"]
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_two_at_once_do_not_disturb_one_another(tmp_path: Path) -> None:
    """The first to be ready wins; the other one says so."""
    target = tmp_path / "package"
    slow = _maker(target)
    with new_folder(target) as made:
        (made / "whole").write_text("x")
    _end(slow, kill=False)
    assert slow.returncode
    assert [path.name for path in tmp_path.iterdir()] == ["package"]
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def fail(made: Path) -> None:
        (made / "deep").mkdir()
        (made / "deep" / "part").write_text("half")
        raise OptionError("no")

    with pytest.raises(OptionError), new_folder(tmp_path / "a" / "b") as made:
        fail(made)
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize("kind", ["file", "full", "link", "dead-link"])
def test_what_is_there_is_left_alone(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    (tmp_path / "other").mkdir()
    if kind == "file":
        target.write_text("x")
    elif kind == "full":
        target.mkdir()
        (target / "precious").write_text("x")
    else:
        target.symlink_to(tmp_path / ("other" if kind == "link" else "absent"))
    with pytest.raises(DiskError, match="no empty folder"), new_folder(target):
        raise AssertionError
    assert {path.name for path in tmp_path.iterdir()} == {"target", "other"}


def test_a_place_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(DiskError, match="choose another folder"),
        new_folder(tmp_path / "file" / "a"),
    ):
        raise AssertionError
