"""Where things lie in a store. Asking for a path creates nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...core.digest import CODEC_ID_BYTES
from ...core.errors import OptionError

ENVIRONMENT_VARIABLE: Final = "C3D_STORE"
BLOBS: Final = "blobs"
RECORD_SUFFIX: Final = ".json"

# A name becomes a file, so that it must not climb out of the store or hide in it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CODEC_ID = re.compile(rf"[0-9a-f]{{{2 * CODEC_ID_BYTES}}}")


@dataclass(frozen=True)
class Layout:
    """The paths under one root."""

    root: Path

    @property
    def blobs(self) -> Path:
        return self.root / BLOBS

    @property
    def codecs(self) -> Path:
        return self.root / "codecs"

    @property
    def names(self) -> Path:
        return self.root / "names"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def codec(self, codec: bytes) -> Path:
        """The folder of a codec; codec: its id."""
        return self.codecs / codec.hex()

    def record(self, name: str) -> Path:
        """The file that says which codec of a name is active; raises OptionError."""
        return self.names / f"{check_name(name)}{RECORD_SUFFIX}"


def store_root(env: Mapping[str, str]) -> Path:
    """The folder of C3D_STORE, else `c3d-export/store` in XDG_DATA_HOME or ~/.local/share."""
    if chosen := env.get(ENVIRONMENT_VARIABLE):
        return Path(chosen)
    data = Path(env.get("XDG_DATA_HOME") or "")
    # The specification has relative paths ignored.
    base = (
        data if data.is_absolute() else Path(env.get("HOME") or "~").expanduser() / ".local/share"
    )
    return base / "c3d-export" / "store"


def check_name(name: str) -> str:
    """The name itself: letters, digits, `.`, `_`, `-`, the first a letter or digit, 100 at most.

    Raises OptionError otherwise.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(
            f"{str(name)[:120]!r} is no name of a codec: letters, digits, '.', '_' and '-', at most"
            " 100, the first a letter or digit; look at `c3d-export list`"
        )
    return name


def parse_id(text: str) -> bytes | None:
    """The codec id that 16 hexadecimal digits are, None for any other text."""
    return bytes.fromhex(text) if _CODEC_ID.fullmatch(text) else None
