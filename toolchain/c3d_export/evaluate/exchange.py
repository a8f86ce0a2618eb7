"""An evaluation as the tools of others read it, and the table of `specialise`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.jsonio import dumps
from c3d_export.evaluate.reports import DIGITS, cells, plain, write_lines
from c3d_export.evaluate.rows import Cell, Row, cell
from c3d_export.evaluate.specialised import Gain
from c3d_export.evaluate.summaries import Summary

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


def write_eccv_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """The rows that were measured, with ECCV_COLUMNS. Raises DiskError."""
    write_lines(path, ECCV_COLUMNS, (_eccv(row) for row in rows if row.error is None), ",")


def write_study_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """The rows that were measured, with STUDY_COLUMNS, `;` between. Raises DiskError."""
    write_lines(path, STUDY_COLUMNS, (_study(row) for row in rows if row.error is None), ";")


def write_gains(gains: Iterable[Gain], path: str | os.PathLike[str]) -> None:
    """One line per codec, game and metric, with GAIN_COLUMNS. Raises DiskError."""
    lines = (
        {name: plain(value) for name, value in {**vars(gain.rate), **vars(gain)}.items()}
        for gain in gains
    )
    chosen = ({name: line[name] for name in GAIN_COLUMNS} for line in lines)
    write_lines(path, GAIN_COLUMNS, chosen, ",")


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
    results = {name: [cell(value, DIGITS) for value in them] for name, them in columns.items()}
    path = folder / f"{file_name(model)}.json"
    value = {"name": model, "description": description, "results": results}
    write_bytes_atomic(path, dumps(value))
    return path


def file_name(model: str) -> str:
    """The name of a codec without what file systems or shells take for something else."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.") or "codec"


def _eccv(row: Row) -> dict[str, Cell]:
    values: dict[str, Cell] = {
        **cells(row),
        "model": f"{row.model}-{row.quality}",
        "binsize": row.file_bytes,
        "enc": plain(row.encode_ms / 1000),
        "dec": plain(row.decode_ms / 1000),
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
    return {name: plain(values[name]) for name in STUDY_COLUMNS}
