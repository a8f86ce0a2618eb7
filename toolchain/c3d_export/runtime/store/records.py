"""`names/<name>.json`: which codec of a name is active, and which were before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...core import jsonio
from ...core.errors import BundleManifestError, MissingModelError, OptionError
from ...core.limits import KIB
from .layout import parse_id

FORMAT: Final = "c3d-export name"
VERSION: Final = 1
KEPT: Final = 3
"""Codecs of a name, the active one among them, that pruning leaves."""
MAX_RECORD_BYTES: Final = 4 * KIB


@dataclass(frozen=True)
class Record:
    """active: id of the codec that encoders use. history: ids, the newest first.

    Laws: 1 to KEPT different ids, the active one among them.
    """

    active: bytes
    history: tuple[bytes, ...]

    def activated(self, codec: bytes) -> Record:
        """`codec` in front, then what was active and what is older than that.

        What was rolled back from comes last: going back from here must not lead to it.
        """
        place = self.history.index(self.active)
        order = (codec, *self.history[place:], *self.history[:place])
        return Record(codec, tuple(dict.fromkeys(order))[:KEPT])

    def rolled_back(self, name: str) -> Record:
        """The next older codec active; raises OptionError where there is none."""
        older = self.history[self.history.index(self.active) + 1 :]
        if not older:
            raise OptionError(
                f"{name} has no version before {self.active.hex()}; `c3d-export list` shows those"
                " that are kept, --to ID takes one of them"
            )
        return Record(older[0], self.history)

    def to_bytes(self) -> bytes:
        return jsonio.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "active": self.active.hex(),
                "history": [codec.hex() for codec in self.history],
            },
            max_bytes=MAX_RECORD_BYTES,
        )


def first_record(codec: bytes) -> Record:
    """That of a name of which nothing was installed before."""
    return Record(codec, (codec,))


def read_record(path: Path) -> Record:
    """Raises MissingModelError where there is none, BundleManifestError for a damaged one."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORD_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingModelError(
            f"no codec {path.stem} is installed in {path.parent.parent}; look at `c3d-export list`,"
            " or run c3d-export install TARGET"
        ) from error
    except OSError as error:
        raise BundleManifestError(f"cannot read {path}: {error.strerror}") from error
    return parse_record(data, str(path))


def parse_record(data: bytes, what: str) -> Record:
    """Raises BundleManifestError; what: the file, for the message."""
    again = "remove it and install the bundles again"
    try:
        value = jsonio.loads(data, BundleManifestError, what=what, max_bytes=MAX_RECORD_BYTES)
    except BundleManifestError as error:
        raise BundleManifestError(f"{error}; {again}") from error
    match value:
        case {"format": "c3d-export name", "version": 1, "active": str(active), "history": [*ids]}:
            known = [parse_id(i) for i in ids if isinstance(i, str)]
            history = tuple(codec for codec in known if codec is not None)
            distinct = len(set(history)) == len(history) == len(ids) <= KEPT
            chosen = parse_id(active)
            if distinct and chosen is not None and chosen in history:
                return Record(chosen, history)
    raise BundleManifestError(f"{what} is damaged; {again}")
