"""The quotients of the vector kernels, which go through floats; see division_check.c."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

from .c_builds import ARITH, HERE, any_compiler, build, library_sources, needs_sources, run

pytestmark = [
    needs_sources,
    pytest.mark.skipif(
        platform.machine() not in ("x86_64", "AMD64"), reason="the vector kernels are for x86-64"
    ),
]

# Each takes every frequency, and every fiftieth run of as many quotients as a vector has lanes.
STEP = 50
NO_KERNEL = 77
KERNELS = [("arith_encode_avx2.c", 8), ("arith_encode_avx512.c", 16)]


def build_check(program: Path, file: Path, lanes: int) -> None:
    defines = [f'-DC3D_DIVISION="{file}"', f"-DC3D_DIVISION_WIDE={lanes}"]
    sources = [str(HERE / "division_check.c"), *library_sources(without=file.name)]
    build(program, [*any_compiler("-O2"), *defines], sources)


@pytest.mark.parametrize(("name", "lanes"), KERNELS)
def test_quotients_are_exact(name: str, lanes: int, tmp_path: Path) -> None:
    build_check(tmp_path / "check", ARITH / "src" / name, lanes)
    done = run([str(tmp_path / "check"), str(STEP)])
    if done.returncode == NO_KERNEL:
        pytest.skip(f"this processor does not run {name}")
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split()[0]) > 65535 * 4 * lanes


@pytest.mark.parametrize(("name", "lanes"), KERNELS)
@pytest.mark.parametrize("less", ["0.05f", "0.95f"])
def test_a_wrong_estimate_is_found(name: str, lanes: int, less: str, tmp_path: Path) -> None:
    """What is taken off the float quotient keeps it between q - 1 and q; more or less does not."""
    text = (ARITH / "src" / name).read_text()
    assert text.count("set1_ps(0.5f)") == 1
    (tmp_path / name).write_text(text.replace("set1_ps(0.5f)", f"set1_ps({less})"))
    for header in (ARITH / "src").glob("*.h"):
        shutil.copy(header, tmp_path)
    build_check(tmp_path / "check", tmp_path / name, lanes)
    done = run([str(tmp_path / "check"), str(STEP)])
    if done.returncode == NO_KERNEL:
        pytest.skip(f"this processor does not run {name}")
    assert done.returncode == 1
    assert " gave " in done.stdout
