"""Convolutions in C on other processors, and under sanitizers: one checksum everywhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "toolchain" / "c3d_export" / "runtime" / "native"
NAMES = ("native_convolution.c", "native_convolution_x86.c", "native_winograd.c")
SOURCES = [str(HERE / "convolution_checks.c"), *(str(NATIVE / name) for name in NAMES)]
FLAGS = ["-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}"]
CHECKSUM = "b55da4cd"

pytestmark = pytest.mark.skipif(not NATIVE.is_dir(), reason="needs the C sources")


def built(folder: Path, compiler: Sequence[str]) -> Path:
    """The program; skips the test where this compiler is missing or lacks a library."""
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"no {compiler[0]}")
    program = folder / "checks"
    command = [*compiler, *FLAGS, *SOURCES, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr or "linker" in done.stderr:
        pytest.skip(f"{' '.join(compiler)} links no program here")
    assert done.returncode == 0, done.stderr
    return program


def result(command: Sequence[object]) -> tuple[int, str]:
    """The kernel that was taken, and the checksum."""
    run = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    kernel, checksum = run.stdout.split()
    return int(kernel), checksum


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_kernel_leaves_its_buffers(compiler: str, tmp_path: Path) -> None:
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = built(tmp_path, [compiler, *sanitize])
    for most in range(4):
        kernel, checksum = result([program, most])
        assert kernel <= most
        assert checksum == CHECKSUM


def test_older_processors_compute_the_same(tmp_path: Path) -> None:
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        pytest.skip("no qemu-x86_64")
    program = built(tmp_path, ["gcc", "-static"])
    for processor, kernel in (("Nehalem", 0), ("Haswell", 1)):
        assert result([emulator, "-cpu", processor, program]) == (kernel, CHECKSUM)


def test_arm_computes_the_same(tmp_path: Path) -> None:
    emulator, libraries = shutil.which("qemu-aarch64"), Path("/usr/aarch64-linux-gnu")
    if emulator is None or not libraries.is_dir():
        pytest.skip("no qemu-aarch64, or no libraries for it")
    cross = ["--target=aarch64-linux-gnu", "-static", f"-B{libraries}/bin", f"-L{libraries}/lib"]
    program = built(tmp_path, ["clang", *cross])
    assert result([emulator, program]) == (0, CHECKSUM)
