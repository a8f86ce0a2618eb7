"""Compiling the C library for a test, with the compilers that this machine has."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ARITH = ROOT / "arith"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

needs_sources = pytest.mark.skipif(not (ARITH / "src").is_dir(), reason="needs the C sources")


@functools.cache
def _builds(command: tuple[str, ...]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        program = Path(folder, "probe")
        source.write_text("#include <stdlib.h>\nint main(void) { return rand() < 0; }\n")
        built = subprocess.run(
            [*command, str(source), "-o", str(program)], capture_output=True, check=False
        )
        return (
            built.returncode == 0
            and subprocess.run([str(program)], capture_output=True, check=False).returncode == 0
        )


def require(command: Sequence[str]) -> None:
    """Skip the test where the compiler cannot make a program with these options that runs here."""
    if not _builds(tuple(command)):
        pytest.skip(f"'{' '.join(command)}' makes no program here")


def any_compiler(*options: str) -> list[str]:
    """Return the first compiler that takes the options, with them; skip the test without one."""
    for compiler in ("gcc", "clang", "cc"):
        if _builds((compiler, *options)):
            return [compiler, *options]
    pytest.skip(f"no compiler that takes {' '.join(options) or 'a C program'}")


def library_sources(*, without: str = "") -> list[str]:
    """Return the paths of the library's sources but the one of that name."""
    found = sorted((ARITH / "src").glob("*.c"))
    return [str(path) for path in found if path.name != without]


def build(program: Path, command: Sequence[str], sources: Sequence[str]) -> None:
    """Compile and link; any warning is an error."""
    includes = [f"-I{ARITH / 'include'}", f"-I{ARITH / 'src'}"]
    options = ["-std=c11", "-g", *WARNINGS, *includes]
    _checked([*command, *options, *sources, "-o", str(program)], program.parent)


def build_objects(folder: Path, command: Sequence[str]) -> list[str]:
    """Compile the library for several programs; return the paths of its objects."""
    folder.mkdir()
    includes = [f"-I{ARITH / 'include'}", f"-I{ARITH / 'src'}"]
    _checked([*command, "-std=c11", "-g", *includes, "-c", *library_sources()], folder)
    return [str(path) for path in sorted(folder.glob("*.o"))]


def _checked(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def run(
    command: Sequence[str], *, timeout: float = 120, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program; its output is text, and its exit status is the caller's to check."""
    return subprocess.run(
        list(command),
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )
