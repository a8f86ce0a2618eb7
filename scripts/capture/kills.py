"""Kills captures at random moments, and looks at what they leave: whole frames, and a program that
ends as it would have alone.

    python scripts/capture/kills.py --kills 100

Needs gcc, Xvfb, and the headers of OpenGL, EGL and X11.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from c3d_export.core.errors import ImageError
from c3d_export.runtime.images import list_images, read_image

SOURCE = Path(__file__).resolve().parents[2] / "tests" / "data" / "capture" / "gl_program.c"
FRAMES, CODE = 150, 5


def one_kill(program: Path, folder: Path, delay: float) -> tuple[int, list[str]]:
    """How many frames were kept, and what is wrong, a line each."""
    out, code = folder / "out", folder / "code"
    script = f'"$1" glx frames {FRAMES} delay 5 exit {CODE}; echo $? >"$2"'
    words = ["--every", "1", "--warmup", "0", "--min-change", "0", "--count", "100000"]
    command = [sys.executable, "-m", "c3d_export", "data", "capture", "-o", str(out), *words]
    env = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    capture = subprocess.Popen(
        [*command, "--", "sh", "-c", script, "sh", str(program), str(code)],
        env=env,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(delay)
    started = bool(pids_of(code))
    servers = servers_of(capture.pid)
    capture.kill()
    capture.wait()
    deadline = time.monotonic() + 60
    while (left := [*pids_of(code), *filter(is_server, servers)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    faults = [f"{pid} still runs" for pid in left]
    if started and not code.exists():
        faults.append("the program did not end by itself")
    elif code.exists() and code.read_text() != f"{CODE}\n":
        faults.append(f"the program ended with {code.read_text().strip()}")
    frames = list_images(out) if out.is_dir() else []
    for path in frames:
        try:
            read_image(path)
        except ImageError as error:
            faults.append(str(error))
    return len(frames), faults


def pids_of(word: Path) -> list[int]:
    """The processes with this word on their command line, captures left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(word) in words and b"c3d_export" not in words:
            found.append(int(path.parent.name))
    return found


def servers_of(capture: int) -> list[int]:
    """The displays that a capture has made, or is about to make."""
    children = Path(f"/proc/{capture}/task/{capture}/children").read_text().split()
    return [pid for pid in map(int, children) if is_server(pid)]


def is_server(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"-displayfd" in words


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    kept = with_frames = bad = 0
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "gl_program"
        libraries = ["-lGL", "-lEGL", "-lX11"]
        subprocess.run(["gcc", "-O1", str(SOURCE), "-o", str(program), *libraries], check=True)
        for number in range(options.kills):
            folder = Path(name) / str(number)
            folder.mkdir()
            frames, faults = one_kill(program, folder, generator.uniform(0.5, 6))
            kept += frames
            with_frames += frames > 0
            bad += bool(faults)
            for fault in faults:
                print(f"kill {number}: {fault}")
    print(f"{options.kills} kills, {with_frames} with frames, {kept} frames, {bad} with a fault")
    return 3 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
