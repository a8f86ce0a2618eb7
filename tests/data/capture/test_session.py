"""How captures end: kills, interrupts, full disks, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c3d_export.data.capture import processes
from c3d_export.runtime.images import read_image

from .pictures import index_of

COMMAND = (sys.executable, "-m", "c3d_export", "data", "capture", "--every", "1")
Start = Callable[..., "subprocess.Popen[str]"]
FOR_EVER = ("frames", "1000000", "delay", "5")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def start() -> Iterator[Start]:
    """start(env, *words): a capture in a process of its own, which is gone after the test."""
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as captures:

        def start_(env: dict[str, str], *words: object) -> subprocess.Popen[str]:
            command = [*COMMAND, *map(str, words)]
            process = subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True)
            captures.enter_context(process)
            captures.callback(process.kill)
            return process

        yield start_


def programs_of(capture: subprocess.Popen[str], name: str) -> list[int]:
    """The programs that a capture has started."""
    own = Path(f"/proc/{capture.pid}/task/{capture.pid}/children").read_text().split()
    return [int(pid) for pid in own if Path(f"/proc/{pid}/comm").read_text().strip() == name]


def test_a_killed_capture_leaves_the_program_running_and_whole_files(
    start: Start, gl_program: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """Also the display that was made for it stays as long as it is used."""
    alone = {name: value for name, value in env.items() if name != "DISPLAY"}
    words = ("-o", tmp_path / "out", "--count", 100_000, "--min-change", 0, "--warmup", 0)
    capture = start(alone, *words, "--", gl_program, "glx", "frames", 300, "delay", 5)
    until(lambda: len(list(tmp_path.glob("out/*.webp"))) > 5)
    (program,) = programs_of(capture, "gl_program")
    (server,) = programs_of(capture, "Xvfb")
    capture.kill()
    capture.communicate()
    time.sleep(0.5)
    assert lives(program)
    assert lives(server)
    for path in (tmp_path / "out").glob("*.webp"):
        index_of(read_image(path))
    until(lambda: not lives(program))
    until(lambda: not lives(server))


def test_a_capture_that_is_killed_before_its_display_is_used_leaves_none(
    env: dict[str, str],
) -> None:
    """Between the number of the display and our hello there."""
    code = """
import shutil, sys
from c3d_export.data.capture import headless
with headless._server(shutil.which("Xvfb"), (64, 64)) as server:
    headless._number(server)
    print(server.pid, flush=True)
    sys.stdin.read()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdin=pipe, stdout=pipe
    ) as starter:
        assert starter.stdout is not None
        server = int(starter.stdout.readline())
        assert Path(f"/proc/{server}/comm").read_text() == "Xvfb\n"
        starter.kill()
        until(lambda: not lives(server))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_capture_ends_the_program(
    start: Start, number: signal.Signals, gl_program: Path, env: dict[str, str], tmp_path: Path
) -> None:
    words = ("-o", tmp_path / "out", "--count", 100_000, "--min-change", 0, "--warmup", 0)
    capture = start(env, *words, "--", gl_program, "glx", *FOR_EVER)
    until(lambda: list(tmp_path.glob("out/*.webp")))
    (program,) = programs_of(capture, "gl_program")
    capture.send_signal(number)
    _, said = capture.communicate(timeout=20)
    assert (capture.returncode, said) == (130, "error: interrupted\n")
    assert not lives(program)
    assert not list(tmp_path.glob("out/.*"))


def test_a_program_that_hears_no_sigterm_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        started = time.monotonic()
        processes.end(stubborn.pid, (), grace=0.3)
        assert stubborn.wait(10) == -signal.SIGKILL
        assert time.monotonic() - started > 0.3


def test_a_stopped_capture_does_not_hold_the_program_for_ever(
    start: Start, gl_program: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """It waits for 20 s, and goes on alone to its end, which the capture learns when it goes on."""
    words = ("-o", tmp_path / "out", "--count", 100_000, "--min-change", 0, "--warmup", 0)
    words = (*words, "--log", tmp_path / "log")
    command = (gl_program, "glx", "frames", 1500, "delay", 1)
    capture = start(env, *words, "--", *command)
    until(lambda: list(tmp_path.glob("out/*.webp")))
    (program,) = programs_of(capture, "gl_program")
    capture.send_signal(signal.SIGSTOP)
    time.sleep(5)
    assert lives(program)
    until(lambda: not lives(program))
    capture.send_signal(signal.SIGCONT)
    _, said = capture.communicate(timeout=20)
    assert capture.returncode == 0, said
    longest = re.search(r"longest swap: (\d+) ms", (tmp_path / "log").read_text())
    assert longest
    assert 19_000 <= int(longest[1]) < 30_000
    for path in (tmp_path / "out").iterdir():
        index_of(read_image(path))


def test_a_full_disk_keeps_what_was_taken(
    gl_program: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """Here no file may be larger than some pictures are, which have grown by then."""
    words = ["-o", str(tmp_path / "out"), "--format", "png", "--min-change", "0", "--warmup", "0"]
    shell = 'trap "" XFSZ; ulimit -f 2; exec "$@"'
    program = [str(gl_program), "glx", "frames", "100000", "resize", "3"]
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *COMMAND, *words, "--", *program],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith("error: cannot write ")
    assert len(done.stderr.splitlines()) == 1
    for path in (tmp_path / "out").iterdir():
        index_of(read_image(path))


def test_a_summary_for_machines(
    start: Start, gl_program: Path, env: dict[str, str], tmp_path: Path
) -> None:
    words = ("-o", tmp_path / "out", "--json", "--min-change", 0, "--warmup", 0)
    capture = start(env, *words, "--", gl_program, "glx", "frames", 4, "exit", 9)
    out, said = capture.communicate(timeout=30)
    note = "note: the program ended with exit code 9"
    assert (capture.returncode, said) == (9, f"{note}: 0 frames dropped\n")
    result = json.loads(out)
    assert result["files"] == [str(tmp_path / f"out/gl_program_00{i}.webp") for i in range(3)]
    assert result["sizes"] == [{"width": 160, "height": 96, "frames": 3}]
    assert (result["ended"], result["program_exit"], result["program_frames"]) == ("program", 9, 4)


def test_a_program_may_run_as_somebody_else(
    start: Start,
    gl_program: Path,
    env: dict[str, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if os.geteuid() != 0 or shutil.which("runuser") is None:
        pytest.skip("not root, or no runuser")
    open_to_all = Path(tempfile.mkdtemp(prefix="c3d-test-"))
    request.addfinalizer(lambda: shutil.rmtree(open_to_all))
    open_to_all.chmod(0o755)
    program = shutil.copy(gl_program, open_to_all)
    words = ("-o", tmp_path / "out", "--json", "--min-change", 0, "--warmup", 0)
    command = ("runuser", "-u", "nobody", "--", program, "egl-gl", "frames", 4)
    capture = start(env, *words, "--", *command)
    out, said = capture.communicate(timeout=30)
    if capture.returncode == 77:
        pytest.skip(said)
    assert capture.returncode == 0, said
    assert json.loads(out)["frames"] == 3
