"""Bundles from where they were shipped to: a file, a folder, another host, a registry.

What arrives is bytes from outside, and nothing else is believed of it: `install` looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.errors import MissingInputError
from ...core.limits import MAX_BUNDLE_BYTES
from ..remote.fetch import TIMEOUT, Fetched
from ..remote.fetch import fetch as fetch_remote
from ..remote.target import FolderTarget, parse_target
from ..shipped import SUFFIX, bundles_in


def fetch(target: str, *, plain_http: bool = False, timeout: float = TIMEOUT) -> Iterator[Fetched]:
    """The bundles of a target, one after the other.

    target: a `.c3b`, a folder of them, `ssh://[user@]host[:port]/path` of either, or
    `oci://registry[:port]/repository[:tag]` (`remote/target.py`). plain_http: also to registries
    of other machines. timeout: seconds for another machine. Raises MissingInputError where there is
    none, OptionError for an unknown kind of target, and what `remote.fetch` raises.
    """
    place = parse_target(target)
    if isinstance(place, FolderTarget):
        return _from_path(place.path, target)
    return fetch_remote(place, plain_http=plain_http, timeout=timeout)


def _from_path(path: Path, target: str) -> Iterator[Fetched]:
    files = bundles_in(path) if path.is_dir() else [path]
    if not files:
        raise MissingInputError(f"no bundle (*{SUFFIX}) in {target}; check the folder")
    for file in files:
        yield Fetched(str(file), _read(file))


def _read(path: Path) -> bytes:
    """At most one byte more than a bundle may have, so that a longer file shows."""
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise MissingInputError(f"{path} is no regular file; check the path")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"no bundle at {path}: {reason}; check the path") from error
