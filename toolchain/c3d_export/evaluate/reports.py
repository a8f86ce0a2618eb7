"""The files of an evaluation: CSV for tables, JSON for machines; `exchange` has more."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.errors import C3DError, OptionError
from c3d_export.core.jsonio import dumps
from c3d_export.core.limits import MIB
from c3d_export.evaluate.metrics import DEFINITIONS, METRICS, ms_ssim_db
from c3d_export.evaluate.rows import Cell, Row, cell
from c3d_export.evaluate.summaries import BdRate, Summary

FORMAT: Final = 1
"""Of results.json; another number where its readers would have to change."""

MAX_RESULTS_BYTES: Final = 64 * MIB
"""Of results.json: some 40,000 rows. Larger ones go into CSV alone."""

CSV_COLUMNS: Final = (
    "model",
    "name",
    "shape",
    "quality",
    "bytes",
    "bpp",
    "payload_bytes",
    "payload_bpp",
    "psnr",
    "psnr_y",
    "ssim",
    "ssim_y",
    "ms_ssim",
    "ms_ssim_y",
    "ms_db",
    "vmaf",
    "enc_ms",
    "dec_ms",
    "supersampled",
    "error",
)

DIGITS: Final = 6


@dataclass(frozen=True)
class Report:
    """All that results.json holds; `codec`, `frames`, `versions` and `environment` in JSON's own
    types."""

    rows: Sequence[Row]
    summaries: Sequence[Summary]
    bd_rates: Sequence[BdRate] = ()
    codec: Mapping[str, Any] | None = None
    frames: Mapping[str, Any] | None = None
    versions: Mapping[str, str] | None = None
    environment: Mapping[str, Any] | None = None


def write_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """Writes the rows atomically as CSV: UTF-8, CSV_COLUMNS at the top, `shape` as 1280x720.

    A cell is empty where nothing was measured; PSNR of equal frames is `inf`. Raises DiskError.
    """
    write_lines(path, CSV_COLUMNS, map(cells, rows), ",")


def write_json(report: Report, path: str | os.PathLike[str]) -> None:
    """Writes a report atomically as JSON; docs/evaluation.md has its form.

    null stands for what was not measured and "inf" for equal frames, as JSON has no such numbers.
    Raises DiskError, and OptionError where the rows are more than MAX_RESULTS_BYTES: write_csv
    has no limit.
    """
    value = {
        "format": FORMAT,
        "definitions": DEFINITIONS,
        "versions": dict(report.versions or {}),
        "environment": dict(report.environment or {}),
        "codec": dict(report.codec or {}),
        "frames": dict(report.frames or {}),
        "rows": [{**cells(row), "stages_ms": _rounded(row.stages_ms)} for row in report.rows],
        "summaries": [_rounded(asdict(item)) for item in report.summaries],
        "bd_rates": [_rounded(asdict(item)) for item in report.bd_rates],
    }
    try:
        data = dumps(value, max_bytes=MAX_RESULTS_BYTES)
    except C3DError as error:
        message = f"cannot write {len(report.rows)} rows: {error}; write them as CSV"
        raise OptionError(message) from error
    write_bytes_atomic(path, data)


def cells(row: Row) -> dict[str, Cell]:
    """A row by CSV_COLUMNS."""
    done = row.error is None
    values: dict[str, Cell] = {
        "model": row.model,
        "name": row.image,
        "shape": _shape(row),
        "quality": row.quality,
        "bytes": row.file_bytes if done else None,
        "bpp": row.bpp,
        "payload_bytes": row.payload_bytes if done else None,
        "payload_bpp": row.payload_bpp,
        **{metric: getattr(row, metric) for metric in METRICS},
        "ms_db": ms_ssim_db(row.ms_ssim),
        "enc_ms": row.encode_ms,
        "dec_ms": row.decode_ms,
        "supersampled": row.supersampled,
        "error": row.error,
    }
    return {name: plain(values[name]) for name in CSV_COLUMNS}


def write_lines(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    lines: Iterable[Mapping[str, Cell]],
    delimiter: str,
) -> None:
    """Writes a table atomically: UTF-8, line feeds. Raises DiskError."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(lines)
    write_bytes_atomic(path, text.getvalue().encode("utf-8"))


def _shape(row: Row) -> str | None:
    return f"{row.width}x{row.height}" if row.width else None


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value) if isinstance(value, Mapping) else plain(value)
        for key, value in values.items()
    }


def plain(value: Any) -> Any:
    """A value as CSV and JSON can hold it."""
    return cell(value, DIGITS) if isinstance(value, float) else value
