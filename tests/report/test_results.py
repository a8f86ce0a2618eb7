"""What is read of results.json, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c3d_export.core.errors import MissingInputError, ResultsError
from c3d_export.report.results import parse_results, read_results

from .made import failed_row, results, results_json, row


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_names_and_numbers_are_read() -> None:
    read = results()
    assert read.models == ("ours", "jpeg", "avif")
    assert (read.ours, read.others()) == ("ours", ("jpeg", "avif"))
    assert read.images == ("a/one.png", "a/two.png", "a/three.png")
    first = read.rows[0]
    assert first.values["file_bytes"] == 11520
    assert first.values["encode_ms"] == 11.5
    assert (first.values["width"], first.values["height"]) == (1280, 720)
    assert first.values["stage: entropy"] == 0.25
    assert math.isnan(first.values["vmaf"])
    assert read.summaries[0].values["psnr"] == pytest.approx(30.5)
    assert read.bd_rates[0].percent == -12.25
    assert math.isnan(read.bd_rates[-1].percent)
    assert read.bd_rates[-1].reason == "the curve does not rise"


def test_the_full_names_of_fields_are_read_as_well() -> None:
    made = results_json(models=("ours",))
    for item in made["rows"]:
        item["image"], item["encode_ms"] = item.pop("name"), item.pop("enc_ms")
        item["width"], item["height"] = (int(side) for side in item.pop("shape").split("x"))
    read = parse_results(_encoded(made))
    assert read.rows[0].image == "a/one.png"
    assert read.rows[0].values["width"] == 1280


def test_failures_and_infinities() -> None:
    rows = [row("ours", "a", 1, psnr="inf", ms_ssim=1), failed_row("ours", "b", 1)]
    made = results_json(rows=[rows[0] | {"psnr": 50.0}, rows[1]])
    made["rows"] = rows
    read = parse_results(_encoded(made))
    assert math.isinf(read.rows[0].values["psnr"])
    assert read.rows[1].error == "ImageError: broken"
    assert (read.summaries[0].images, read.summaries[0].failures) == (1, 1)


def _change(**changes: Any) -> Callable[[dict], None]:
    return lambda made: made.update(changes)


def _drop(name: str) -> Callable[[dict], None]:
    return lambda made: made.pop(name)


def _in_row(**changes: Any) -> Callable[[dict], None]:
    return lambda made: made["rows"][0].update(changes)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_change(format=2), "it is of format 2, and this version reads 1"),
        (_drop("format"), "no format number"),
        (_drop("rows"), "its rows are missing"),
        (_change(summaries={}), "its summaries are missing or of another kind"),
        (_change(rows=[1]), "its rows are not all objects"),
        (_change(summaries=[], rows=[]), "it has no codec"),
        (_change(versions=[]), "its versions are missing"),
        (_in_row(psnr="high"), "psnr is 'high', which is no number"),
        (_in_row(psnr=True), "psnr is 'True', which is no number"),
        (_in_row(stages_ms=[1]), "stages_ms is '[1]', which is no object"),
        (_in_row(model=None), "an entry has no model"),
        (_in_row(quality=1.5), "an entry has no quality"),
        (_in_row(error="late"), "has 3 images and 0 failures in its mean, and 2 and 1 rows"),
        (lambda made: made["rows"].pop(), "has 3 images and 0 failures in its mean, and 2 and 0"),
    ],
)
def test_what_is_wrong_is_said(edit: Callable[[dict], None], said: str) -> None:
    made = results_json()
    edit(made)
    with pytest.raises(ResultsError) as caught:
        parse_results(_encoded(made))
    assert said in str(caught.value)


@pytest.mark.parametrize("cut", [0, 1, 200, -2])
def test_truncated_files_are_refused_with_their_path(tmp_path: Path, cut: int) -> None:
    (tmp_path / "results.json").write_bytes(_encoded(results_json())[:cut])
    with pytest.raises(ResultsError, match=r"results.json: .*cannot be read.*eval` again"):
        read_results(tmp_path)


def test_nan_is_no_json(tmp_path: Path) -> None:
    made = results_json()
    made["rows"][0]["psnr"] = math.nan
    with pytest.raises(ResultsError, match="NaN is no number"):
        parse_results(_encoded(made))


def test_a_folder_without_results(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="make it with `c3d-export eval"):
        read_results(tmp_path)


def test_the_file_itself_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(_encoded(results_json(models=("mine",))))
    assert read_results(path).ours == "mine"
