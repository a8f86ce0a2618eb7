"""The files of an evaluation: CSV for tables, JSON for machines, and what others' tools read."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.errors import C3DError, OptionError
from c3d_export.core.jsonio import dumps
from c3d_export.core.limits import MIB
from c3d_export.evaluate.metrics import DEFINITIONS, METRICS, ms_ssim_db
from c3d_export.evaluate.rows import Cell, Row, cell
from c3d_export.evaluate.specialised import Gain
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

ECCV_COLUMNS: Final = (
    "model",
    "name",
    "shape",
    "binsize",
    "enc",
    "bpp",
    "dec",
    "psnr",
    "ms_ssim",
    "ms_db",
)
"""Of the code of "Application-specific learned image compression" (ECCV 2022): binsize in bytes,
enc and dec in seconds."""

STUDY_COLUMNS: Final = (
    "model",
    "quality",
    "metric",
    "supersampled",
    "bpp",
    "psnr_rgb",
    "psnr_y",
    "ssim_rgb",
    "ssim_y",
    "msssim",
)
"""Of the study of codecs on synthetic images: semicolons between; msssim is on RGB."""

GAIN_COLUMNS: Final = (
    "codec",
    "game",
    "own",
    "anchor",
    "metric",
    "percent",
    "low",
    "high",
    "images",
    "of",
    "reason",
)
"""Of `specialise`: `own` is True on the game that a codec was made for."""

_DIGITS: Final = 6


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
    _write(path, CSV_COLUMNS, map(_cells, rows), ",")


def write_eccv_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """The rows that were measured, with ECCV_COLUMNS. Raises DiskError."""
    _write(path, ECCV_COLUMNS, (_eccv(row) for row in rows if row.error is None), ",")


def write_study_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """The rows that were measured, with STUDY_COLUMNS, `;` between. Raises DiskError."""
    _write(path, STUDY_COLUMNS, (_study(row) for row in rows if row.error is None), ";")


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
        "rows": [{**_cells(row), "stages_ms": _rounded(row.stages_ms)} for row in report.rows],
        "summaries": [_rounded(asdict(item)) for item in report.summaries],
        "bd_rates": [_rounded(asdict(item)) for item in report.bd_rates],
    }
    try:
        data = dumps(value, max_bytes=MAX_RESULTS_BYTES)
    except C3DError as error:
        message = f"cannot write {len(report.rows)} rows: {error}; write them as CSV"
        raise OptionError(message) from error
    write_bytes_atomic(path, data)


def write_gains(gains: Iterable[Gain], path: str | os.PathLike[str]) -> None:
    """One line per codec, game and metric, with GAIN_COLUMNS. Raises DiskError."""
    lines = (
        {name: _plain(value) for name, value in {**vars(gain.rate), **vars(gain)}.items()}
        for gain in gains
    )
    chosen = ({name: line[name] for name in GAIN_COLUMNS} for line in lines)
    _write(path, GAIN_COLUMNS, chosen, ",")


def write_compressai(summaries: Iterable[Summary], folder: Path, description: str) -> list[Path]:
    """One file per codec as CompressAI's tools read and plot them: `<codec>.json`.

    {"name", "description", "results": {"bpp": [...], "psnr": [...], "ms-ssim": [...],
    "encoding_time": [...], "decoding_time": [...]}}, a value for each quality that was measured,
    seconds. The folder must exist. Raises DiskError.
    """
    curves: dict[str, list[Summary]] = {}
    for item in summaries:
        if item.images:
            curves.setdefault(item.model, []).append(item)
    return [_write_curve(model, curve, folder, description) for model, curve in curves.items()]


def _write_curve(model: str, curve: list[Summary], folder: Path, description: str) -> Path:
    columns = {
        "bpp": [item.bpp for item in curve],
        "psnr": [item.psnr for item in curve],
        "ms-ssim": [item.ms_ssim for item in curve],
        "encoding_time": [item.encode_ms / 1000 for item in curve],
        "decoding_time": [item.decode_ms / 1000 for item in curve],
    }
    results = {name: [cell(value, _DIGITS) for value in them] for name, them in columns.items()}
    path = folder / f"{file_name(model)}.json"
    value = {"name": model, "description": description, "results": results}
    write_bytes_atomic(path, dumps(value))
    return path


def file_name(model: str) -> str:
    """The name of a codec without what file systems or shells take for something else."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.") or "codec"


def _cells(row: Row) -> dict[str, Cell]:
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
    return {name: _plain(values[name]) for name in CSV_COLUMNS}


def _eccv(row: Row) -> dict[str, Cell]:
    values: dict[str, Cell] = {
        **_cells(row),
        "model": f"{row.model}-{row.quality}",
        "binsize": row.file_bytes,
        "enc": _plain(row.encode_ms / 1000),
        "dec": _plain(row.decode_ms / 1000),
    }
    return {name: values[name] for name in ECCV_COLUMNS}


def _study(row: Row) -> dict[str, Cell]:
    values: dict[str, Cell] = {
        "model": row.model,
        "quality": row.quality,
        "metric": "mse",
        "supersampled": row.supersampled or "none",
        "bpp": row.bpp,
        "psnr_rgb": row.psnr,
        "psnr_y": row.psnr_y,
        "ssim_rgb": row.ssim,
        "ssim_y": row.ssim_y,
        "msssim": row.ms_ssim,
    }
    return {name: _plain(values[name]) for name in STUDY_COLUMNS}


def _write(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    lines: Iterable[Mapping[str, Cell]],
    delimiter: str,
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(lines)
    write_bytes_atomic(path, text.getvalue().encode("utf-8"))


def _shape(row: Row) -> str | None:
    return f"{row.width}x{row.height}" if row.width else None


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value) if isinstance(value, Mapping) else _plain(value)
        for key, value in values.items()
    }


def _plain(value: Any) -> Any:
    """A value as both kinds of files can hold it."""
    return cell(value, _DIGITS) if isinstance(value, float) else value
