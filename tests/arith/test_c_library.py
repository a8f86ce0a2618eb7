"""The C library by itself, under the sanitizers: its interface, and the fuzz targets."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c3d_export import _arith

from .test_statuses import IN_C

HERE = Path(__file__).parent
ARITH = HERE.parents[1] / "arith"
COMPILER = shutil.which("gcc") or shutil.which("clang")
STRICT = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = pytest.mark.skipif(
    COMPILER is None or not ARITH.is_dir(), reason="needs a C compiler and the C sources"
)


def build(program: Path, source: Path, *options: str) -> None:
    sources = sorted(str(path) for path in (ARITH / "src").glob("*.c"))
    command = [str(COMPILER), *STRICT, *SANITIZE, *options, f"-I{ARITH / 'include'}"]
    subprocess.run([*command, str(source), *sources, "-o", str(program)], check=True)


def test_interface(tmp_path: Path) -> None:
    build(tmp_path / "checks", HERE / "c_api_checks.c", "-Dmalloc=checks_malloc")
    done = subprocess.run(
        [str(tmp_path / "checks")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {getattr(_arith, name) for name in IN_C} <= {int(line) for line in done.stdout.split()}


def small_inputs(folder: Path) -> list[str]:
    """Write inputs of growing size; the first byte of a fuzz_decode input picks its mode."""
    rng = np.random.default_rng(4)
    paths = []
    for i in range(300):
        path = folder / f"input-{i}"
        path.write_bytes(rng.bytes(i * i // 20))
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("target", ["fuzz_decode", "fuzz_roundtrip"])
def test_fuzz_target(target: str, tmp_path: Path) -> None:
    program = tmp_path / target
    build(program, ARITH / "fuzz" / f"{target}.c", "-DC3D_FUZZ_MAIN")
    done = subprocess.run(
        [str(program), *small_inputs(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_crc_tables_are_those_of_the_script() -> None:
    header = ARITH / "src" / "arith_crc_tables.h"
    script = ARITH / "src" / "make_crc_tables.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == header.read_text()
