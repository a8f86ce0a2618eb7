"""The C extensions and the default codec; all else of the distribution is in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
NATIVE = "toolchain/c3d_export/runtime/native"
CAPTURE = "toolchain/c3d_export/data/capture/native"

# One wheel serves every CPython from 3.11 on.
STABLE_ABI = ("Py_LIMITED_API", "0x030B0000")

# No contraction to fused multiply-adds: every compiler computes the same floats. No debug
# information: it is half of the file, and names the folders of the host that built it. The two
# -fno- flags change no result: they let comparisons and roundings of floats be vectorised.
FLAGS = [
    "-std=c11",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-g0",
]


# The codec that `encode` takes when none is named; a checkout has it in exported/ only.
DEFAULT_BUNDLE = ROOT / "exported" / "generic-small.c3b"


class BuildWithBundle(build_py):
    """Puts the default codec into the built package."""

    def run(self) -> None:
        super().run()
        if DEFAULT_BUNDLE.is_file() and not self.editable_mode:
            assets = Path(self.build_lib) / "c3d_export" / "assets"
            assets.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(DEFAULT_BUNDLE, assets / DEFAULT_BUNDLE.name)


def _files(folders: list[str], pattern: str) -> list[str]:
    """The files of the folders, relative to the root and in one order on every file system."""
    found = [path for folder in folders for path in (ROOT / folder).glob(pattern)]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def _extension(name: str, source_folders: list[str], include_folders: list[str]) -> Extension:
    sources = _files(source_folders, "*.c")
    if not sources:
        raise SystemExit(f"{name}: no C sources in {source_folders}; is the checkout complete?")
    return Extension(
        name,
        sources=sources,
        include_dirs=include_folders,
        depends=_files([*include_folders, *source_folders], "*.h"),
        define_macros=[STABLE_ABI],
        extra_compile_args=FLAGS,
        py_limited_api=True,
    )


def _capture_library() -> list[Extension]:
    """What `data capture` puts into programs: a plain library, no module of Python.

    For Linux only. Hosts take no frames, and their wheel is to run with an older glibc than the
    one that this library is built for.
    """
    if sys.platform != "linux" or os.environ.get("C3D_HOST_WHEEL"):
        return []
    library = _extension("c3d_export._capture", [CAPTURE], [CAPTURE])
    library.libraries = ["dl"]  # a library of its own before glibc 2.34
    return [library]


setup(
    ext_modules=[
        _extension(
            "c3d_export._arith", ["arith/src", "arith/python"], ["arith/include", "arith/python"]
        ),
        _extension("c3d_export._native", [NATIVE], [NATIVE]),
        *_capture_library(),
    ],
    cmdclass={"build_py": BuildWithBundle},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
