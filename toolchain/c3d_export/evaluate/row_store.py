"""Rows on disk as they come, so that an interrupted evaluation goes on where it was.

A file of lines, each a JSON object {"key", "row"}. A key is the SHA-256 of all that a row's
numbers depend on: codec, frame, quality, metrics, versions of the libraries. A line that was cut
is as if it had not been; of two lines with one key the later one counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

from c3d_export.core.errors import DiskError
from c3d_export.evaluate.rows import Row, from_json, to_json

FILE: Final = "rows.jsonl"

# Changes where a row of today would not equal one of before.
VERSION: Final = 1


def row_key(**parts: object) -> str:
    """The key of what a row depends on: values that JSON can say, by name."""
    text = json.dumps({**parts, "row_version": VERSION}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class RowStore:
    """The rows of one folder; a context manager that closes the file.

    fresh: forget what is there. Raises DiskError where the file cannot be read or written.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.path = folder / FILE
        try:
            if fresh:
                self.path.unlink(missing_ok=True)
            self._rows = _read(self.path)
            self._file: IO[bytes] = self.path.open("ab")
            self._cut = self._file.tell() > 0 and not _ends_with_newline(self.path)
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, key: str, image: str, model: str) -> Row | None:
        """A row that was measured without an error, under the names that it has today."""
        row = self._rows.get(key)
        return None if row is None else replace(row, image=image, model=model)

    def put(self, key: str, row: Row) -> None:
        """Appends a row. One with an error is not kept: it is tried again."""
        if row.error is not None:
            return
        line = json.dumps({"key": key, "row": to_json(row)}, allow_nan=False) + "\n"
        try:
            self._file.write(b"\n" * self._cut + line.encode())
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error
        self._cut = False
        self._rows[key] = row

    def _failed(self, error: OSError) -> DiskError:
        reason = error.strerror or error
        return DiskError(f"cannot keep rows in {self.path}: {reason}; choose another --out")


def _read(path: Path) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    if not path.exists():
        return rows
    with path.open("rb") as file:
        for line in file:
            entry = _entry(line)
            if entry is not None:
                rows[entry[0]] = entry[1]
    return rows


def _entry(line: bytes) -> tuple[str, Row] | None:
    try:
        value: Any = json.loads(line)
        return str(value["key"]), from_json(value["row"])
    except (ValueError, TypeError, KeyError):
        return None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
