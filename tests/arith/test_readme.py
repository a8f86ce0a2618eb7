"""The examples of arith/README.md compile, run, and do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ARITH = Path(__file__).parents[2] / "arith"
README = (ARITH / "README.md").read_text(encoding="utf-8")


def _example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_c_example(tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    (tmp_path / "example.c").write_text(_example("c"))
    sources = sorted(str(path) for path in (ARITH / "src").glob("*.c"))
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ARITH / 'include'}"]
    command = [compiler, *flags, "example.c", *sources, "-o", "example"]
    subprocess.run(command, cwd=tmp_path, check=True)
    run = subprocess.run([tmp_path / "example"], check=True, capture_output=True, text=True)
    assert re.fullmatch(r"\d+ bytes, no error: 1 -2 1000\n", run.stdout)


def test_the_python_example() -> None:
    exec(compile(_example("python"), "arith/README.md", "exec"), {})


def test_what_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\((\.\./[^)]+)\)", README):
        assert (ARITH / target).is_file(), target
