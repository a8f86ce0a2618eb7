"""Reports as files: every column, what stands for missing numbers, and atomic writing."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from c3d_export.core.errors import DiskError, OptionError
from c3d_export.evaluate.metrics import DEFINITIONS
from c3d_export.evaluate.reports import CSV_COLUMNS, write_csv, write_json
from c3d_export.evaluate.runner import Row, summarize

ROWS = [
    Row("ours", "game/a.png", 4, 1280, 720, 36000, 0.3125, 34.5, 0.99, 12.25, 8.5),
    Row("ours", "game/b,c.png", 4, 1280, 720, error='broke, "badly"'),
    Row("ours", "game/d.png", 4, error="no image"),
    Row("raw", "game/e.png", 0, 8, 8, 192, 24.0, math.inf, math.nan, 1.0, 1.0),
]


def test_csv_has_a_line_per_row(tmp_path: Path) -> None:
    write_csv(ROWS, tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert ",".join(head) == (
        "model,name,shape,quality,bytes,bpp,psnr,ms_ssim,ms_db,enc_ms,dec_ms,error"
    )
    first = "ours game/a.png 1280x720 4 36000 0.3125 34.5 0.99 20.0 12.25 8.5".split()  # noqa: SIM905
    missing = [""] * 7
    assert lines == [
        [*first, ""],
        ["ours", "game/b,c.png", "1280x720", "4", *missing, 'broke, "badly"'],
        ["ours", "game/d.png", "", "4", *missing, "no image"],
        ["raw", "game/e.png", "8x8", "0", "192", "24.0", "inf", "", "", "1.0", "1.0", ""],
    ]


def test_json_has_rows_summaries_and_definitions(tmp_path: Path) -> None:
    write_json(ROWS, summarize(ROWS), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["definitions"] == DEFINITIONS
    assert "RGB" in report["definitions"]["ms_ssim"]
    assert [set(row) for row in report["rows"]] == [set(CSV_COLUMNS)] * 4
    assert report["rows"][0]["ms_db"] == 20
    assert report["rows"][1]["psnr"] is None
    assert report["rows"][3]["psnr"] == "inf"
    ours, raw = report["summaries"]
    assert (ours["images"], ours["failures"], ours["psnr"]) == (1, 2, 34.5)
    assert (raw["psnr"], raw["ms_ssim"]) == ("inf", None)


def test_a_report_beyond_the_limit_points_to_csv(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="CSV"):
        write_json(ROWS * 6000, [], tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


def test_writing_fails_as_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        write_csv(ROWS, tmp_path / "missing" / "rows.csv")
    with pytest.raises(DiskError):
        write_json(ROWS, [], tmp_path / "missing" / "report.json")
