"""The wheel of an installed c3d-export, from the files that pip wrote when it was installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Final

from ..core.atomic import write_bytes_atomic
from ..core.errors import HostError, MissingInputError
from .wheelfile import WheelName, pack_wheel, record_hash

DISTRIBUTION: Final = "c3d-export"
_ADVICE: Final = "run this in a checkout of c3d-export, or install its wheel first"

# What pip adds to the files of a wheel; RECORD is written anew.
_ADDED: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})

# What setup.py leaves out of wheels for hosts.
_NOT_FOR_HOSTS: Final = "c3d_export/_capture."


def installed_wheel(folder: Path) -> Path:
    """Writes the wheel into `folder` and returns its path.

    Raises MissingInputError where c3d-export is not installed from a wheel, HostError where an
    installed file is not the one that was installed.
    """
    try:
        found = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise MissingInputError(f"c3d-export is not installed as a wheel; {_ADVICE}") from error
    files = _files(found)
    name = _name(files)
    path = folder / name.file
    dist_info = f"{name.distribution}-{name.version}.dist-info"
    write_bytes_atomic(path, pack_wheel(files, dist_info))
    return path


def _files(found: metadata.Distribution) -> dict[str, bytes]:
    """What the wheel had: not what was compiled, scripts that pip made, nor pip's own notes."""
    files: dict[str, bytes] = {}
    for entry in found.files or ():
        inside = entry.parts[0] not in ("..", "/") and "__pycache__" not in entry.parts
        inside = inside and not entry.as_posix().startswith(_NOT_FOR_HOSTS)
        if not inside or (entry.parts[0].endswith(".dist-info") and entry.name in _ADDED):
            continue
        try:
            data = Path(str(found.locate_file(entry))).read_bytes()
        except OSError as error:
            raise HostError(f"the installed c3d-export lacks {entry}; install it again") from error
        if entry.hash is None or record_hash(data) != f"{entry.hash.mode}={entry.hash.value}":
            raise HostError(f"the installed {entry} was changed since; install c3d-export again")
        files[entry.as_posix()] = data
    # An editable installation has a pointer to the sources, and not the package.
    if "c3d_export/__init__.py" not in files:
        raise MissingInputError(f"the installed c3d-export is no wheel's; {_ADVICE}")
    return files


def _name(files: dict[str, bytes]) -> WheelName:
    """From the tags that the wheel itself has, in its file WHEEL."""
    info = next(name.split("/")[0] for name in files if name.endswith(".dist-info/WHEEL"))
    lines = files[f"{info}/WHEEL"].decode().splitlines()
    tags = [line.removeprefix("Tag: ").split("-") for line in lines if line.startswith("Tag: ")]
    distribution, version = info.removesuffix(".dist-info").split("-")
    python, abi, platform = (".".join(sorted(set(column))) for column in zip(*tags, strict=True))
    return WheelName(distribution, version, python, abi, platform)
