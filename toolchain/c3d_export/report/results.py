"""The results of an evaluation, read from its `results.json` and checked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from c3d_export.core import jsonio
from c3d_export.core.errors import MissingInputError, ResultsError
from c3d_export.core.limits import MIB

FORMAT: Final = 1
FILE: Final = "results.json"
OURS: Final = "ours"
STAGE: Final = "stage: "
"""How the names of single stages' times begin."""

# 500 frames at 60 settings are 30,000 rows of 600 bytes.
MAX_BYTES: Final = 64 * MIB

# Names that a row has in tables for people, and those that its summary has.
_ALIASES: Final = {
    "name": "image",
    "bytes": "file_bytes",
    "enc_ms": "encode_ms",
    "dec_ms": "decode_ms",
}
_TEXTS: Final = frozenset({"model", "image", "supersampled", "error", "shape", "stages_ms"})
_COUNTS: Final = frozenset({"quality", "width", "height", "images", "failures"})


@dataclass(frozen=True)
class Summary:
    """One codec at one quality over all frames.

    `values`: means and medians by name, the times of single stages as STAGE and their name; NaN
    where nothing was measured, inf where all frames came back equal. `failures` are in none of
    them. `supersampled`: factor and up-scaler of a codec at a lower resolution, else empty.
    """

    model: str
    quality: int
    supersampled: str
    images: int
    failures: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """One frame at one quality through one codec; names and `values` as in Summary.

    `error` is None exactly where it was coded, decoded and compared.
    """

    model: str
    quality: int
    supersampled: str
    image: str
    error: str | None
    values: Mapping[str, float]


@dataclass(frozen=True)
class BdRate:
    """By how many percent the rate of `codec` differs from that of `anchor` at equal `metric`.

    Between `low` and `high` of the metric; NaN with a `reason` where it cannot be said. Of `images`
    out of `total` frames; 0 where the file does not say.
    """

    codec: str
    anchor: str
    metric: str
    percent: float
    low: float
    high: float
    reason: str
    images: int
    total: int


@dataclass(frozen=True)
class Results:
    """A whole evaluation. `codec`, `frames`, `versions` and `environment` are as in the file."""

    definitions: Mapping[str, Any]
    versions: Mapping[str, Any]
    environment: Mapping[str, Any]
    codec: Mapping[str, Any]
    frames: Mapping[str, Any]
    summaries: tuple[Summary, ...]
    rows: tuple[Row, ...]
    bd_rates: tuple[BdRate, ...]

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The names of the codecs, in the order of the file."""
        return tuple(dict.fromkeys(item.model for item in self.summaries))

    @cached_property
    def ours(self) -> str:
        """The codec that all is about: `ours`, or the first one where none is called so."""
        return OURS if OURS in self.models else self.models[0]

    @cached_property
    def images(self) -> tuple[str, ...]:
        """The names of the frames, in the order of the file."""
        return tuple(dict.fromkeys(row.image for row in self.rows))

    @cached_property
    def rescaled(self) -> frozenset[str]:
        """The names of the codecs that run at a lower resolution."""
        return frozenset(item.model for item in self.summaries if item.supersampled)

    def others(self) -> tuple[str, ...]:
        """The names of the codecs but ours."""
        return tuple(name for name in self.models if name != self.ours)


def read_results(folder: Path) -> Results:
    """The results of `eval --out folder`, or of that file itself.

    Raises MissingInputError where there are none, ResultsError where they are truncated, of
    another format, or contradict themselves: means that are not of the rows beside them.
    """
    path = folder / FILE if folder.is_dir() else folder
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot open {path}: {error.strerror}; make it with `c3d-export eval --out DIR`"
        raise MissingInputError(message) from error
    try:
        return parse_results(data)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}; run `c3d-export eval` again") from error


def parse_results(data: bytes) -> Results:
    """The results in the bytes of a `results.json`. Raises ResultsError."""
    value = jsonio.loads(data, ResultsError, what="the file", max_bytes=MAX_BYTES)
    if not isinstance(value, dict) or "format" not in value:
        raise ResultsError("it has no format number, so it is of another program or version")
    if value["format"] != FORMAT:
        raise ResultsError(f"it is of format {value['format']!r}, and this version reads {FORMAT}")
    parts = {name: _part(value, name, dict) for name in ("definitions", "versions", "environment")}
    results = Results(
        **parts,
        codec=_part(value, "codec", dict),
        frames=_part(value, "frames", dict),
        summaries=tuple(map(_summary, _records(value, "summaries"))),
        rows=tuple(map(_row, _records(value, "rows"))),
        bd_rates=tuple(map(_bd_rate, _records(value, "bd_rates"))),
    )
    _check_counts(results)
    return results


def _part(value: dict[str, Any], name: str, kind: type) -> Any:
    part = value.get(name)
    if not isinstance(part, kind):
        raise ResultsError(f"its {name} are missing or of another kind")
    return part


def _records(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    records = _part(value, name, list)
    if not all(isinstance(record, dict) for record in records):
        raise ResultsError(f"its {name} are not all objects")
    return [{_ALIASES.get(key, key): cell for key, cell in one.items()} for one in records]


def _summary(record: dict[str, Any]) -> Summary:
    model, quality, supersampled = _identity(record)
    counts = _count(record, "images"), _count(record, "failures")
    return Summary(model, quality, supersampled, *counts, _values(record))


def _row(record: dict[str, Any]) -> Row:
    error = record.get("error")
    values = _values(record)
    width, x, height = str(record.get("shape") or "").partition("x")
    size = (int(width), int(height)) if x and width.isdigit() and height.isdigit() else (0, 0)
    values["width"] = number(record.get("width", size[0]), "width")
    values["height"] = number(record.get("height", size[1]), "height")
    reason = None if error is None else _text(record, "error")
    return Row(*_identity(record), _text(record, "image"), reason, values)


def _bd_rate(record: dict[str, Any]) -> BdRate:
    codec, anchor, metric = (_text(record, name) for name in ("codec", "anchor", "metric"))
    percent, low, high = (number(record.get(name), name) for name in ("percent", "low", "high"))
    reason = str(record.get("reason") or "")
    counts = (_count(record, name) if name in record else 0 for name in ("images", "of"))
    return BdRate(codec, anchor, metric, percent, low, high, reason, *counts)


def _identity(record: dict[str, Any]) -> tuple[str, int, str]:
    supersampled = str(record.get("supersampled") or "")
    return _text(record, "model"), _count(record, "quality"), supersampled


def _values(record: dict[str, Any]) -> dict[str, float]:
    names = (name for name in record if name not in _TEXTS | _COUNTS)
    values = {name: number(record[name], name) for name in names}
    stages = record.get("stages_ms") or {}
    if not isinstance(stages, dict):
        raise ResultsError(f"stages_ms is {str(stages)[:40]!r}, which is no object")
    return values | {f"{STAGE}{name}": number(cell, name) for name, cell in stages.items()}


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise ResultsError(f"an entry has no {name}: {str(record)[:80]}")
    return value


def _count(record: dict[str, Any], name: str) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ResultsError(f"an entry has no {name}: {str(record)[:80]}")
    return value


def number(cell: object, name: str) -> float:
    """A number as the file has it: null stands for NaN, "inf" for infinity. Raises ResultsError."""
    if cell is None:
        return math.nan
    if cell == "inf":
        return math.inf
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    raise ResultsError(f"{name} is {str(cell)[:40]!r}, which is no number")


def _check_counts(results: Results) -> None:
    if not results.summaries:
        raise ResultsError("it has no codec")
    groups = ((row.model, row.quality, row.supersampled, row.error is None) for row in results.rows)
    counts = Counter(groups)
    for item in results.summaries:
        key = item.model, item.quality, item.supersampled
        found = counts[*key, True], counts[*key, False]
        if found != (item.images, item.failures):
            raise ResultsError(
                f"{item.model} at quality {item.quality} has {item.images} images and"
                f" {item.failures} failures in its mean, and {found[0]} and {found[1]} rows"
            )
