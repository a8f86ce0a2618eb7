"""Codecs that pip installed: distributions that register a bundle as an entry point.

In the group `c3d_export.codecs` an entry's name is the codec's name, and its value a package whose
folder holds the bundle `NAME.c3b` (`deploy/codecwheel.py` writes such wheels). Nothing of the
package is imported to find it: a bundle is data, and is verified as any other.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Final

from ..core.errors import C3DError, C3DWarning, MissingInputError, OptionError
from .shipped import SUFFIX

GROUP: Final = "c3d_export.codecs"


@dataclass(frozen=True)
class Installed:
    """A codec that a distribution registers. path: of its bundle."""

    name: str
    path: Path
    distribution: str


def installed_codecs() -> dict[str, Path]:
    """Name -> bundle of every installed codec, by name.

    One that is broken, or has the name of another, is left out with a C3DWarning that names its
    distribution.
    """
    found: dict[str, Installed] = {}
    twice: set[str] = set()
    for entry in _entries():
        other = found.setdefault(entry.name, entry)
        if other is not entry and other.path != entry.path:
            twice.add(entry.name)
            _warn(entry.distribution, f"{other.distribution} has a codec {entry.name} too")
    return {name: found[name].path for name in sorted(found) if name not in twice}


def installed_codec(name: str) -> Path | None:
    """The bundle of the installed codec of this name; None where there is none.

    Raises OptionError where two distributions have one of this name.
    """
    entries = {entry.path: entry for entry in _entries() if entry.name == name}
    if len(entries) > 1:
        owners = " and ".join(sorted(entry.distribution for entry in entries.values()))
        raise OptionError(f"{owners} both have a codec {name}; uninstall one, or name a file")
    return next(iter(entries), None)


def bundle_file(path: str | Path) -> Path:
    """What a caller means by `path`: that file, or else the installed codec of this name.

    Raises MissingInputError where it is neither, and as `installed_codec`.
    """
    try:
        file = Path(path)
        if file.is_file() or file.name != str(path):
            return file
    except (OSError, ValueError, TypeError) as error:
        raise MissingInputError(f"no bundle at {path!r}: {error}") from error
    if found := installed_codec(str(path)):
        return found
    if file.exists():  # a folder, say: the reader says so
        return file
    raise MissingInputError(
        f"no bundle {path}, neither as a file nor as a codec that pip installed; check the path"
    )


def _entries() -> Iterator[Installed]:
    """The sound ones; the others are warned of."""
    for dist in metadata.distributions():
        name = "a distribution"
        try:
            name = str(dist.metadata["Name"])
            entries = [entry for entry in dist.entry_points if entry.group == GROUP]
        except Exception as error:  # of any kind: what is installed may be damaged in any way
            _warn(name, f"its entry points cannot be read: {error}")
            continue
        for entry in entries:
            try:
                yield Installed(entry.name, _bundle(entry.value, entry.name), name)
            except (C3DError, ImportError, ValueError, AttributeError) as error:
                _warn(name, f"its codec {entry.name} is broken: {error}")


def _bundle(package: str, name: str) -> Path:
    """The bundle of a package, which is not imported; raises MissingInputError or ValueError."""
    if not package.isidentifier():  # of a.b the search would import a
        raise ValueError(f"{package!r} is no top-level package")
    file = f"{name}{SUFFIX}"
    spec = util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if Path(file).name == file and (Path(folder) / file).is_file():
            return Path(folder) / file
    raise MissingInputError(f"it has no {package}/{file}")


def _warn(distribution: str, fault: str) -> None:
    warnings.warn(f"{distribution}: {fault}; install it again", C3DWarning, stacklevel=3)
