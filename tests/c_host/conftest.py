"""The C host, compiled once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .host import (
    HERE,
    HOOKS,
    HOST,
    SANITIZE,
    Driver,
    build,
    compilers,
    library_sources,
    link,
    runtime_library,
)


def _compiler() -> str:
    for name in compilers():
        if shutil.which(name):
            return name
    pytest.skip("no C compiler")


@pytest.fixture(scope="session")
def compiler() -> str:
    if not HOST.is_dir():
        pytest.skip("needs the C sources")
    return _compiler()


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory, compiler: str) -> list[str]:
    """The library as objects, optimised, any warning an error."""
    return build(tmp_path_factory.mktemp("c-host"), ["-O2"], compiler, library_sources())


def _driver(folder: Path, options: list[str], compiler: str, objects: list[str]) -> Path:
    names = ["driver.c", "hooks.c"] if "-DHOOKED" in options else ["driver.c"]
    own = build(folder / "driver", options, compiler, [str(HERE / name) for name in names])
    return link(folder / "run", compiler, options, [*own, *objects])


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory, compiler: str, objects: list[str]) -> Driver:
    runtime_library()
    return Driver(_driver(tmp_path_factory.mktemp("driver"), ["-O2"], compiler, objects))


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory, compiler: str) -> Driver:
    """The same under the address and undefined-behaviour sanitizers."""
    runtime_library()
    folder = tmp_path_factory.mktemp("sanitized")
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    try:
        link(folder / "probe", compiler, SANITIZE, [str(probe)])
    except AssertionError:
        pytest.skip(f"{compiler} has no sanitizers here")
    found = build(folder / "library", [*SANITIZE, *HOOKS], compiler, library_sources())
    environment = {
        **os.environ,
        # What ONNX Runtime keeps until the process ends is not ours.
        "LSAN_OPTIONS": f"suppressions={HERE / 'leaks.txt'}:print_suppressions=0",
    }
    options = [*SANITIZE, "-DHOOKED"]
    return Driver(_driver(folder, options, compiler, found), environment)


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory, compiler: str, objects: list[str]) -> Path:
    """The command line."""
    folder = tmp_path_factory.mktemp("tool")
    sources = sorted(str(path) for path in (HOST / "tools").glob("*.c"))
    own = build(folder, ["-O2"], compiler, sources)
    return link(folder / "c3dcodec", compiler, [], [*own, *objects])
