"""Programs that draw, and captures of them on a display of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import LibraryMissingError
from c3d_export.data.capture.headless import headless_display
from c3d_export.data.capture.options import Options, Pace, Place, Target
from c3d_export.data.capture.program import preload_library
from c3d_export.data.capture.session import Summary, capture
from c3d_export.runtime.images import read_image

HERE: Final = Path(__file__).parent
Frame = NDArray[np.uint8]
Compile = Callable[..., Path]


class Captured:
    """A summary and its frames."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.frames: list[Frame] = [read_image(path) for path in summary.files]


Capture = Callable[..., Captured]


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """compile_c(source, *flags, needs=headers, may_fail=...): a program, or the test is skipped."""
    folder = tmp_path_factory.mktemp("programs")

    def compile_(
        source: Path,
        *flags: str,
        name: str = "",
        needs: tuple[str, ...] = (),
        may_fail: bool = False,
    ) -> Path:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler")
        for header in needs:
            if not any((root / header).exists() for root in _INCLUDES):
                pytest.skip(f"no {header}; scripts/install-checkers installs it")
        path = folder / (name or source.stem)
        if not path.exists():
            command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", str(source)]
            done = subprocess.run([*command, "-o", str(path), *flags], check=False)
            if done.returncode and may_fail:
                pytest.skip(f"cannot compile with {' '.join(flags)}; see scripts/install-checkers")
            assert done.returncode == 0
        return path

    return compile_


_INCLUDES: Final = (Path("/usr/include"), Path("/usr/local/include"))


@pytest.fixture(scope="session")
def gl_program(compile_c: Compile) -> Path:
    headers = ("EGL/eglext.h", "GL/glx.h", "X11/Xlib.h")
    return compile_c(HERE / "gl_program.c", "-lGL", "-lEGL", "-lX11", needs=headers)


@pytest.fixture(scope="session")
def env() -> Iterator[dict[str, str]]:
    """The environment of programs on a display that all tests share."""
    if sys.platform != "linux":
        pytest.skip("frames of programs are taken on Linux")
    try:
        preload_library()
        with headless_display((640, 480), os.environ) as shown:
            yield shown
    except LibraryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def run_capture(env: dict[str, str], tmp_path: Path) -> Capture:
    """run_capture(*command, every=1, count=..., ...): what `capture` gives, and the frames."""

    def run(*command: object, folder: str = "out", **changes: object) -> Captured:
        target = {k: changes.pop(k) for k in ("count", "min_change", "suffix") if k in changes}
        target = {"count": 1000, "min_change": 0.0, "suffix": "png"} | target
        pace = {k: changes.pop(k) for k in Pace.__dataclass_fields__ if k in changes}
        options = Options(
            tuple(map(str, command)),
            Target(tmp_path / folder, "scene", **target),  # type: ignore[arg-type]
            Pace(**({"every": 1} | pace)),  # type: ignore[arg-type]
            **({"timeout": 60.0, "place": Place()} | changes),  # type: ignore[arg-type]
        )
        return Captured(capture(options, env, lambda status: None))

    return run
