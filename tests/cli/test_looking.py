"""`eval`, `bench`, `doctor`, `data`: tables for people, JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run
from .test_coding import line_of


def test_an_evaluation_writes_its_reports(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    args = "eval", "--codec", bundle, "--data", images, "--qualities", "2", "--out", tmp_path / "r"
    done = run(*args, "--baselines", "jpeg", "--json")
    assert done.exit_code == 0
    summaries = json.loads(done.stdout)["summaries"]
    assert {item["model"] for item in summaries} == {"ours", "jpeg"}
    assert {path.name for path in (tmp_path / "r").iterdir()} == {
        "results.csv",
        "results.json",
        "results-eccv.csv",
        "results-study.csv",
        "rows.jsonl",
        "compressai",
    }


def test_a_benchmark_adds_up(run: Run, bundle: Path) -> None:
    done = run("bench", "--codec", bundle, "--size", "64x48", "--repeat", "3", "--json")
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)["rows"]
    assert set(row["decode"]["stages"]) == {
        "h_s",
        "g_cp",
        "g_ep",
        "g_s",
        "coder",
        "passes",
        "other",
    }
    for part in (row["encode"], row["decode"]):
        assert part["p99_ms"] >= part["median_ms"] > 0
        assert sum(part["percent"].values()) == pytest.approx(100)
        assert part["percent"].keys() == part["stages"].keys()


def test_a_benchmark_of_sizes_streams_and_baselines(run: Run, bundle: Path, images: Path) -> None:
    frame = next(path for path in sorted(images.iterdir()) if path.suffix == ".png")
    args = ["bench", "--codec", bundle, "--codec", bundle, "--frame", frame, "--repeat", "2"]
    args += ["--size", "40x24", "--size", "100x90", "--stream", "--baselines", "jpeg"]
    chart = images / "chart.png"
    done = run(*args, "--budget", "60000", "--json", "--chart", chart)
    assert done.exit_code == 0
    assert chart.read_bytes().startswith(b"\x89PNG")
    result = json.loads(done.stdout)
    sizes = [(row["width"], row["height"]) for row in result["rows"]]
    assert sizes == [(40, 24), (40, 24), (100, 90), (100, 90)]
    assert all(row["encode_fps"] > 0 < row["decode_fps"] for row in result["rows"])
    assert all(row["resident_mb"] > 10 for row in result["rows"])
    assert [(row["codec"], row["width"]) for row in result["baselines"]] == [
        ("jpeg", 40),
        ("jpeg", 100),
    ]
    assert len(result["fits"]) == 4
    told = run(*args, "--budget", "0.1")
    assert told.exit_code == 0
    assert "jpeg 100x90" in told.stdout
    assert "nothing that was tried" in told.stderr


@pytest.mark.parametrize(
    "size", ["720", "0x10", "10x", "x", "-1x5", "1e3x5", "\u0661x5", "99999x5"]
)
def test_a_size_that_is_none(run: Run, bundle: Path, size: str) -> None:
    done = run("bench", "--codec", bundle, "--size", size)
    assert done.exit_code == 2
    assert "1280x720" in line_of(done.stderr)


def test_a_benchmark_leaves_the_codec_as_it_was(run: Run, bundle: Path) -> None:
    from c3d_export.evaluate.stopwatch import Stopwatch
    from c3d_export.runtime import codec as module
    from c3d_export.runtime import slices
    from c3d_export.runtime.bundle import read_bundle

    codec = module.Codec(read_bundle(bundle))
    before = codec.sessions, codec.passes
    with Stopwatch().watch(codec):
        assert codec.sessions is not before[0]
        assert codec.passes is not before[1]
        assert vars(module)["encode_slices"] is not slices.encode_slices
    assert (codec.sessions, codec.passes) == before
    assert vars(module)["encode_slices"] is slices.encode_slices
    assert vars(module)["SliceDecoder"] is slices.SliceDecoder
    assert run("bench", "--codec", bundle, "--size", "64x48", "--repeat", "1").exit_code == 0


def test_the_doctor_finds_this_host_healthy(run: Run, bundle: Path) -> None:
    done = run("doctor", "--codec", bundle, "--json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report["healthy"]
    names = [finding["what"] for finding in report["findings"]]
    assert "known answers, cpu qlinear" in names
    assert "known answers, cpu float" in names


def test_the_doctor_tells_of_wrong_answers(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c3d_export.runtime.known.compute_known_answers", lambda codec: [])
    done = run("doctor", "--codec", bundle)
    assert done.exit_code == 4
    assert "known answers" in line_of(done.stderr)


def test_frames_are_imported_and_inspected(run: Run, images: Path, workspace: Path) -> None:
    done = run("data", "import", images, "--game", "toy", "--fractions", "1,0,0", "--json")
    assert (done.exit_code, json.loads(done.stdout)["train"]) == (0, 2)
    seen = json.loads(run("data", "inspect", "--json").stdout)
    assert {(item["split"], item["game"]) for item in seen} == {("train", "toy")}
    assert run("data", "inspect").stdout.splitlines()[0].strip() == "frames"


def test_unreadable_frames_are_three(run: Run, images: Path) -> None:
    (images / "c.png").write_bytes(b"no")
    assert run("data", "inspect", images).exit_code == 3
    assert run("data", "import", images, "--game", "toy").exit_code == 3
    assert run("data", "import", images, "--game", "toy", "--fractions", "1").exit_code == 2
