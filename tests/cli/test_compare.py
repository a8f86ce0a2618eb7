"""`compare`: the table, the sheet, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from c3d_export.runtime.images import read_image, write_image

Run = Callable[..., Result]


def test_a_sheet_of_every_frame_and_a_table(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    options = ["--baselines", "jpeg,webp", "--quality", 2, "--out", sheet]
    done = run("compare", "--codec", bundle, "--frame", images, *options)
    assert done.exit_code == 0, done.stderr
    assert [done.stdout.count(name) for name in ("ours", "jpeg", "webp")] == [1, 1, 1]
    assert "shows 2 of the 2" in done.stderr
    one = tmp_path / "one.png"
    run("compare", "--codec", bundle, "--frame", images, *options, "--draw", 1, "--out", one)
    assert read_image(one).shape[0] < read_image(sheet).shape[0]


def test_a_part_alone_in_its_own_size(run: Run, bundle: Path, images: Path, tmp_path: Path) -> None:
    wide, sheet = tmp_path / "wide.png", tmp_path / "sheet.webp"
    write_image(wide, np.tile(read_image(images / "a.png"), (2, 5, 1)))
    options = ["--baselines", "jpeg", "--actual-size", "--crop", "10,4,250,80", "--out", sheet]
    done = run("compare", "--codec", bundle, "--frame", wide, *options)
    assert done.exit_code == 0, done.stderr
    drawn = read_image(sheet)
    assert drawn.shape == (2 * (80 + 36) + 16, 2 * 250 + 16, 3)  # three tiles, in two rows
    assert np.array_equal(drawn[:80, :250], read_image(wide)[4:84, 10:260])


def test_json_has_every_frame_and_codec(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    options = ["--codec", bundle, "--baselines", "jpeg", "--bpp", 2, "--out", sheet, "--json"]
    done = run("compare", "--frame", images / "a.png", *options)
    (frame,) = json.loads(done.stdout)["frames"]
    assert frame["frame"] == "a.png"
    assert [codec["name"] for codec in frame["codecs"]] == ["ours", "jpeg"]
    assert frame["codecs"][0]["ms_ssim"] is None  # too small a frame
    assert frame["missing"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--crop", "1,2,3"], "are not four numbers"),
        (["--crop", "1,2,3,x"], "are not four numbers"),
        (["--crop", "60,0,8,8"], "not inside 64x48"),
        (["--quality", "99"], "choose from 1, 2, 3"),
        (["--quality", "1", "--bpp", "1"], "exclude one another"),
        (["--bpp", "-1"], "choose a rate above 0"),
        (["--out", "sheet.jpg"], "a sheet is a .png"),
        (["--baselines", "gif"], "unknown baseline"),
        (["--frame", "nowhere.png"], "cannot open nowhere.png"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, bundle: Path, images: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    base = ["--codec", bundle, "--baselines", "", "--out", tmp_path / "sheet.png"]
    done = run("compare", *base, "--frame", images / "a.png", *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "sheet.png").exists()


def test_an_empty_folder(run: Run, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("compare", "--codec", bundle, "--frame", tmp_path / "empty", "--out", "x.png")
    assert done.exit_code == 2
    assert "no images in" in done.stderr
