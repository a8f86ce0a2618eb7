"""`report`: the page, the plots, the viewer, and what does not fit together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from c3d_export.runtime.bundle import read_bundle

Run = Callable[..., Result]


def _row(model: str, image: str, quality: int, psnr: float) -> dict[str, Any]:
    values = {
        "bytes": 400 * quality,
        "bpp": 0.2 * quality,
        "psnr": psnr,
        "ms_ssim": 0.8 + quality / 20,
    }
    times = {"enc_ms": 1.5, "dec_ms": 2.5, "stages_ms": {}}
    names = {"model": model, "name": image, "shape": "64x48", "supersampled": ""}
    return {**names, "quality": quality, **values, **times, "error": None}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    means = {key: sum(item[key] for item in rows) / len(rows) for key in ("bpp", "psnr", "ms_ssim")}
    kept = {key: rows[0][key] for key in ("model", "quality", "supersampled")}
    times = {"encode_ms": 1.5, "decode_ms": 2.5}
    return {**kept, "images": len(rows), "failures": 0, **means, **times}


def _write(folder: Path, bundle: Path, **changes: Any) -> Path:
    """Results of the two images that there are, and of one that there is not."""
    folder.mkdir(exist_ok=True)
    names = ("images/a.png", "images/b.png", "images/gone.png")
    groups = [
        [
            _row(model, name, quality, 30.0 + quality + number - place)
            for number, name in enumerate(names)
        ]
        for place, model in enumerate(("ours", "jpeg"))
        for quality in (1, 2, 3)
    ]
    made = {
        "format": 1,
        **{name: {} for name in ("definitions", "versions", "environment", "frames")},
        "codec": {"name": "tiny", "id": read_bundle(bundle).id.hex(), **changes},
        "summaries": [_summary(rows) for rows in groups],
        "rows": [item for rows in groups for item in rows],
        "bd_rates": [],
    }
    (folder / "results.json").write_text(json.dumps(made), "utf-8")
    return folder


def test_a_page_beside_the_results(run: Run, bundle: Path, tmp_path: Path) -> None:
    folder = _write(tmp_path / "out", bundle)
    done = run("report", "--results", folder)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    text = (folder / "report.html").read_text("utf-8")
    assert "name --codec and --data for them" in text
    assert "frames in the viewer: 0" in done.stderr


def test_plots_are_written_as_svg_and_png(run: Run, bundle: Path, tmp_path: Path) -> None:
    folder = _write(tmp_path / "out", bundle)
    done = run("report", "--results", folder, "--plots", tmp_path / "new" / "plots", "--json")
    names = {path.name for path in (tmp_path / "new" / "plots").iterdir()}
    stems = ("rd-psnr", "rd-ms-ssim", "speed-encode", "speed-decode")
    assert names == {f"{stem}{suffix}" for stem in stems for suffix in (".svg", ".png")}
    said = json.loads(done.stdout)
    assert len(said["plots"]) == 8
    assert said["bytes"] == (folder / "report.html").stat().st_size


def test_the_viewer_chooses_among_the_frames_that_are_there(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "out", bundle)
    options = ["--codec", bundle, "--data", images, "--quality", 2, "--out", tmp_path / "p.html"]
    done = run("report", "--results", folder, *options, "--json")
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["frames"] == ["images/a.png", "images/b.png"]
    missing, *others = said["notes"]
    assert missing.startswith("1 of 3 images of the results, such as images/gone.png, are not in")
    # The sizes of the files are made up, so that no frame takes as many bytes as they say.
    assert len(others) == 2
    assert all("the frame or the effort is another one" in note for note in others)
    assert "images/gone.png, are not in images" in (tmp_path / "p.html").read_text("utf-8")


def test_frames_are_chosen_by_name(run: Run, bundle: Path, images: Path, tmp_path: Path) -> None:
    folder = _write(tmp_path / "out", bundle)
    options = ["--codec", bundle, "--data", images, "--baselines", "", "--json"]
    done = run("report", "--results", folder, *options, "--frame", "b.png")
    assert json.loads(done.stdout)["frames"] == ["images/b.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--frame", "gone.png"], "no frame of the results and --data is called gone.png"),
        (["--baselines", "gif"], "unknown baseline"),
        (["--quality", "9"], "no quality 9"),
        (["--crop", "60,0,8,8"], "not inside"),
        (["--crop", "1,2"], "are not four numbers"),
        (["--data", "nowhere"], "no folder nowhere"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, bundle: Path, images: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    folder = _write(tmp_path / "out", bundle)
    base = ["--codec", bundle, "--data", images, "--baselines", ""]
    done = run("report", "--results", folder, *base, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("changes", [{"id": "00" * 8}, {"sha256": "00" * 32}])
def test_another_codec_than_the_one_evaluated_is_refused(
    run: Run, bundle: Path, images: Path, tmp_path: Path, changes: dict[str, str]
) -> None:
    folder = _write(tmp_path / "out", bundle, **changes)
    done = run("report", "--results", folder, "--codec", bundle, "--data", images)
    assert done.exit_code == 2
    assert "is not the codec of these results" in done.stderr


def test_a_folder_with_other_frames_is_refused(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "out", bundle)
    for path in list(images.iterdir()):
        path.rename(path.with_name(f"other-{path.name}"))
    done = run("report", "--results", folder, "--codec", bundle, "--data", images)
    assert done.exit_code == 2
    assert "has none of the images of the results, such as images/a.png" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--codec", "x.c3b"], "add --data"),
        (["--data", "x"], "add --codec"),
        (["--quality", "1"], "add --codec and --data"),
        (["--frame", "a"], "add --codec and --data"),
        (["--downscale", "2"], "add --codec and --data"),
    ],
)
def test_options_of_the_viewer_need_it(
    run: Run, bundle: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    done = run("report", "--results", _write(tmp_path / "out", bundle), *options)
    assert done.exit_code == 2
    assert said in done.stderr


def test_results_that_cannot_be_read(run: Run, bundle: Path, tmp_path: Path) -> None:
    assert run("report", "--results", tmp_path / "none").exit_code == 2
    folder = _write(tmp_path / "out", bundle)
    path = folder / "results.json"
    path.write_text(path.read_text("utf-8").replace('"format": 1', '"format": 7'), "utf-8")
    done = run("report", "--results", folder)
    assert done.exit_code == 5
    assert "it is of format 7" in done.stderr
    assert "eval` again" in done.stderr
