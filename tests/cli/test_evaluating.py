"""`eval` and `specialise`: files, gaps that are told, and evaluations that go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.images import write_image

from .conftest import Frame, Run, make_bundle
from .test_coding import line_of

FAST = ("--metrics", "psnr,ms_ssim")


def test_an_evaluation_tells_what_it_is_of(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r"
    done = run("eval", "--codec", bundle, "--data", images, "--baselines", "jpeg", *FAST,
               "--out", out)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "ours over jpeg" in done.stdout
    assert "no BD-rate: " in done.stderr, "the frames are too small for MS-SSIM"
    report = json.loads((out / "results.json").read_bytes())
    assert report["format"] == 1
    assert report["codec"]["id"] == read_bundle(bundle).id.hex()
    assert report["frames"]["count"] == 2
    assert report["versions"].keys() >= {"c3d-export", "numpy", "pillow", "libjpeg-turbo"}
    assert report["environment"]["scheduler"] == "serial"
    ours = report["rows"][0]
    assert ours["bytes"] - ours["payload_bytes"] == 32
    assert ours["stages_ms"].keys() >= {"encode g_a", "encode coder", "decode g_s"}
    curve = json.loads((out / "compressai" / "jpeg.json").read_bytes())
    assert len(curve["results"]["bpp"]) == 6


def test_an_evaluation_goes_on_with_what_is_new(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    args = ["eval", "--codec", bundle, "--data", images, *FAST, "--out", tmp_path / "r", "--json"]
    rows = tmp_path / "r" / "rows.jsonl"
    first = json.loads(run(*args).stdout)
    before = rows.read_bytes()
    both = json.loads(run(*args, "--baselines", "jpeg").stdout)
    assert rows.read_bytes().startswith(before)
    assert len(rows.read_bytes().splitlines()) == 2 * (3 + 6)
    assert both["summaries"][:3] == first["summaries"], "times too: nothing ran again"
    run(*args, "--fresh")
    assert len(rows.read_bytes().splitlines()) == 2 * 3
    assert not rows.read_bytes().startswith(before[: before.index(b"\n")])


def test_failures_are_in_the_table_and_in_the_exit_code(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    (images / "c.png").write_bytes(b"no image")
    done = run("eval", "--codec", bundle, "--data", images, *FAST, "--out", tmp_path / "r")
    assert done.exit_code == 3
    assert "2 (1 failed)" in done.stdout
    assert "note: ours lacks 1 of 3 frames: its means are of others" in done.stderr
    assert "3 of 9 measurements failed, the first on images/c.png: ImageError" in done.stderr
    assert "c.png" in (tmp_path / "r" / "results.csv").read_text()


def test_baselines_by_short_names_once_and_without_what_is_missing(
    run: Run, bundle: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    pytest.importorskip("av")
    args = ["eval", "--codec", bundle, "--data", images, "--metrics", "psnr", "--qualities", "2"]
    done = run(*args, "--baselines", "h264,jxl,x264-superfast", "--out", tmp_path / "r", "--json")
    assert done.exit_code == 0, done.stderr
    models = {item["model"] for item in json.loads(done.stdout)["summaries"]}
    assert models == {"ours", "x264-superfast"}
    assert "without jxl: the baseline jxl-7 needs imagecodecs" in done.stderr
    assert "pip install 'c3d-export[baselines]'" in done.stderr


def test_frames_that_were_lossy_are_told(
    run: Run, bundle: Path, frame: Frame, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a.jpg", frame, jpeg_quality=90)
    args = "eval", "--codec", bundle, "--data", tmp_path / "in", "--metrics", "psnr"
    done = run(*args, "--qualities", "1", "--out", tmp_path / "r")
    assert done.exit_code == 0
    assert "note: 1 of 1 frames come from lossy files" in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--metrics", "lpips"], "unknown metric 'lpips'; choose from psnr"),
        (["--baselines", "gif"], "unknown baseline 'gif'; choose from jpeg"),
        (["--scheduler", "threads"], "no scheduler 'threads'; choose serial"),
        (["--qualities", "2,9"], "ours has no quality 9"),
        (["--qualities", "two"], "--qualities two are no numbers"),
    ],
)
def test_wrong_options_are_told_in_a_line(
    run: Run, bundle: Path, images: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    args = ["--codec", bundle, "--data", images, "--out", tmp_path / "r"]
    done = run("eval", *args, *options)
    assert done.exit_code == 2
    assert reason in line_of(done.stderr)


def _games(root: Path, frame: Frame) -> Path:
    for index, game in enumerate(("arena", "kart")):
        folder = root / "test" / f"{game}-48p"
        folder.mkdir(parents=True)
        write_image(folder / "a_0.png", np.ascontiguousarray(frame[:, :: 1 - 2 * index]))
    return root


def test_codecs_of_games_are_compared_with_the_generic_one(
    run: Run, frame: Frame, tmp_path: Path, repack: Callable[..., bytes]
) -> None:
    data = make_bundle(frame, "generic-tiny", qualities=4)
    (tmp_path / "generic-tiny.c3b").write_bytes(data)
    named = repack(data, edit=lambda manifest: manifest.update(name="kart-tiny", game="kart"))
    (tmp_path / "kart-tiny.c3b").write_bytes(named)
    args = ["specialise", "--codecs", tmp_path / "kart-tiny.c3b", "--data"]
    args += [_games(tmp_path / "data", frame), "--out", tmp_path / "r", "--metrics", "psnr"]
    alone = run(*args)
    assert alone.exit_code == 2
    assert "no bundle generic-tiny" in line_of(alone.stderr)
    done = run(*args, "--generic", tmp_path / "generic-tiny.c3b", "--json")
    assert done.exit_code == 0, done.stderr
    gains = json.loads(done.stdout)["gains"]
    assert [(item["game"], item["own"]) for item in gains] == [("arena", False), ("kart", True)]
    assert all(item["codec"] == "kart-tiny" and item["anchor"] == "generic-tiny" for item in gains)
    assert [item["percent"] for item in gains] == pytest.approx([0, 0]), "one network, two names"
    table = run(*args, "--generic", tmp_path / "generic-tiny.c3b").stdout
    assert "BD-rate %, PSNR" in table
    lines = (tmp_path / "r" / "specialise.csv").read_text().splitlines()
    assert len(lines) == 3
