"""The C library by itself: its interface, under several compilers, sanitizers and processors."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .c_builds import (
    ARITH,
    HERE,
    SANITIZE,
    any_compiler,
    build,
    library_sources,
    needs_sources,
    require,
    run,
)

pytestmark = needs_sources

# The checks make malloc fail and count what is freed.
HOOKS = ["-Dmalloc=checks_malloc", "-Dfree=checks_free"]
STATUSES = set(range(22))


def build_checks(program: Path, command: list[str]) -> None:
    sources = sorted(str(path) for path in HERE.glob("c_*.c"))
    build(program, [*command, *HOOKS], [*library_sources(), *sources])


def assert_passes(command: list[str]) -> None:
    done = run(command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert {int(line) for line in done.stdout.split()} == STATUSES


@pytest.fixture(scope="module")
def plain_checks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program for the processors that are emulated."""
    program = tmp_path_factory.mktemp("checks") / "checks"
    build_checks(program, any_compiler("-O2"))
    return str(program)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_interface(compiler: str, tmp_path: Path) -> None:
    require([compiler, "-O3"])
    build_checks(tmp_path / "checks", [compiler, "-O3"])
    assert_passes([str(tmp_path / "checks")])


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_interface_under_the_sanitizers(compiler: str, tmp_path: Path) -> None:
    command = [compiler, "-O1", *SANITIZE]
    require(command)
    build_checks(tmp_path / "checks", command)
    assert_passes([str(tmp_path / "checks")])


def test_interface_with_32_bit_sizes(tmp_path: Path) -> None:
    command = any_compiler("-m32", "-O2")
    build_checks(tmp_path / "checks", command)
    assert_passes([str(tmp_path / "checks")])


@pytest.mark.parametrize(
    "processor",
    ["core2duo", "Nehalem", "Haswell", "Haswell,-bmi2", "Haswell,-fma", "Haswell,-popcnt"],
)
def test_interface_on_a_processor_with_fewer_instructions(
    processor: str, request: pytest.FixtureRequest
) -> None:
    """A core2duo has no checksum instruction, a Nehalem no AVX2, a Haswell no AVX-512.

    A kernel needs all its instruction sets, so the others of AVX2's are taken away one by one.
    """
    emulator = shutil.which("qemu-x86_64")
    if emulator is None or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("needs qemu-x86_64, and a compiler for x86-64")
    program = request.getfixturevalue("plain_checks")
    assert_passes([emulator, "-cpu", processor, program])


def test_crc_tables_are_those_of_the_script() -> None:
    header = ARITH / "src" / "arith_crc_tables.h"
    script = ARITH / "src" / "make_crc_tables.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == header.read_text()
