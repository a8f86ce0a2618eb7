"""The runner: what it measures, and that a failure is never a silent gap."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from c3d_export.core.errors import OptionError, UnknownQualityError
from c3d_export.evaluate.baselines import get_baseline
from c3d_export.evaluate.metrics import ms_ssim, psnr
from c3d_export.evaluate.runner import (
    Row,
    evaluate_codec,
    lossy_sources,
    rd_points,
    summarize,
)
from c3d_export.evaluate.summaries import BdRate, bd_rates
from c3d_export.evaluate.tables import bd_table, comparison_table
from c3d_export.runtime.images import Frame, write_image


@dataclass
class FakeCodec:
    """Drops low bits; a file is the raw frame. Breaks on frames whose first pixel is black."""

    qualities: range = range(3)
    calls: list[tuple[int, int]] = field(default_factory=list)

    def encode(self, frame: Frame, *, quality: int) -> bytes:
        self.calls.append((quality, frame.shape[0]))
        if not frame[0, 0].any():
            raise ValueError("black\ncorner")
        shift = 6 - 2 * quality
        return bytes([frame.shape[0]]) + (frame >> shift << shift).tobytes()

    def decode(self, data: bytes) -> Frame:
        return np.frombuffer(data[1:], np.uint8).reshape(data[0], -1, 3)


@pytest.fixture
def paths(tmp_path: Path, frame: Frame) -> list[Path]:
    """Two good frames, one that breaks the codec, and a file that is no image."""
    folder = tmp_path / "game-192p"
    folder.mkdir()
    broken = frame.copy()
    broken[0, 0] = 0
    for index, item in enumerate([frame, broken, frame[:, ::-1]]):
        write_image(folder / f"a_{index}.png", item)
    (folder / "b_0.png").write_bytes(b"no image")
    return sorted(folder.iterdir())


def test_rows_hold_what_was_measured(paths: list[Path], frame: Frame) -> None:
    codec = FakeCodec()
    [row] = evaluate_codec(codec, paths[:1], [1])
    decoded = codec.decode(codec.encode(frame, quality=1))
    assert (row.model, row.image, row.quality) == ("ours", "game-192p/a_0.png", 1)
    assert (row.width, row.height, row.error) == (256, 192, None)
    assert row.file_bytes == 1 + frame.size
    assert row.bpp == 8 * (1 + frame.size) / (192 * 256)
    assert row.psnr == psnr(frame, decoded)
    assert row.ms_ssim == ms_ssim(frame, decoded)
    assert row.encode_ms > 0
    assert row.decode_ms > 0


def test_failures_are_rows_and_are_counted(paths: list[Path]) -> None:
    rows = evaluate_codec(FakeCodec(), paths, [0, 2])
    assert len(rows) == 8
    failed = [row for row in rows if row.error]
    assert [(row.image, row.quality) for row in failed] == [
        (f"game-192p/{name}", quality) for name in ("a_1.png", "b_0.png") for quality in (0, 2)
    ]
    assert failed[0].error == "ValueError: black corner"
    assert "ImageError" in str(failed[2].error)
    assert all(math.isnan(row.psnr) and row.file_bytes == 0 for row in failed)
    for summary in summarize(rows):
        good = [row for row in rows if not row.error and row.quality == summary.quality]
        assert (summary.images, summary.failures) == (2, 2)
        assert summary.psnr == pytest.approx(sum(row.psnr for row in good) / 2)


def test_a_codec_that_returns_another_size_has_failed(paths: list[Path]) -> None:
    class Cropping(FakeCodec):
        def decode(self, data: bytes) -> Frame:
            return super().decode(data)[1:]

    [row] = evaluate_codec(Cropping(), paths[:1], [0])
    assert "FrameShapeError" in str(row.error)


def test_an_interrupt_is_no_failure_of_a_frame(paths: list[Path]) -> None:
    class Interrupted(FakeCodec):
        def decode(self, data: bytes) -> Frame:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_codec(Interrupted(), paths[:1], [0])


def test_the_first_call_of_each_quality_and_size_is_made_twice(
    tmp_path: Path, frame: Frame
) -> None:
    sizes = (180, 180, 170)
    for index, height in enumerate(sizes):
        write_image(tmp_path / f"{index}.png", frame[:height])
    codec = FakeCodec()
    evaluate_codec(codec, sorted(tmp_path.iterdir()), [0, 1])
    assert [codec.calls.count((0, size)) for size in (180, 170)] == [3, 2]
    assert [codec.calls.count((1, size)) for size in (180, 170)] == [3, 2]


def test_baselines_run_at_their_ladders_beside_the_codec(paths: list[Path]) -> None:
    seen: list[Row] = []
    jpeg, webp = get_baseline("jpeg"), get_baseline("webp")
    rows = evaluate_codec(
        FakeCodec(), paths[:2], [2], [jpeg, webp], name="fake", on_row=seen.append
    )
    assert seen == rows
    plan = [("fake", 2)]
    plan += [(item.name, quality) for item in (jpeg, webp) for quality in item.ladder]
    assert [(row.model, row.quality) for row in rows] == plan * 2
    summaries = summarize(rows)
    assert [(item.model, item.quality) for item in summaries] == plan
    curve = rd_points(summaries, "jpeg")
    assert len(curve) == len(jpeg.ladder)
    assert curve == sorted(curve)


def test_all_qualities_of_the_codec_are_the_default(paths: list[Path]) -> None:
    assert [row.quality for row in evaluate_codec(FakeCodec(), paths[:1])] == [0, 1, 2]


def test_further_codecs_stand_beside_the_others(paths: list[Path]) -> None:
    further = [("small /2 fsr", FakeCodec(), (0, 1), "2 fsr")]
    rows = evaluate_codec(FakeCodec(), paths[:1], [2], further=further)
    assert [(row.model, row.quality, row.supersampled) for row in rows] == [
        ("ours", 2, ""), ("small /2 fsr", 0, "2 fsr"), ("small /2 fsr", 1, "2 fsr"),
    ]  # fmt: skip
    assert summarize(rows)[1].supersampled == "2 fsr"


def test_only_the_metrics_that_are_asked_for_are_measured(paths: list[Path]) -> None:
    [plain] = evaluate_codec(FakeCodec(), paths[:1], [1])
    [row] = evaluate_codec(FakeCodec(), paths[:1], [1], metrics=["psnr", "ssim_y"])
    assert math.isnan(plain.psnr_y)
    assert math.isnan(plain.ssim)
    assert row.psnr == plain.psnr
    assert 0 < row.ssim_y < 1
    assert math.isnan(row.ms_ssim)


def test_a_codec_may_tell_its_payload(paths: list[Path]) -> None:
    class WithHeader(FakeCodec):
        def payload_bytes(self, data: bytes) -> int:
            return len(data) - 1

    [row] = evaluate_codec(WithHeader(), paths[:1], [1])
    assert row.payload_bytes == row.file_bytes - 1
    assert row.payload_bpp == 24
    [plain] = evaluate_codec(FakeCodec(), paths[:1], [1])
    assert plain.payload_bpp == plain.bpp


def test_one_pixel_and_what_a_baseline_refuses_are_rows(tmp_path: Path, frame: Frame) -> None:
    folder = tmp_path / "sizes"
    folder.mkdir()
    write_image(folder / "a.png", frame[:1, :1])
    write_image(folder / "b.png", np.zeros((1, 16384, 3), np.uint8))  # one too wide for WebP
    write_image(folder / "c.png", frame)
    paths = sorted(folder.iterdir())
    rows = evaluate_codec(FakeCodec(), paths, [1], [get_baseline("webp")], metrics=["psnr"])
    webp = [item for item in summarize(rows) if item.model == "webp"]
    assert {(item.images, item.failures) for item in webp} == {(2, 1)}
    assert {row.image for row in rows if row.error and row.model == "webp"} == {"sizes/b.png"}
    assert all("16383" in row.error or "encod" in row.error for row in rows
               if row.error and row.model == "webp")  # fmt: skip
    rates = bd_rates(rows, ["ours"], ["webp"])
    assert [item.reason for item in rates] != [""]


def test_two_frames_of_one_name_are_refused(tmp_path: Path, frame: Frame) -> None:
    paths = [tmp_path / part / "game-192p" / "a.png" for part in ("x", "y")]
    for path in paths:
        path.parent.mkdir(parents=True)
        write_image(path, frame)
    with pytest.raises(OptionError, match="both be called game-192p"):
        evaluate_codec(FakeCodec(), paths, [0])


def test_impossible_requests_are_refused(paths: list[Path]) -> None:
    jpeg = get_baseline("jpeg")
    with pytest.raises(UnknownQualityError, match="no quality 3; choose from 0, 1, 2"):
        evaluate_codec(FakeCodec(), paths, [3])
    with pytest.raises(OptionError, match="no frames"):
        evaluate_codec(FakeCodec(), [])
    with pytest.raises(OptionError, match="twice"):
        evaluate_codec(FakeCodec(), paths, [0], [jpeg, jpeg])
    with pytest.raises(OptionError, match="twice"):
        evaluate_codec(FakeCodec(), paths, [0], [jpeg], name="jpeg")


def test_summaries_are_means_and_medians() -> None:
    rows = [
        Row("m", str(index), 1, 8, 8, 1, bpp=index, psnr=30 + index, ms_ssim=0.9, encode_ms=time,
            decode_ms=2 * time)
        for index, time in enumerate([1.0, 2.0, 90.0])
    ]  # fmt: skip
    [summary] = summarize([*rows, Row("m", "3", 1, error="broken")])
    assert (summary.images, summary.failures) == (3, 1)
    assert (summary.bpp, summary.psnr) == (1, 31)
    assert (summary.encode_ms, summary.decode_ms) == (2, 4)
    assert summary.ms_ssim == pytest.approx(0.9)


def test_nothing_measured_is_no_number_and_no_point() -> None:
    summaries = summarize([Row("m", "0", 1, error="broken")])
    assert (summaries[0].images, summaries[0].failures) == (0, 1)
    assert math.isnan(summaries[0].psnr)
    assert rd_points(summaries, "m") == []


def test_lossy_sources_are_found(tmp_path: Path, frame: Frame) -> None:
    write_image(tmp_path / "a.png", frame)
    write_image(tmp_path / "b.jpg", frame, jpeg_quality=95)
    assert lossy_sources(sorted(tmp_path.iterdir())) == [tmp_path / "b.jpg"]


def test_the_table_shows_failures_and_dashes() -> None:
    good = Row("m", "0", 1, 8, 8, 1, 0.31249, 34.216, math.nan, 12.34, 5.0)
    table = comparison_table(summarize([good, Row("m", "1", 1, error="broken")]))
    assert table.headers == (
        "codec", "quality", "images", "bpp", "payload bpp", "PSNR dB", "MS-SSIM", "encode ms", "+-",
        "decode ms", "+-",
    )  # fmt: skip
    assert table.cells == [
        ("m", "1", "1 (1 failed)", "0.312", "0.000", "34.22", "-", "12.3", "0.0", "5.0", "0.0")
    ]


def test_the_table_of_rates_tells_ranges_gaps_and_frames() -> None:
    rates = [
        BdRate("a", "b", "psnr", -12.34, 28.0, 36.5, 3, 4),
        BdRate("a", "b", "ms_ssim", images=2, of=4, reason="no overlap"),
    ]
    table = bd_table(rates)
    assert table.headers == ("BD-rate", "images", "PSNR %", "MS-SSIM %")
    assert table.cells == [("a over b", "2 of 4", "-12.3 (28.0..36.5)", "-")]
