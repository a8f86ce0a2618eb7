"""Golden streams in memory, and the C library behind the types of the reference.

A file holds `banks`, `parts` and the payload. A bank of `count` tables has its list of tables
over and over; a part of n values has its values, indexes and means over and over.
"""

import json
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from c3d_export import _arith

from .banks import compile_bank
from .reference import Part, Table

FOLDER = Path(__file__).parent / "golden"


class Stream(NamedTuple):
    """The content of a golden file."""

    name: str
    lanes: int
    parts: list[Part]
    payload: bytes
    checksum: int


class Block(NamedTuple):
    """The content of a golden file of slices."""

    name: str
    slices: list[bytes]
    block: bytes


def repeated(items: Sequence[Any], n: int) -> list[Any]:
    """Return the first n items, over and over."""
    return list(islice(cycle(items), n))


def read(path: Path) -> dict[str, Any]:
    """Return a file of this version."""
    content: dict[str, Any] = json.loads(path.read_text())
    if content["version"] != 2:
        raise ValueError(f"{path.name} is of another version")
    return content


def read_bank(content: dict[str, Any]) -> list[Table]:
    """Return the tables of a bank."""
    tables = [
        Table(t["bits"], t["fold"], t["below"], tuple(t["frequencies"])) for t in content["tables"]
    ]
    return repeated(tables, content["count"])


def parse(content: dict[str, Any], name: str = "") -> Stream:
    """Return the stream of a file's content."""
    banks = [read_bank(bank) for bank in content["banks"]]
    parts = []
    for part in content["parts"]:
        n = part["n"]
        means = repeated(part["means"], n) if "means" in part else None
        indexes, values = repeated(part["indexes"], n), repeated(part["values"], n)
        parts.append(Part(banks[part["bank"]], indexes, values, means))
    payload, checksum = bytes.fromhex(content["payload"]), int(content["values_crc32c"], 16)
    return Stream(name, content["lanes"], parts, payload, checksum)


def streams() -> list[Stream]:
    """Return all golden streams."""
    paths = sorted(FOLDER.glob("*.json"))
    return [parse(read(p), p.stem) for p in paths if not p.stem.startswith("slices-")]


def blocks() -> list[Block]:
    """Return all golden blocks of slices."""
    contents = [(p.stem, read(p)) for p in sorted(FOLDER.glob("slices-*.json"))]
    return [
        Block(name, [bytes.fromhex(s) for s in c["slices"]], bytes.fromhex(c["block"]))
        for name, c in contents
    ]


def means_of(part: Part) -> npt.NDArray[np.int16] | None:
    """Return the means of a part as an array."""
    return None if part.means is None else np.array(part.means, np.int16)


def encode(parts: Sequence[Part], lanes: int, kernel: int = _arith.KERNEL_AUTO) -> bytes:
    """Encode with the C library."""
    return _arith.encode(
        [
            (
                compile_bank(part.bank, kernel),
                np.array(part.values, np.int16),
                np.array(part.indexes, np.uint8),
                means_of(part),
            )
            for part in parts
        ],
        lanes,
    )


class CompiledPart(NamedTuple):
    """What the C library needs to decode a part again and again."""

    tables: _arith.Tables
    indexes: npt.NDArray[np.uint8]
    means: npt.NDArray[np.int16] | None


def compile_parts(parts: Sequence[Part], kernel: int = _arith.KERNEL_AUTO) -> list[CompiledPart]:
    """Hand banks, indexes and means to the C library."""
    return [
        CompiledPart(
            compile_bank(part.bank, kernel), np.array(part.indexes, np.uint8), means_of(part)
        )
        for part in parts
    ]


def decode(parts: Sequence[CompiledPart], payload: bytes) -> tuple[int, list[int], int]:
    """Decode with the C library; return the status, and for OK the values and their checksum."""
    values: list[int] = []
    checksum = 0
    try:
        decoder = _arith.Decoder(payload)
        for part in parts:
            out = np.full(len(part.indexes), 0x5A5A, np.int16)
            checksum = decoder.pull(part.tables, part.indexes, out, part.means, checksum)
            values.extend(out.tolist())
        decoder.finish()
    except _arith.ArithError as error:
        return error.status, [], 0
    return _arith.OK, values, checksum
