"""Reports as files: every column, what stands for missing numbers, and atomic writing."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from c3d_export.core.errors import DiskError, OptionError
from c3d_export.evaluate.exchange import write_compressai, write_eccv_csv, write_study_csv
from c3d_export.evaluate.metrics import DEFINITIONS
from c3d_export.evaluate.reports import CSV_COLUMNS, Report, write_csv, write_json
from c3d_export.evaluate.runner import Row, summarize
from c3d_export.evaluate.summaries import BdRate

ROWS = [
    Row("ours", "game/a.png", 4, 1280, 720, 36000, 0.3125, 34.5, 0.99, 12.25, 8.5, None, 35640,
        36.25, 0.9, 0.91, 0.995, 88.5, "2 fsr", {"encode g_a": 3.5}),
    Row("ours", "game/b,c.png", 4, 1280, 720, error='broke, "badly"'),
    Row("ours", "game/d.png", 4, error="no image"),
    Row("raw", "game/e.png", 0, 8, 8, 192, 24.0, math.inf, math.nan, 1.0, 1.0, None, 192),
]  # fmt: skip


def _lines(path: Path, delimiter: str = ",") -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_csv_has_a_line_per_row(tmp_path: Path) -> None:
    write_csv(ROWS, tmp_path / "rows.csv")
    head, *lines = _lines(tmp_path / "rows.csv")
    assert ",".join(head) == (
        "model,name,shape,quality,bytes,bpp,payload_bytes,payload_bpp,psnr,psnr_y,ssim,ssim_y,"
        "ms_ssim,ms_ssim_y,ms_db,vmaf,enc_ms,dec_ms,supersampled,error"
    )
    assert lines == [
        [
            *("ours", "game/a.png", "1280x720", "4", "36000", "0.3125", "35640", "0.309375"),
            *("34.5", "36.25", "0.9", "0.91", "0.99", "0.995", "20.0", "88.5", "12.25", "8.5"),
            *("2 fsr", ""),
        ],
        ["ours", "game/b,c.png", "1280x720", "4", *[""] * 15, 'broke, "badly"'],
        ["ours", "game/d.png", "", "4", *[""] * 15, "no image"],
        [
            "raw",
            "game/e.png",
            "8x8",
            "0",
            "192",
            "24.0",
            "192",
            "24.0",
            "inf",
            *[""] * 7,
            "1.0",
            "1.0",
            "",
            "",
        ],
    ]


def test_the_eccv_table_has_sizes_and_seconds(tmp_path: Path) -> None:
    write_eccv_csv(ROWS, tmp_path / "rows.csv")
    head, first, *rest = _lines(tmp_path / "rows.csv")
    assert ",".join(head) == "model,name,shape,binsize,enc,bpp,dec,psnr,ms_ssim,ms_db"
    expected = "ours-4,game/a.png,1280x720,36000,0.01225,0.3125,0.0085,34.5,0.99,20.0"
    assert ",".join(first) == expected
    assert [line[0] for line in rest] == ["raw-0"], "failures are in results.csv alone"


def test_the_study_table_names_what_is_on_which_channels(tmp_path: Path) -> None:
    write_study_csv(ROWS, tmp_path / "rows.csv")
    head, first, last = _lines(tmp_path / "rows.csv", ";")
    assert ";".join(head) == (
        "model;quality;metric;supersampled;bpp;psnr_rgb;psnr_y;ssim_rgb;ssim_y;msssim"
    )
    assert ";".join(first) == "ours;4;mse;2 fsr;0.3125;34.5;36.25;0.9;0.91;0.99"
    assert last[:6] == ["raw", "0", "mse", "none", "24.0", "inf"]


def test_compressai_gets_a_file_per_codec_with_seconds(tmp_path: Path) -> None:
    rows = [replace(ROWS[0], quality=q, bpp=q / 10, model="ours /2 fsr") for q in (1, 2)]
    rows.append(Row("broken", "game/a.png", 1, error="no"))
    (path,) = write_compressai(summarize(rows), tmp_path, "two frames")
    assert path.name == "ours-2-fsr.json"
    assert json.loads(path.read_bytes()) == {
        "name": "ours /2 fsr",
        "description": "two frames",
        "results": {
            "bpp": [0.1, 0.2],
            "psnr": [34.5, 34.5],
            "ms-ssim": [0.99, 0.99],
            "encoding_time": [0.01225, 0.01225],
            "decoding_time": [0.0085, 0.0085],
        },
    }


def test_json_has_rows_summaries_rates_and_definitions(tmp_path: Path) -> None:
    rates = [BdRate("ours", "raw", "psnr", reason="too few points")]
    report = Report(ROWS, summarize(ROWS), rates, {"id": "00"}, {"count": 4}, {"numpy": "2"})
    write_json(report, tmp_path / "report.json")
    value = json.loads((tmp_path / "report.json").read_bytes())
    assert value["format"] == 1
    assert value["definitions"] == DEFINITIONS
    assert "RGB" in value["definitions"]["ms_ssim"]
    assert value["codec"] == {"id": "00"}
    assert value["frames"] == {"count": 4}
    assert value["versions"] == {"numpy": "2"}
    assert [set(row) for row in value["rows"]] == [{*CSV_COLUMNS, "stages_ms"}] * 4
    assert value["rows"][0]["ms_db"] == 20
    assert value["rows"][0]["stages_ms"] == {"encode g_a": 3.5}
    assert value["rows"][1]["psnr"] is None
    assert value["rows"][3]["psnr"] == "inf"
    ours, raw = value["summaries"]
    assert (ours["images"], ours["failures"], ours["psnr"]) == (1, 2, 34.5)
    assert (ours["payload_bpp"], ours["supersampled"], ours["ms_db"]) == (0.309375, "2 fsr", 20)
    assert (raw["psnr"], raw["ms_ssim"]) == ("inf", None)
    (rate,) = value["bd_rates"]
    assert (rate["percent"], rate["reason"]) == (None, "too few points")


def test_a_report_beyond_the_limit_points_to_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c3d_export.evaluate.reports.MAX_RESULTS_BYTES", 10_000)
    with pytest.raises(OptionError, match="CSV"):
        write_json(Report(ROWS * 60, []), tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


def test_writing_fails_as_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        write_csv(ROWS, tmp_path / "missing" / "rows.csv")
    with pytest.raises(DiskError):
        write_json(Report(ROWS, []), tmp_path / "missing" / "report.json")
