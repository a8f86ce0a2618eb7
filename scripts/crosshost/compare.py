"""Streams and pixels of every host against this machine's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Result = dict[str, Any]


@dataclass
class Row:
    """One host of the table. streams, frames: encoded and decoded here, both flavours together.

    values: of the decoded pixels, one a colour. first: the first difference, in words.
    """

    host: str
    cpu: str
    result: Result
    streams: int = 0
    streams_differing: int = 0
    frames: int = 0
    frames_differing: int = 0
    values: int = 0
    values_differing: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return bool(self.streams_differing or self.frames_differing or self.notes)


@dataclass(frozen=True)
class Reference:
    """What this machine made through its default flavour.

    streams: (frame, quality) -> SHA-256. pixels: SHA-256 of a stream -> that of its frame.
    """

    store: Path
    streams: dict[tuple[str, int], str]
    pixels: dict[str, str]


def reference_of(store: Path, encoded: Result, decoded: Result) -> Reference:
    flavour = encoded["opened"][0]["flavour"]
    streams = {
        (row["frame"], row["quality"]): row["stream"]
        for row in encoded["encoded"]
        if row["flavour"] == flavour
    }
    pixels = {
        row["stream"]: row["pixels"]
        for row in decoded["decoded"]
        if row["flavour"] == flavour and "pixels" in row
    }
    return Reference(store, streams, pixels)


def _differing_values(store: Path, got: str, wanted: str) -> int:
    arrays = [np.frombuffer((store / name).read_bytes(), np.uint8) for name in (got, wanted)]
    if arrays[0].size != arrays[1].size:
        return arrays[1].size
    return int(np.count_nonzero(arrays[0] != arrays[1]))


def _check_opened(row: Row, results: Iterable[Result]) -> None:
    for result in results:
        for opened in result["opened"]:
            if opened["error"]:
                row.notes.append(f"{opened['flavour']}: {opened['error']}")


def _check_streams(row: Row, reference: Reference, encoded: Result) -> None:
    for made in encoded["encoded"]:
        row.streams += 1
        wanted = reference.streams[made["frame"], made["quality"]]
        if made["stream"] != wanted:
            row.streams_differing += 1
            row.notes.append(
                f"{made['flavour']}: the stream of frame {made['frame']} at quality"
                f" {made['quality']} is {made['stream'][:16]}, not {wanted[:16]}"
            )


def _check_pixels(row: Row, reference: Reference, decoded: Result) -> None:
    for made in decoded["decoded"]:
        row.frames += 1
        what = f"{made['flavour']}: stream {made['stream'][:16]}"
        wanted = reference.pixels.get(made["stream"])
        if "error" in made or wanted is None:
            row.frames_differing += 1
            row.notes.append(f"{what}: {made.get('error', 'this machine cannot decode it')}")
            continue
        row.values += made["values"]
        if made["pixels"] != wanted:
            count = _differing_values(reference.store, made["pixels"], wanted)
            row.frames_differing += 1
            row.values_differing += count
            row.notes.append(f"{what}: {count} of {made['values']} values differ")


def compare(host: str, cpu: str, reference: Reference, encoded: Result, decoded: Result) -> Row:
    """Everything that the host made, each thing against the reference's."""
    row = Row(host, cpu, encoded["host"], seconds=encoded["seconds"] + decoded["seconds"])
    _check_opened(row, (encoded, decoded))
    _check_streams(row, reference, encoded)
    _check_pixels(row, reference, decoded)
    return row


# What decides which kernels run, the best first: numpy's name of a feature, and ours.
LEVELS = {
    "AVX512_CLX": "AVX-512 VNNI",
    "AVX512F": "AVX-512",
    "AVX2": "AVX2",
    "SSE42": "SSE4.2",
    "SVE": "SVE",
    "ASIMDDP": "NEON, dot product",
    "ASIMD": "NEON",
}


def level(features: Iterable[str]) -> str:
    has = set(features)
    return next((name for feature, name in LEVELS.items() if feature in has), "other")


HEADS = (
    "host",
    "processor",
    "onnxruntime",
    "numpy",
    "streams",
    "differing",
    "frames",
    "differing",
    "pixel values",
    "differing",
    "seconds",
)


def _cells(row: Row) -> tuple[str, ...]:
    counts = (row.streams, row.streams_differing, row.frames, row.frames_differing)
    values = (f"{row.values:,}", f"{row.values_differing:,}", f"{row.seconds:.0f}")
    versions = (row.result["onnxruntime"], row.result["numpy"])
    cpu = f"{row.cpu} ({level(row.result['features'])})"
    return (row.host, cpu, *versions, *(str(n) for n in counts), *values)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown, which is also how they are printed."""
    lines = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    left = 4
    aligned = [
        [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [aligned[0], rule, *aligned[1:]])
