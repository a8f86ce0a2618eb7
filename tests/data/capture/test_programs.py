"""Frames of programs that really run: on X11 and off the screen, by GLX, EGL and SDL."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path

import pytest

from c3d_export.core.errors import NothingCapturedError, OptionError
from c3d_export.data.capture import headless
from c3d_export.data.capture.options import Place

from .conftest import HERE, Capture, Compile
from .pictures import index_of

ON_SCREEN = ["glx", "glx-core", "glx-window"]
OFF_SCREEN = ["egl-es2", "egl-es3", "egl-gl"]
NO_CONTEXT = 77


@pytest.mark.parametrize("kind", ON_SCREEN + OFF_SCREEN)
def test_frames_are_what_was_drawn_and_the_state_is_as_it_was(
    kind: str, gl_program: Path, run_capture: Capture
) -> None:
    """Every bit, the highest row first. The program checks its state and ends with 99 if not."""
    done = run_capture(gl_program, kind, "frames", 6)
    if done.summary.program_exit == NO_CONTEXT:
        pytest.skip(f"{kind}: {done.summary.program_said}")
    assert done.summary.program_exit == 0, done.summary.program_said
    # The first frame only tells how large the window is.
    assert [index_of(frame) for frame in done.frames] == [1, 2, 3, 4, 5]
    assert done.frames[0].shape == (96, 160, 3)
    assert done.summary.ended == "program"
    assert done.summary.program_frames == 6


def test_a_window_that_grows_gives_whole_frames_only(
    gl_program: Path, run_capture: Capture
) -> None:
    done = run_capture(gl_program, "glx", "frames", 12, "resize", 5)
    assert done.summary.program_exit == 0
    sizes = [frame.shape[:2] for frame in done.frames]
    assert sizes == sorted(sizes)
    assert set(sizes) == {(96, 160), (119, 208)}
    indexes = [index_of(frame) for frame in done.frames]
    assert indexes == sorted(indexes)
    assert len(indexes) >= 9


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        ({"every": 3}, [1, 3, 6, 9]),  # the size of the window is not known at the first one
        ({"every": 4, "warm_frames": 3}, [3, 7, 11]),
        ({"every": 4, "warm_frames": 3, "skip_drawing": True}, [3, 7, 11]),
        ({"every": 1, "warm_frames": 9}, [9, 10, 11]),
    ],
)
def test_which_frames_are_taken(
    pace: dict[str, int], expected: list[int], gl_program: Path, run_capture: Capture
) -> None:
    done = run_capture(gl_program, "glx-core", "frames", 12, **pace)
    assert done.summary.program_exit == 0
    assert [index_of(frame) for frame in done.frames] == expected


@pytest.mark.parametrize("kind", ["glx", "glx-core", "egl-es3", "egl-gl"])
def test_what_is_skipped_is_not_drawn(kind: str, gl_program: Path, run_capture: Capture) -> None:
    """Of each six frames the one that is taken and the one before are drawn."""
    done = run_capture(gl_program, kind, "frames", 20, every=6, skip_drawing=True, warm_frames=1)
    if done.summary.program_exit == NO_CONTEXT:
        pytest.skip(done.summary.program_said)
    assert done.summary.program_exit == 0, done.summary.program_said
    assert [index_of(frame) for frame in done.frames] == [1, 7, 13, 19]
    assert done.summary.program_said == "12 frames dropped"


def test_drawing_goes_on_when_the_capture_ends(gl_program: Path, run_capture: Capture) -> None:
    command = (gl_program, "glx", "frames", 200, "delay", 5)
    done = run_capture(*command, every=6, skip_drawing=True, count=2, keep_running=True)
    assert done.summary.program_exit == 0
    assert int(done.summary.program_said.split()[0]) < 100


def test_seconds_of_warm_up_and_frames_a_second(gl_program: Path, run_capture: Capture) -> None:
    done = run_capture(
        gl_program, "egl-es2", "frames", 60, "delay", 20, every=0, fps=10.0, warm_seconds=0.3
    )
    if done.summary.program_exit == NO_CONTEXT:
        pytest.skip(done.summary.program_said)
    indexes = [index_of(frame) for frame in done.frames]
    assert 5 <= indexes[0] <= 20
    # It takes at least 20 ms for a frame, so that 100 ms are up to 5 frames; more on a slow host.
    assert 3 <= len(indexes) <= 12 + 60 // 5
    assert all(b > a for a, b in itertools.pairwise(indexes))


def test_frames_that_hardly_differ_are_dropped(gl_program: Path, run_capture: Capture) -> None:
    done = run_capture(gl_program, "egl-gl", "frames", 12, "still", 4, min_change=1.0)
    if done.summary.program_exit == NO_CONTEXT:
        pytest.skip(done.summary.program_said)
    assert [index_of(frame) for frame in done.frames] == [0, 1, 2]
    assert done.summary.duplicates == 8
    assert done.summary.received == 11


def test_the_program_is_ended_when_all_is_taken(gl_program: Path, run_capture: Capture) -> None:
    done = run_capture(gl_program, "glx", "frames", 100_000, "delay", 5, "exit", 3, count=4)
    assert len(done.frames) == 4
    assert (done.summary.ended, done.summary.program_exit) == ("count", None)
    assert done.summary.exit_code == 0
    assert done.summary.seconds < 30


def test_it_may_run_on(gl_program: Path, run_capture: Capture) -> None:
    command = (gl_program, "glx", "frames", 40, "delay", 10, "exit", 3)
    done = run_capture(*command, count=2, keep_running=True)
    assert len(done.frames) == 2
    assert (done.summary.ended, done.summary.program_exit) == ("count", 3)


def test_an_exit_code_and_a_signal_are_passed_on(gl_program: Path, run_capture: Capture) -> None:
    done = run_capture(gl_program, "glx", "frames", 3, "exit", 7)
    assert (len(done.frames), done.summary.exit_code) == (2, 7)
    done = run_capture("sh", "-c", f"{gl_program} glx; kill -SEGV $$", folder="two")
    assert (len(done.frames), done.summary.exit_code) == (4, 128 + 11)


@pytest.mark.parametrize(
    "script",
    [
        '"$1" glx; "$1" glx frames 3',  # one after the other: launchers start several
        '"$1" glx & "$1" glx frames 3 & wait',
        'setsid "$1" glx frames 8 delay 500 & sleep 2; exit 0',  # it goes on after its launcher
        '(sleep 1; exec "$1" glx frames 8) & exit 0',  # it begins after its launcher has ended
        'setsid sh -c "sleep 1; exec $1 glx frames 8" & exit 0',
        '"$1" glx frames 4; (sleep 2; exec "$1" glx frames 5) & exit 0',  # and after another one
    ],
)
def test_what_a_script_starts_is_captured(
    script: str, gl_program: Path, run_capture: Capture
) -> None:
    done = run_capture("sh", "-c", script, "sh", gl_program)
    assert done.summary.program_exit == 0
    assert len(done.frames) in (6, 7)
    for frame in done.frames:
        index_of(frame)


def test_a_child_that_draws_sends_for_itself(gl_program: Path, run_capture: Capture) -> None:
    done = run_capture(gl_program, "glx", "frames", 4, "fork", 1, "exit", 6)
    assert (len(done.frames), done.summary.exit_code) == (3, 6)


def test_nothing_is_written_into_a_file_that_took_our_descriptor(
    gl_program: Path, run_capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_capture(gl_program, "glx", "frames", 8, "steal", 4)
    assert done.summary.program_exit == 0
    assert [index_of(frame) for frame in done.frames] == [1, 2, 3]
    assert (tmp_path / "stolen").read_bytes() == b""


@pytest.mark.parametrize("name", ["libSDL2-2.0.so.0", "libSDL3.so.0"])
def test_sdl_loaded_by_the_program_itself(
    name: str, compile_c: Compile, run_capture: Capture
) -> None:
    """SDL opens OpenGL by dlopen and asks dlsym for its functions: so does this program for SDL."""
    program = compile_c(HERE / "sdl_program.c", "-ldl")
    done = run_capture(program, name)
    if done.summary.program_exit == NO_CONTEXT:
        pytest.skip(f"no {name}: {done.summary.program_said}")
    assert done.summary.program_exit == 0, done.summary.program_said
    assert [index_of(frame) for frame in done.frames] == [1, 2, 3, 4]


@pytest.mark.parametrize("libraries", [["-lGL"], ["-lOpenGL", "-lGLX"]], ids=["GL", "OpenGL"])
def test_a_plugin_that_alone_has_opengl(
    libraries: list[str], compile_c: Compile, gl_program: Path, run_capture: Capture
) -> None:
    """What a program opens for itself is in no scope that others look in."""
    flags = ["-shared", "-fPIC", "-Dmain=plugin_main", *libraries, "-lEGL", "-lX11"]
    name = f"plugin{len(libraries)}.so"
    plugin = compile_c(HERE / "gl_program.c", *flags, name=name, may_fail=True)
    loader = compile_c(HERE / "plugin_loader.c", "-ldl")
    done = run_capture(loader, plugin, "glx")
    assert done.summary.program_exit == 0, done.summary.program_said
    assert [index_of(frame) for frame in done.frames] == [1, 2, 3, 4]


def test_lookups_of_other_symbols_go_where_they_went(
    compile_c: Compile, run_capture: Capture
) -> None:
    """RTLD_NEXT counts from the library that asks, not from ours; and what is not loaded is not
    found."""
    first = compile_c(HERE / "lookup_library.c", "-shared", "-fPIC", "-DFIRST", name="libfirst.so")
    second = compile_c(HERE / "lookup_library.c", "-shared", "-fPIC", name="libsecond.so")
    links = ["-Wl,--no-as-needed", str(first), str(second), f"-Wl,-rpath,{first.parent}", "-ldl"]
    program = compile_c(HERE / "lookup_program.c", *links)
    with pytest.raises(NothingCapturedError, match=r"ended after .* with exit code 0, before"):
        run_capture(program)


def test_a_program_that_never_draws(run_capture: Capture) -> None:
    with pytest.raises(NothingCapturedError, match="no frame of sleep: it never loaded OpenGL"):
        run_capture("sleep", 60, timeout=1.5)


@pytest.mark.parametrize(("flag", "kind"), [("-static", "static"), ("-m32", "32-bit")])
def test_one_behind_a_script_that_loads_no_library(
    flag: str, kind: str, compile_c: Compile, run_capture: Capture
) -> None:
    """Of the program itself the file says so before it runs: see test_needs.py."""
    program = compile_c(HERE / "waiting_program.c", flag, name=kind, may_fail=True)
    with pytest.raises(NothingCapturedError, match=f"no frame of sh: it is a {kind} program"):
        run_capture("sh", "-c", f"{program}; true", timeout=1.5)
    with pytest.raises(OptionError, match="loads no library"):
        run_capture(program)


def test_one_in_a_session_of_its_own_is_looked_at_too(
    gl_program: Path, run_capture: Capture
) -> None:
    command = f"setsid {gl_program} glx frames 1 delay 4000 & exit 0"
    with pytest.raises(NothingCapturedError, match="it showed frames, all within the warm-up"):
        run_capture("sh", "-c", command, timeout=20)
    with pytest.raises(NothingCapturedError, match="it never loaded OpenGL"):
        run_capture("sh", "-c", "setsid sleep 4 & exit 0", timeout=1.5)


def test_one_that_is_never_past_its_warm_up(gl_program: Path, run_capture: Capture) -> None:
    with pytest.raises(NothingCapturedError, match=r"all within the warm-up.*; lower --warmup"):
        run_capture(gl_program, "glx", "frames", 40, "delay", 10, warm_frames=10**6)


def test_one_that_fails_has_its_code_and_what_it_said(run_capture: Capture) -> None:
    done = run_capture(sys.executable, "-c", "raise SystemExit('no such level')")
    assert (done.frames, done.summary.exit_code) == ([], 1)
    assert done.summary.program_said == "no such level"


def test_the_picture_of_a_display(gl_program: Path, run_capture: Capture, tmp_path: Path) -> None:
    """By ffmpeg; the window may lie anywhere on it."""
    pytest.importorskip("imageio_ffmpeg")
    command = ("env", "C3D=1", gl_program, "glx", "frames", 100_000, "still", 100_000, "delay", 20)
    done = run_capture(
        *command,
        place=Place(grab="new", size=(320, 240)),
        every=0,
        fps=5.0,
        count=2,
        min_change=0.0,
        warm_seconds=1.5,
    )
    assert done.summary.ended == "count"
    frame = done.frames[-1]
    assert frame.shape == (240, 320, 3)
    assert index_of(frame[:96, :160]) == 0
    assert not frame[96:].any()


def test_a_display_that_goes_away(run_capture: Capture) -> None:
    """What was taken stays, and it is told that there was to be more."""
    pytest.importorskip("imageio_ffmpeg")
    xvfb = shutil.which("Xvfb")
    assert xvfb
    with headless._server(xvfb, (64, 48)) as server:
        done = run_capture(
            *("sh", "-c", f"sleep 3; kill {server.pid}; sleep 30"),
            place=Place(grab=f":{headless._number(server)}"),
            every=0,
            fps=5.0,
        )
    assert done.frames
    assert (done.summary.ended, done.summary.exit_code) == ("display", 0)
    assert done.summary.faults[0].startswith("no more frames of the display: ")
