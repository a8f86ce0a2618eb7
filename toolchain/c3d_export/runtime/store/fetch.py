"""Bundles from where they were shipped to: a file, a folder, another host.

What arrives is bytes from outside, and nothing else is believed of it: `install` looks at them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from ...core.errors import LibraryMissingError, MissingInputError, OptionError
from ...core.limits import MAX_BUNDLE_BYTES
from ..shipped import SUFFIX, bundles_in

PATIENCE: Final = 600
"""Seconds for a transfer of all files."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OPTIONS: Final = (
    *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
)


def fetch(target: str) -> Iterator[bytes]:
    """The bundles of a target, one after the other.

    target: a `.c3b`, a folder of them, `ssh://[user@]host[:port]/path` of either, or what another
    scheme of FETCHERS says. Raises MissingInputError where there is none or the host cannot be
    reached, OptionError for an unknown kind of target, LibraryMissingError without `sftp`.
    """
    scheme = _SCHEME.match(target)
    if scheme is None:
        return _from_path(Path(target), target)
    if scheme[1] not in FETCHERS:
        known = ", ".join(f"{name}://" for name in FETCHERS)
        raise OptionError(
            f"cannot install from {scheme[0]}; name a bundle, a folder of them, or one of {known}"
        )
    return FETCHERS[scheme[1]](target)


def _from_path(path: Path, target: str) -> Iterator[bytes]:
    files = bundles_in(path) if path.is_dir() else [path]
    if not files:
        raise MissingInputError(f"no bundle (*{SUFFIX}) in {target}; check the folder")
    for file in files:
        yield _read(file, target)


def _read(path: Path, target: str) -> bytes:
    """At most one byte more than a bundle may have, so that a longer file shows."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"no bundle at {target}: {reason}; check the path") from error


def _from_ssh(target: str) -> Iterator[bytes]:
    """By the system's sftp, with the user's own keys and configuration; never asks anything."""
    address, path = ssh_address(target)
    wanted = quoted(path) if path.endswith(SUFFIX) else f"{quoted(path.rstrip('/'))}/*{SUFFIX}"
    with tempfile.TemporaryDirectory(prefix="c3d-fetch-") as scratch:
        _sftp(address, f"get {wanted} {quoted(scratch)}\n", target)
        yield from _from_path(Path(scratch), target)


def ssh_address(target: str) -> tuple[list[str], str]:
    """sftp's arguments for the host of `ssh://[user@]host[:port]/path`, and the path.

    Neither host nor user can be taken for an option. Raises OptionError.
    """
    try:
        parts = urlsplit(target)
        host, user, port, path = parts.hostname, parts.username, parts.port, unquote(parts.path)
    except ValueError as error:
        raise _no_address(target) from error
    plain = (
        path.isprintable()
        and "\\" not in path
        and not parts.query
        and not parts.fragment
        and not parts.password
    )
    if not host or not _HOST.fullmatch(host) or not plain or path in ("", "/"):
        raise _no_address(target)
    if user is not None and not _USER.fullmatch(user):
        raise _no_address(target)
    name = f"[{host}]" if ":" in host else host
    login = f"{user}@{name}" if user else name
    return [*(["-P", str(port)] if port else []), "--", login], path


def _no_address(target: str) -> OptionError:
    return OptionError(
        f"{target} is no ssh://[user@]host[:port]/path; keys and the like go into ~/.ssh/config"
    )


def quoted(path: str) -> str:
    """A path for one line of sftp's batch: in quotes it takes nothing but quotes and backslashes
    for what they are not, and `ssh_address` lets no backslash in."""
    return '"' + path.replace('"', '\\"') + '"'


def _sftp(address: list[str], batch: str, target: str) -> None:
    program = shutil.which("sftp")
    if program is None:
        raise LibraryMissingError("ssh:// needs sftp; install the OpenSSH client")
    command = [program, *_OPTIONS, "-b", "-", *address]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        with process:
            _limit_files(process.pid)
            try:
                _, said = process.communicate(batch.encode(), PATIENCE)
            except BaseException:
                process.kill()
                raise
    except subprocess.TimeoutExpired as error:
        raise MissingInputError(
            f"cannot fetch {target}: it takes longer than {PATIENCE} s; check the network"
        ) from error
    if process.returncode:
        reason = _reason(said.decode("utf-8", "replace")) or f"sftp ended with {process.returncode}"
        raise MissingInputError(
            f"cannot fetch {target}: {reason}; check the path, and that ssh reaches the host"
            " without asking for a password"
        )


def _reason(said: str) -> str:
    """The last line of ssh's or sftp's that says something."""
    lines = [line.strip(" .\r") for line in said.splitlines()]
    told = [line for line in lines if line and not line.startswith("Connection closed")]
    return told[-1] if told else ""


def _limit_files(process: int) -> None:
    """A host that sends without end fills a bundle's worth of disk, and no more (Linux)."""
    import resource

    if hasattr(resource, "prlimit"):
        most = MAX_BUNDLE_BYTES + 1
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))


FETCHERS: Final[dict[str, Callable[[str], Iterator[bytes]]]] = {"ssh": _from_ssh}
"""Scheme of a target -> what yields its bundles."""
