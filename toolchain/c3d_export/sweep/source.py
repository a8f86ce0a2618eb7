"""The text of a table, and where in it something stands, for messages that say so."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from ..core.errors import MissingInputError, TableError
from ..core.limits import MAX_SWEEP_TABLE_BYTES

Key = str | int
_HEADER: Final = re.compile(r"\s*\[\[?\s*([\w.\"'-]+)\s*\]\]?")


@dataclass(frozen=True)
class Source:
    """name: of the file. text: of all of it. content: what the TOML says."""

    name: str
    text: str
    content: dict[str, Any]

    @staticmethod
    def read(path: Path) -> Source:
        """Raises MissingInputError, or TableError for what is no TOML."""
        try:
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MissingInputError(f"cannot read {path}: {reason}; check the path") from error
        if len(data) > MAX_SWEEP_TABLE_BYTES:
            raise TableError(f"{path} has more than {MAX_SWEEP_TABLE_BYTES} bytes; split it")
        try:
            text = data.decode("utf-8-sig")
            return Source(path.name, text, tomllib.loads(text))
        except ValueError as error:  # also of UTF-8
            raise TableError(f"{path} is no TOML: {error}") from error

    def fault(self, where: tuple[Key, ...], message: str) -> NoReturn:
        """Raises TableError that says in which key, and in which line where that can be told.

        where: as `("axes", "game")` or `("exclude", 1, "game")`, counted from 0.
        """
        line = self._line(where)
        place = f"{self.name}, line {line}" if line else self.name
        raise TableError(f"{place}: {_spelt(where)}{message}")

    def _line(self, where: tuple[Key, ...]) -> int:
        """From 1; that of the section where the key is not found, and 0 where neither is."""
        if not where:
            return 0
        inside = len(where) > 1 or isinstance(self.content.get(str(where[0])), dict | list)
        section = str(where[0]) if where and inside else ""
        number = where[1] if len(where) > 1 and isinstance(where[1], int) else 0
        key = str(where[-1]) if where and isinstance(where[-1], str) else ""
        here, seen, found = "", -1, 0
        for index, line in enumerate(self.text.splitlines(), 1):
            if header := _HEADER.match(line):
                here = header[1].strip("\"'")
                seen += here == section
                found = index if here == section and seen == number else found
            elif here == section and seen in (number, -1) and _sets(line, key):
                return index
            elif not here and _sets(line, section):  # as `axes.game = []` or `axes = {}`
                found = index
        return found


def _sets(line: str, key: str) -> bool:
    return bool(key) and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line) is not None


def _spelt(where: tuple[Key, ...]) -> str:
    words = [f"{key + 1}" if isinstance(key, int) else key for key in where]
    return f"{' '.join(words)}: " if words else ""
