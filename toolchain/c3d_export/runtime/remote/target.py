"""Where bundles go to and come from, as a user writes it.

FOLDER                                    a local or mounted folder, or a bundle in one
ssh://[user@]host[:port]/path             a folder or a bundle behind ssh; /~/path is the home's
oci://registry[:port]/repository[:tag]    an artifact of an OCI registry; @sha256:... for a tag
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ...core.errors import OptionError

DEFAULT_TAG: Final = "latest"
# No part can begin with a dash: ssh would take it for an option.
_USER: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_HOST: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_SSH: Final = re.compile(rf"ssh://(?:({_USER})@)?({_HOST})(?::(\d{{1,5}}))?(/.*)")
# Names as in OCI distribution 1.1, "Pulling manifests".
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_OCI: Final = re.compile(
    rf"oci://((?:{_HOST})(?::\d{{1,5}})?)/({_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@(sha256:[0-9a-f]{64}))?"
)
_LONGEST: Final = 4096


@dataclass(frozen=True)
class FolderTarget:
    """A path of this machine."""

    path: Path

    def __str__(self) -> str:
        text = os.fspath(self.path)
        return f"./{text}" if ":" in text.split("/")[0] else text  # no host's name

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for targets that are one place, however they are written."""
        return "folder", os.path.realpath(self.path)


@dataclass(frozen=True)
class SshTarget:
    """host: a name, an alias of ~/.ssh/config, or an address without brackets.
    path: absolute, or relative to the home of the user."""

    user: str | None
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = self.path if self.path.startswith("/") else f"/~/{self.path}"
        port = f":{self.port}" if self.port else ""
        return f"ssh://{self.login}{host}{port}{path.replace('%', '%25')}"

    @property
    def login(self) -> str:
        return f"{self.user}@" if self.user else ""

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for targets that are one place, however they are written."""
        return "ssh", self.login, self.host.lower(), str(self.port), posixpath.normpath(self.path)


@dataclass(frozen=True)
class OciTarget:
    """registry: host[:port]. reference: a tag, or the digest "sha256:..." of a manifest."""

    registry: str
    repository: str
    reference: str

    def __str__(self) -> str:
        mark = "@" if ":" in self.reference else ":"
        return f"oci://{self.registry}/{self.repository}{mark}{self.reference}"

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for targets that are one place, however they are written."""
        return "oci", self.registry.lower(), self.repository, self.reference


Target = FolderTarget | SshTarget | OciTarget


def parse_target(text: str) -> Target:
    """Raises OptionError, which says how to write it."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", _checked(text))
    if scheme is None:
        return _folder(text)
    if scheme[1] == "ssh":
        return _ssh(text)
    if scheme[1] == "oci":
        return _oci(text)
    raise OptionError(f"{text}: unknown scheme; use a folder, ssh://host/path or oci://host/name")


def _checked(text: str) -> str:
    if not text or len(text) > _LONGEST or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise OptionError(f"{text[:80]!r} is no target; name a folder, ssh:// or oci://")
    return text


def _folder(text: str) -> FolderTarget:
    # What scp and rsync take; a local folder of such a name is written with ./ before it.
    if re.match(rf"(?:{_USER}@)?(?:{_HOST}):", text) and not Path(text).exists():
        host, _, path = text.partition(":")
        raise OptionError(f"{text} is no folder; write ssh://{host}/{path.lstrip('/')} for a host")
    return FolderTarget(Path(text))


def _ssh(text: str) -> SshTarget:
    match = _SSH.fullmatch(text)
    if match is None or not _port_fits(match[3]):
        raise OptionError(
            f"{text}: write ssh://[user@]host[:port]/path, or /~/path for one in the home folder;"
            " keys, not passwords, are ssh's own business"
        )
    path = _checked(unquote(match[4], errors="surrogateescape"))
    if path == "/~" or path.startswith("/~/"):
        path = path[3:].lstrip("/") or "."
    port = int(match[3]) if match[3] else None
    return SshTarget(match[1], match[2].strip("[]"), port, path)


def _oci(text: str) -> OciTarget:
    match = _OCI.fullmatch(text)
    if match is None or len(match[2]) > 255:
        raise OptionError(
            f"{text}: write oci://registry[:port]/repository[:tag], the repository in lower case"
        )
    return OciTarget(match[1], match[2], match[4] or match[3] or DEFAULT_TAG)


def _port_fits(text: str | None) -> bool:
    return text is None or 1 <= int(text) <= 65535
