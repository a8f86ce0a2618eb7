"""Bundles from elsewhere, as bytes that nothing has been done with yet."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from ...core.errors import OptionError, RemoteMissingError
from ...core.limits import MAX_BUNDLE_BYTES
from .deadline import Deadline, Progress, silent
from .oci import pull
from .sftp import Sftp
from .target import FolderTarget, OciTarget, SshTarget, Target, parse_target

SUFFIX: Final = ".c3b"
TIMEOUT: Final = 600.0
"""Seconds for one machine: 320 MiB in that time is 4.5 Mbit/s."""


class Fetched(NamedTuple):
    """A bundle that nothing has been done with yet. source: where it lay, for messages."""

    source: str
    data: bytes


def fetch(
    target: str | Target,
    *,
    plain_http: bool = False,
    timeout: float = TIMEOUT,
    progress: Progress = silent,
) -> Iterator[Fetched]:
    """The bundles of an ssh:// or oci:// target, whole: a file, all of a folder, an artifact's one.

    At most MAX_BUNDLE_BYTES each. What a registry says of size and digest has been checked;
    whether it is a bundle at all has not: `parse_bundle` and the policy decide. Raises
    OptionError for another kind of target, RemoteMissingError where there is none, other leaves of
    RemoteError, or RemoteAnswerError.
    """
    target = parse_target(target) if isinstance(target, str) else target
    if isinstance(target, FolderTarget):
        raise OptionError(f"{target} is a place of this machine; read it, or name ssh:// or oci://")
    deadline = Deadline(timeout)
    if isinstance(target, OciTarget):
        data = pull(target, deadline, plain_http=plain_http, progress=progress)
        yield Fetched(str(target), data)
        return
    with Sftp(target, deadline) as sftp:
        for path in _bundles(sftp, target):
            data = b"".join(sftp.read(path, MAX_BUNDLE_BYTES, progress))
            yield Fetched(str(replace(target, path=path)), data)


def _bundles(sftp: Sftp, target: SshTarget) -> list[str]:
    found = sftp.stat(target.path)
    if found is None:
        raise RemoteMissingError(f"there is nothing at {target}; check the path")
    if found.is_file:
        return [target.path]
    if not found.is_folder:
        raise RemoteMissingError(f"{target} is neither a file nor a folder; check the path")
    names = sorted(name for name in sftp.entries(target.path) if name.endswith(SUFFIX))
    paths = [posixpath.join(target.path, name) for name in names if name[0] != "."]
    if not paths:
        raise RemoteMissingError(f"there are no bundles (*{SUFFIX}) in {target}; check the folder")
    return paths
