"""Values of a table by key and type; what is no such value is a TableError that says where."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from .source import Key, Source

Where = tuple[Key, ...]


class Fields:
    """Reads from one source. where: the key of the entry that is read from, for messages."""

    def __init__(self, source: Source) -> None:
        self.source, self.fault = source, source.fault

    def known(self, where: Where, entry: Mapping[str, Any], keys: Iterable[str]) -> None:
        for key in entry:
            if key not in keys:
                self.fault((*where, key), f"unknown key; known here: {', '.join(keys)}")

    def section(self, key: str) -> Mapping[str, Any]:
        found = self.source.content.get(key, {})
        if not isinstance(found, dict):
            self.fault((key,), f"must be a table; write [{key}]")
        return found

    def entries(self, key: str) -> list[Any]:
        found = self.source.content.get(key, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            self.fault((key,), f"must be a list of tables; write [[{key}]]")
        return found

    def value(self, where: Where, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.fault(where, f"{value!r} is neither text nor number")
        return str(value)

    def words(self, where: Where, text: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            self.fault(where, f"{error}; write it as in a shell")

    def text(self, where: Where, entry: Any, key: str, default: str) -> str:
        value = entry.get(key, default)
        if not isinstance(value, str):
            self.fault((*where, key), f"must be text, not {value!r}")
        return value

    def whole(self, where: Where, entry: Any, key: str, default: int) -> int:
        value = entry.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fault((*where, key), f"must be a whole number from 0 on, not {value!r}")
        return value

    def number(self, where: Where, entry: Any, key: str, default: float) -> float:
        value = entry.get(key, default)
        bad = isinstance(value, bool) or not isinstance(value, int | float)
        if bad or not (math.isfinite(value) and value >= 0):
            self.fault((*where, key), f"must be a number from 0 on, not {value!r}")
        return float(value)
