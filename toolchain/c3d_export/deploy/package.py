"""A deployable codec package: everything that a host needs, in one folder.

bundle.c3b, wheels (ours with the compiled coder; optionally those it depends on),
SHA256SUMS, install.sh (one pip command, no network), README.md
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ..core.atomic import write_bytes_atomic
from ..core.digest import sha256_file
from ..core.errors import DiskError, LibraryMissingError, MissingInputError
from ..runtime.bundle import Bundle, read_bundle

DEPENDENCIES = ("numpy", "pillow", "click", "rich", "onnxruntime")
SOURCE = Path(__file__).resolve().parents[3]

_README = """# {name}

1. `sh install.sh` installs the decoder from this folder alone (pip, no network).
2. `c3d-export encode frame.png -o frame.c3s --codec {file}`
3. `c3d-export decode frame.c3s -o frame.png --codec {file}`

`sha256sum -c SHA256SUMS` checks the folder. Codec id: {id}.
"""

_INSTALL = """#!/bin/sh
# Installs the host side from this folder; nothing is fetched.
cd "$(dirname "$0")" || exit 1
exec python3 -m pip install {flags}--no-index --find-links wheels {requirement}
"""


def _build_wheel(source: Path, target: Path) -> None:
    """Our own wheel, built where we run from a source tree."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "-q", "-w", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LibraryMissingError(f"the host wheel could not be built: {last}")


def _download(target: Path) -> None:
    """Pinned wheels of the dependencies, in the versions installed here."""
    from importlib.metadata import version

    pinned = [f"{name}=={version(name)}" for name in DEPENDENCIES]
    command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "-d", str(target), *pinned], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LibraryMissingError(f"the dependencies could not be fetched: {last}")


def _sums(folder: Path) -> bytes:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    return "".join(
        f"{sha256_file(p)}  {p.relative_to(folder).as_posix()}\n" for p in files
    ).encode()


def _write_texts(folder: Path, bundle: Bundle, file: str, with_dependencies: bool) -> None:
    requirement = "'c3d-export[cpu]'" if with_dependencies else "c3d-export"
    flags = "" if with_dependencies else "--no-deps "
    readme = _README.format(name=bundle.name, file=file, id=bundle.id.hex())
    install = _INSTALL.format(flags=flags, requirement=requirement)
    write_bytes_atomic(folder / "README.md", readme.encode())
    write_bytes_atomic(folder / "install.sh", install.encode(), mode=0o755)


def build_package(
    bundle_path: Path, target: Path, *, with_dependencies: bool = False, source: Path = SOURCE
) -> Path:
    """Fills `target` (new or empty) and returns it.

    with_dependencies: also the wheels of numpy, Pillow, click, rich and onnxruntime, so that a
    host without any of them installs with no network. Raises LibraryMissingError, DiskError,
    MissingInputError, or a leaf of BundleError.
    """
    bundle = read_bundle(bundle_path)
    if not (source / "pyproject.toml").is_file():
        raise MissingInputError(
            "a package holds the host wheel, which is built from the source tree; run this in a"
            " checkout of c3d-export"
        )
    wheels = target / "wheels"
    try:
        wheels.mkdir(parents=True, exist_ok=True)
        if any(p.name != "wheels" for p in target.iterdir()) or any(wheels.iterdir()):
            raise DiskError(f"{target} is not empty; choose a new folder")
        shutil.copyfile(bundle_path, target / bundle_path.name)
    except OSError as error:
        raise DiskError(f"cannot write the package in {target}: {error.strerror}") from error
    _build_wheel(source, wheels)
    if with_dependencies:
        _download(wheels)
    _write_texts(target, bundle, bundle_path.name, with_dependencies)
    write_bytes_atomic(target / "SHA256SUMS", _sums(target))
    return target
