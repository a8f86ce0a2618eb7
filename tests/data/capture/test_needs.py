"""What a capture needs and refuses: displays, programs that load no library, options, ffmpeg."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import (
    LibraryMissingError,
    MissingInputError,
    OptionError,
)
from c3d_export.data.capture import headless, surroundings
from c3d_export.data.capture.headless import headless_display
from c3d_export.data.capture.options import Options, Pace, Place, Target
from c3d_export.data.capture.program import check_preloads, find_program, preload_library
from c3d_export.data.capture.surroundings import scratch_folder


def test_a_display_of_its_own_has_the_size_asked_for(env: dict[str, str]) -> None:
    if shutil.which("xdpyinfo") is None:
        pytest.skip("no xdpyinfo")
    with headless_display((320, 200), os.environ) as shown:
        assert shown["DISPLAY"] != env["DISPLAY"]
        assert "WAYLAND_DISPLAY" not in shown
        said = subprocess.run(["xdpyinfo"], env=shown, capture_output=True, text=True, check=True)
        assert "320x200 pixels" in said.stdout
    gone = subprocess.run(["xdpyinfo"], env=shown, capture_output=True, text=True, check=False)
    assert gone.returncode != 0


def test_whether_a_display_is_there(env: dict[str, str]) -> None:
    assert all(map(headless.is_there, (env["DISPLAY"], env["DISPLAY"] + ".0", "elsewhere:0")))
    assert all(map(headless.is_named, (env["DISPLAY"], env["DISPLAY"] + ".0", "elsewhere:0")))
    assert not headless.is_there(":4711")
    assert not headless.is_named(":4711")


def test_looking_for_a_display_without_clients_does_not_end_it() -> None:
    """As a client that leaves does, where the server was started with -terminate."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("no Xvfb")
    with headless._server(xvfb, (64, 48)) as server:
        display = f":{headless._number(server)}"
        with surroundings.display(Place(grab=display), {}) as shown:
            assert shown["DISPLAY"] == display
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(1)


def test_the_folder_of_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o711
    assert not folder.exists()
    monkeypatch.setattr(tempfile, "tempdir", "/a b")
    with pytest.raises(OptionError, match="no blank"), scratch_folder():
        pass


def test_no_xvfb_says_what_to_install(tmp_path: Path) -> None:
    with (
        pytest.raises(LibraryMissingError, match=r"install it \(Debian: xvfb\)"),
        headless_display((320, 200), {"PATH": str(tmp_path)}),
    ):
        pass


def test_an_xvfb_that_does_not_come_up_says_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "Xvfb").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "Xvfb").chmod(0o755)
    started = time.monotonic()
    with (
        pytest.raises(LibraryMissingError, match="Xvfb does not come up"),
        headless_display((320, 200), {"PATH": str(tmp_path)}),
    ):
        pass
    assert time.monotonic() - started < headless.PATIENCE / 2


def test_no_library_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissingError, match="from its source, on Linux"):
        preload_library(tmp_path)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(MissingInputError, match="no program c3d-no-such-program"):
        find_program(["c3d-no-such-program"])


def elf(bits: int, *segments: int) -> bytes:
    head = bytearray(64 + 56 * len(segments))
    head[:5] = b"\x7fELF" + bytes([bits // 32])
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, len(segments))
    for index, kind in enumerate(segments):
        struct.pack_into("<I", head, 64 + 56 * index, kind)
    return bytes(head)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (elf(32, 3), "a 32-bit program"),
        (elf(64, 1, 2), "it is static"),
        (elf(64, 1, 3), ""),
        (b"#!/bin/sh\n", ""),
        (b"\x7fELF\x02", ""),
        (b"", ""),
    ],
)
def test_files_that_take_no_library_are_refused(data: bytes, why: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(data)
    if not why:
        check_preloads(program)
        return
    with pytest.raises(OptionError, match=f"{why}; capture what it shows: --display new"):
        check_preloads(program)


def test_this_python_takes_one() -> None:
    check_preloads(Path(sys.executable))


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda t: Options((), t), "no program to run"),
        (
            lambda t: Options(("a",), t, Pace(every=2), Place(grab=":1")),
            "count frames of a program",
        ),
        (lambda t: Pace(skip_drawing=True), "needs --every"),
        (lambda t: Place(size=(0, 5)), "outside 1"),
        (lambda t: Place(headless=True, grab=":3"), "two displays"),
        (lambda t: Target(t.folder, "a", suffix="jpg"), "unknown format jpg"),
    ],
)
def test_what_cannot_be_asked_for(
    build: Callable[[Target], object], why: str, tmp_path: Path
) -> None:
    target = Target(tmp_path, "a")
    with pytest.raises(OptionError, match=why):
        build(target)
