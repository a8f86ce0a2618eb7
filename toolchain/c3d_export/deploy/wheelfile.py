"""Wheels as bytes: the archive, its RECORD, and what its name says of where it runs.

The format is PyPA's "Binary distribution format" and "Platform compatibility tags". Equal files
give equal bytes: members are sorted, have no time, are stored (what deflate gives depends on the
zlib), and `dist-info` goes last, as the specification recommends. What is compiled is not made here
(`hostwheel.py`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..core.errors import BundleFormatError

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LEGACY: Final = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MANYLINUX: Final = re.compile(r"manylinux_(\d+)_(\d+)_\w+")

Glibc = tuple[int, int]


def record_hash(data: bytes) -> str:
    """As RECORD has it: SHA-256 in URL-safe base64 without padding."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def pack_wheel(files: Mapping[str, bytes], dist_info: str) -> bytes:
    """The wheel of these files; those of the folder `dist_info` are among them, all but RECORD."""
    record = f"{dist_info}/RECORD"
    names = sorted(files, key=lambda name: (name.startswith(f"{dist_info}/"), name))
    lines = [f"{_field(name)},{record_hash(files[name])},{len(files[name])}" for name in names]
    text = "\n".join([*lines, f"{_field(record)},,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in [*names, record]:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, text if name == record else files[name])
    return buffer.getvalue()


def _field(name: str) -> str:
    """A field of RECORD, which is CSV."""
    return f'"{name}"' if "," in name else name


@dataclass(frozen=True)
class WheelName:
    """The parts of a wheel's file name. python, abi, platform: tags, several joined by dots."""

    distribution: str
    version: str
    python: str
    abi: str
    platform: str

    @property
    def file(self) -> str:
        tags = f"{self.python}-{self.abi}-{self.platform}"
        return f"{self.distribution}-{self.version}-{tags}.whl"

    @property
    def glibc(self) -> Glibc | None:
        """The oldest glibc that it runs with; None where it needs none, or does not say."""
        found = [version for tag in self.platform.split(".") if (version := _glibc(tag))]
        return min(found, default=None)

    @property
    def only_python(self) -> str | None:
        """The one Python whose ABI it is for, such as "3.11"; None where newer ones do too."""
        match = re.fullmatch(r"cp3(\d+)", self.abi)
        return f"3.{match[1]}" if match else None


def _glibc(tag: str) -> Glibc | None:
    if match := _MANYLINUX.fullmatch(tag):
        return int(match[1]), int(match[2])
    return _LEGACY.get(tag.split("_")[0])


def parse_wheel_name(file: str) -> WheelName:
    """Raises BundleFormatError for what is no wheel's name. A build number is left out."""
    parts = Path(file).name.removesuffix(".whl").split("-")
    if not file.endswith(".whl") or len(parts) not in (5, 6):
        raise BundleFormatError(f"{file} is no wheel's name; build the package again")
    return WheelName(*parts[:2], *parts[-3:])


def needed_glibc(files: Iterable[str]) -> Glibc | None:
    """The glibc that all of these wheels together ask for; None where none of them says."""
    versions = [version for file in files if (version := parse_wheel_name(file).glibc)]
    return max(versions, default=None)
