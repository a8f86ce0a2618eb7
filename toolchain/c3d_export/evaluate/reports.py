"""The rows and summaries of an evaluation as files: CSV for tables, JSON for machines."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from typing import Final

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.errors import C3DError, OptionError
from c3d_export.core.jsonio import dumps
from c3d_export.evaluate.metrics import DEFINITIONS, ms_ssim_db
from c3d_export.evaluate.runner import Row, Summary

CSV_COLUMNS: Final = (
    "model",
    "name",
    "shape",
    "quality",
    "bytes",
    "bpp",
    "psnr",
    "ms_ssim",
    "ms_db",
    "enc_ms",
    "dec_ms",
    "error",
)

Cell = str | int | float | None


def write_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """Writes the rows atomically as CSV: UTF-8, CSV_COLUMNS at the top, `shape` as 1280x720.

    A cell is empty where nothing was measured; PSNR of equal frames is `inf`. Raises DiskError.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(row) for row in rows)
    write_bytes_atomic(path, text.getvalue().encode("utf-8"))


def write_json(
    rows: Sequence[Row], summaries: Sequence[Summary], path: str | os.PathLike[str]
) -> None:
    """Writes definitions of the metrics, summaries and rows atomically as JSON.

    null stands for what was not measured and "inf" for equal frames, as JSON has no such numbers.
    Raises DiskError, and OptionError where the rows are more than a JSON file of ours may hold
    (some 10,000): write_csv has no limit.
    """
    report = {
        "definitions": DEFINITIONS,
        "rows": [_cells(row) for row in rows],
        "summaries": [
            {key: _cell(value) for key, value in vars(item).items()} for item in summaries
        ],
    }
    try:
        data = dumps(report)
    except C3DError as error:
        message = f"cannot write {len(rows)} rows: {error}; write them as CSV"
        raise OptionError(message) from error
    write_bytes_atomic(path, data)


def _cells(row: Row) -> dict[str, Cell]:
    shape = f"{row.width}x{row.height}" if row.width else None
    size = row.file_bytes if row.error is None else None
    numbers = row.bpp, row.psnr, row.ms_ssim, ms_ssim_db(row.ms_ssim), row.encode_ms, row.decode_ms
    values = row.model, row.image, shape, row.quality, size, *map(_cell, numbers), row.error
    return dict(zip(CSV_COLUMNS, values, strict=True))


def _cell(value: str | float) -> Cell:
    """A value as both files can hold it."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return "inf"
        return round(value, 6)
    return value
