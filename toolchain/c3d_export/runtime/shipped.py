"""The bundles that come with the package, and how a stream finds the one that made it.

An installed package has them in `assets/`; a source checkout in `exported/` beside the sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..core.digest import codec_id
from ..core.errors import BundleError, MissingInputError, MissingModelError
from .archive import read_file, unpack_archive
from .bundle import MANIFEST

SUFFIX: Final = ".c3b"

# What `encode` takes when no bundle is named: knows no game, and is fast on two cores.
DEFAULT_NAME: Final = "generic-small"


def source_root() -> Path | None:
    """The root of the source checkout that this package runs from; None where it is installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "toolchain").is_dir() else None


def shipped_folders() -> tuple[Path, ...]:
    """Where shipped bundles may lie, the first one first; they need not exist."""
    assets = Path(__file__).resolve().parents[1] / "assets"
    root = source_root()
    return (assets, root / "exported") if root else (assets,)


def shipped_bundles() -> dict[str, Path]:
    """Name -> path of every shipped bundle, sorted by name."""
    found: dict[str, Path] = {}
    for folder in shipped_folders():
        for path in bundles_in(folder):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def bundles_in(folder: Path) -> list[Path]:
    """The bundle files of one folder, sorted; none where it does not exist."""
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


def default_bundle() -> Path:
    """The shipped bundle that is used when none is named: DEFAULT_NAME, else another generic one.

    Raises MissingModelError where no such bundle was shipped.
    """
    bundles = shipped_bundles()
    generic = [name for name in bundles if name.startswith("generic-")]
    for name in (DEFAULT_NAME, *generic):
        if name in bundles:
            return bundles[name]
    raise MissingModelError(
        "no generic bundle came with this package; name one with --codec BUNDLE, or make one with"
        " `c3d-export bundle --model small`"
    )


def find_by_id(wanted: bytes, folders: Iterable[Path]) -> Path | None:
    """The bundle of this identity in one of the folders. Files that are no bundle are passed."""
    candidates = (path for folder in folders for path in bundles_in(folder))
    return next((path for path in candidates if wanted in _identity(path)), None)


def _identity(path: Path) -> Iterator[bytes]:
    """The codec id of a file, or nothing where it cannot be read as a bundle."""
    try:
        members = unpack_archive(read_file(path))
    except (MissingInputError, BundleError):
        return
    if MANIFEST in members:
        yield codec_id(members[MANIFEST])
