"""The fuzz targets: the committed inputs replayed, and where clang can, some new ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .c_builds import ARITH, HERE, ROOT, SANITIZE, any_compiler, build, build_objects, run

CORPUS = HERE / "corpus"
TARGETS = ["decode", "roundtrip", "tables", "slices"]
MOST_BYTES = 150_000

pytestmark = pytest.mark.skipif(
    not (ARITH / "fuzz").is_dir() or not CORPUS.is_dir(), reason="needs the C sources"
)


@pytest.fixture(scope="module")
def command() -> list[str]:
    return any_compiler("-O1", *SANITIZE)


@pytest.fixture(scope="module")
def objects(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return build_objects(tmp_path_factory.mktemp("fuzz") / "objects", command)


@pytest.mark.parametrize("target", TARGETS)
def test_corpus_holds(target: str, command: list[str], objects: list[str], tmp_path: Path) -> None:
    source = str(ARITH / "fuzz" / f"fuzz_{target}.c")
    build(tmp_path / "fuzz", [*command, "-DC3D_FUZZ_MAIN"], [source, *objects])
    files = sorted(str(path) for path in (CORPUS / target).iterdir())
    done = run([str(tmp_path / "fuzz"), *files])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{len(files)} files\n"
    assert len(files) >= 20


def test_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.slow
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """Two targets at a time, each for C3D_FUZZ_SECONDS (30 where it is not set)."""
    seconds = int(os.environ.get("C3D_FUZZ_SECONDS", "30"))
    environment = {**os.environ, "C3D_FUZZ_DIR": str(tmp_path / "fuzz"), "C3D_FUZZ_JOBS": "2"}
    done = run(
        [str(ROOT / "scripts" / "fuzz"), str(seconds)],
        timeout=600 + 10 * seconds,
        environment=environment,
    )
    if "no clang with libFuzzer" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    for target in TARGETS:
        assert f"\n{target} " in done.stdout
