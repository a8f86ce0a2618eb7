"""Distortion against plain numpy, BD-rate against an interpolation of its own."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import FrameShapeError, LibraryMissingError, OptionError
from c3d_export.evaluate import vmaf
from c3d_export.evaluate.metrics import (
    CORE,
    METRICS,
    MS_SSIM_MIN_SIDE,
    Original,
    Point,
    bd_rate,
    bpp,
    interpolate_psnr,
    luma,
    ms_ssim,
    ms_ssim_db,
    mse,
    psnr,
    psnr_overlap,
)
from c3d_export.runtime.images import Frame


def _noisy(frame: Frame, deviation: float) -> Frame:
    noise = np.random.default_rng(5).normal(0, deviation, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def _curve(qualities: list[float], factor: float = 1.0, bend: float = 0.0) -> list[Point]:
    """PSNR rises with log rate, less and less; `factor` scales the rate at equal PSNR."""
    return [(factor * math.exp(q + bend * q * q), 30 + 4 * q - 0.4 * q * q) for q in qualities]


def test_mse_and_psnr_equal_numpy(frame: Frame) -> None:
    other = _noisy(frame, 9)
    expected = np.mean((frame.astype(np.float64) - other.astype(np.float64)) ** 2)
    assert mse(frame, other) == pytest.approx(expected, rel=1e-12)
    assert psnr(frame, other) == pytest.approx(20 * np.log10(255 / np.sqrt(expected)), rel=1e-12)


def test_psnr_of_the_extremes() -> None:
    black, white = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    assert psnr(black, white) == 0
    assert psnr(white, black) == 0
    assert psnr(white, white) == math.inf


def test_psnr_counts_every_channel() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    for channel in range(3):
        b = a.copy()
        b[..., channel] = 30
        assert mse(a, b) == 300


@pytest.mark.parametrize("metric", [mse, psnr, ms_ssim])
def test_metrics_refuse_frames_of_two_sizes(metric: Any) -> None:
    with pytest.raises(FrameShapeError, match="one size"):
        metric(np.zeros((1, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(FrameShapeError, match="uint8"):
        metric(np.zeros((4, 4, 3)), np.zeros((4, 4, 3)))


def test_ms_ssim_is_one_for_equal_frames_and_falls_with_noise(frame: Frame) -> None:
    values = [ms_ssim(frame, _noisy(frame, deviation)) for deviation in (2, 8, 32)]
    assert ms_ssim(frame, frame) == 1
    assert 1 > values[0] > values[1] > values[2] > 0


def test_ms_ssim_is_the_mean_of_the_channels(frame: Frame) -> None:
    other = _noisy(frame, 20)
    single = []
    for channel in range(3):
        pair = [np.repeat(item[..., [channel]], 3, axis=2) for item in (frame, other)]
        single.append(ms_ssim(pair[0], pair[1]))
    assert max(single) - min(single) > 0.01  # else the test could not tell
    assert ms_ssim(frame, other) == pytest.approx(np.mean(single), abs=1e-6)


def test_ms_ssim_is_not_measured_on_small_frames() -> None:
    small = np.zeros((MS_SSIM_MIN_SIDE - 1, 300, 3), np.uint8)
    enough = np.zeros((MS_SSIM_MIN_SIDE, 300, 3), np.uint8)
    assert math.isnan(ms_ssim(small, small))
    assert ms_ssim(enough, enough) == 1


def test_ms_ssim_in_decibels() -> None:
    assert ms_ssim_db(0.99) == pytest.approx(20)
    assert ms_ssim_db(0) == 0
    assert ms_ssim_db(1) == math.inf
    assert math.isnan(ms_ssim_db(math.nan))
    with pytest.raises(OptionError, match="outside"):
        ms_ssim_db(20.0)


def test_luma_is_that_of_jpeg_in_full_range_and_rounded(frame: Frame) -> None:
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(luma(frame) - frame.astype(np.float64) @ weights).max() < 0.501
    pure = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma(pure).tolist() == [[255, 0, 76, 150, 29]], "no 16..235, and green counts most"
    red, green, blue = frame.astype(np.int64).transpose(2, 0, 1)
    fixed = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    assert np.array_equal(luma(frame), fixed)


def test_an_original_gives_every_metric_by_its_name(frame: Frame) -> None:
    other = _noisy(frame, 12)
    found = Original(frame).compare(other, [name for name in METRICS if name != "vmaf"])
    assert found["psnr"] == psnr(frame, other)
    assert found["ms_ssim"] == ms_ssim(frame, other)
    y = [np.repeat(luma(item)[..., None], 3, axis=2) for item in (frame, other)]
    assert found["psnr_y"] == psnr(y[0], y[1])
    assert found["ms_ssim_y"] == pytest.approx(ms_ssim(y[0], y[1]), abs=1e-12)
    assert found["psnr_y"] > found["psnr"] + 1, "noise of three channels is averaged in Y"
    assert 0 < found["ssim"] < found["ssim_y"] < 1


def test_an_original_measures_what_it_is_asked_for(frame: Frame) -> None:
    original, other = Original(frame), _noisy(frame, 5)
    assert list(original.compare(other, CORE)) == ["psnr", "ms_ssim"]
    again = original.compare(_noisy(frame, 9), CORE)
    assert again == Original(frame).compare(_noisy(frame, 9), CORE), "nothing is left of the first"
    with pytest.raises(OptionError, match="unknown metric 'lpips'; choose from psnr"):
        original.compare(other, ["lpips"])
    with pytest.raises(FrameShapeError, match="one size"):
        original.compare(other[1:])


def test_a_frame_of_one_pixel_has_psnr_alone() -> None:
    found = Original(np.zeros((1, 1, 3), np.uint8)).compare(np.ones((1, 1, 3), np.uint8))
    assert found.pop("psnr") == found.pop("psnr_y") == pytest.approx(48.13, abs=0.01)
    assert all(math.isnan(value) for value in found.values())


def test_large_frames_are_compared_plane_by_plane(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, names = _noisy(frame, 5), METRICS[:-1]
    kept = Original(frame).compare(other, names)
    monkeypatch.setattr("c3d_export.evaluate.metrics._KEPT_PIXELS", 1000)
    assert Original(frame).compare(other, names) == kept


def test_vmaf_falls_with_noise_and_needs_its_windows(frame: Frame) -> None:
    pytest.importorskip("imageio_ffmpeg")
    values = [vmaf.score(frame, _noisy(frame, deviation)) for deviation in (0, 6, 30)]
    assert 100 >= values[0] > 90
    assert values[0] > values[1] > values[2] >= 0
    assert math.isnan(vmaf.score(frame[:63], frame[:63]))


def test_vmaf_names_what_to_install(monkeypatch: pytest.MonkeyPatch, frame: Frame) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    vmaf._ffmpeg.cache_clear()
    with pytest.raises(LibraryMissingError, match="pip install"):
        Original(frame).compare(frame, ["vmaf"])
    assert vmaf.version() == ""


def test_measuring_needs_no_torch() -> None:
    code = (
        "import sys; import c3d_export.evaluate.runner, c3d_export.evaluate.schedulers;"
        " print(sorted({'torch', 'onnx', 'distributed', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bits_per_pixel() -> None:
    assert bpp(1000, 50, 40) == 4
    for arguments in ((-1, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(OptionError):
            bpp(*arguments)


def test_bd_rate_of_a_scaled_curve_is_the_scale() -> None:
    steps = [0.0, 0.7, 1.5, 2.2, 3.0]
    assert bd_rate(_curve(steps), _curve(steps, 0.8)) == pytest.approx(-20, abs=1e-9)
    assert bd_rate(_curve(steps), _curve(steps, 1.25)) == pytest.approx(25, abs=1e-9)


def _own_bd_rate(anchor: list[Point], test: list[Point]) -> float:
    """Cubic fit of log rate over PSNR, as in VCEG-M33, integrated by the trapezium rule."""
    low = max(anchor[0][1], test[0][1])
    high = min(anchor[-1][1], test[-1][1])
    grid = np.linspace(low, high, 20001)
    means = []
    for curve in (anchor, test):
        rates, values = np.array(curve).T
        fit = np.polynomial.Polynomial.fit(values, np.log(rates), min(len(values) - 1, 7))
        means.append(np.trapezoid(fit(grid), grid) / (high - low))
    return 100 * float(np.exp(means[1] - means[0]) - 1)


def test_bd_rate_agrees_with_another_interpolation_on_a_smooth_curve() -> None:
    anchor = _curve(list(np.linspace(0, 3, 13)))
    test = _curve(list(np.linspace(0.4, 3.4, 11)), factor=0.75, bend=0.03)
    expected = _own_bd_rate(anchor, test)
    assert -25 < expected < -5
    assert bd_rate(anchor, test) == pytest.approx(expected, abs=0.1)
    assert bd_rate(anchor[::-1], test[::-1]) == bd_rate(anchor, test)


def test_bd_rate_looks_only_at_the_common_range() -> None:
    """Akima is local: bending the anchor far above the test curve changes nothing."""
    anchor = _curve(list(np.linspace(0, 4, 17)))
    test = _curve(list(np.linspace(0.5, 2, 7)), 0.9)
    bent = anchor[:-2] + [(rate * 3, value) for rate, value in anchor[-2:]]
    assert bd_rate(bent, test) == pytest.approx(bd_rate(anchor, test), abs=1e-9)
    assert psnr_overlap(anchor, test) == (test[0][1], test[-1][1])


def test_bd_rate_refuses_curves_that_do_not_overlap() -> None:
    low, high = _curve([0, 0.2, 0.4, 0.6]), _curve([1, 1.5, 2, 2.5])
    with pytest.raises(OptionError, match="share no range"):
        bd_rate(low, high)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (_curve([0, 1, 2]), "has 3 points"),
        ([*_curve([0, 1, 2]), (30.0, 31.0)], "does not rise"),
        ([*_curve([0, 1, 2]), (1.0, 30.0)], "does not rise"),
        ([*_curve([0, 1, 2]), (30.0, math.inf)], "leave it out"),
        ([*_curve([0, 1, 2]), (0.0, 20.0)], "leave it out"),
    ],
)
def test_bd_rate_refuses_what_is_no_curve(points: list[Point], reason: str) -> None:
    good = _curve([0, 1, 2, 3])
    with pytest.raises(OptionError, match=reason):
        bd_rate(points, good)
    with pytest.raises(OptionError, match=reason):
        bd_rate(good, points)


def test_bd_rate_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(LibraryMissingError, match="pip install"):
        bd_rate(_curve([0, 1, 2, 3]), _curve([0, 1, 2, 3]))


def test_interpolation_is_linear_in_log_rate() -> None:
    points = [(0.8, 36.0), (0.2, 30.0), (0.4, 34.0)]
    assert interpolate_psnr(points, 0.4) == pytest.approx(34)
    assert interpolate_psnr(points, math.sqrt(0.2 * 0.4)) == pytest.approx(32)
    assert [interpolate_psnr(points, rate) for rate in (0.2, 0.8)] == pytest.approx([30, 36])
    values = [interpolate_psnr(points, rate) for rate in np.linspace(0.21, 0.79, 20)]
    assert all(a < b for a, b in pairwise(values))


@pytest.mark.parametrize("rate", [0.19, 0.81, 0.0, -1.0, math.nan])
def test_interpolation_outside_the_curve_is_no_number(rate: float) -> None:
    assert math.isnan(interpolate_psnr([(0.2, 30.0), (0.8, 36.0)], rate))
    assert math.isnan(interpolate_psnr([], rate))
