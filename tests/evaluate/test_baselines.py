"""Baselines: what they decode to, and that a target rate is reached."""

from __future__ import annotations

import io
import math
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from c3d_export.core.errors import FrameShapeError, ImageError, LibraryMissingError, OptionError
from c3d_export.evaluate.baselines import BASELINES, Baseline, at_bpp, get_baseline, ladder
from c3d_export.evaluate.metrics import psnr
from c3d_export.runtime.images import Frame

NAMES = (
    *("jpeg", "jpeg444", "webp", "avif", "avif420-fast"),
    *("jxl-1", "jxl-3", "jxl-7"),
    *("x264-superfast", "x264-medium", "x265-superfast", "svtav1-9"),
)


def _get(name: str) -> Baseline:
    try:
        return get_baseline(name)
    except LibraryMissingError as error:
        pytest.skip(str(error))


def test_the_registry_holds_these_baselines() -> None:
    assert tuple(BASELINES) == NAMES
    assert all(name == baseline.name for name, baseline in BASELINES.items())


@pytest.mark.parametrize("name", NAMES)
def test_more_quality_costs_bits_and_gains_decibels(name: str, frame: Frame) -> None:
    baseline = _get(name)
    chosen = baseline.ladder[::2]
    results = ladder(baseline, frame, chosen)
    assert tuple(result.quality for result in results) == chosen
    assert results[0].bpp < results[1].bpp < results[2].bpp
    values = [psnr(frame, result.frame) for result in results]
    assert 24 < values[0] < values[1] < values[2]
    assert all(result.encode_ms > 0 and result.decode_ms > 0 for result in results)


@pytest.mark.parametrize("name", NAMES)
def test_the_ladder_lies_within_the_qualities(name: str) -> None:
    baseline = BASELINES[name]
    assert set(baseline.ladder) <= set(baseline.qualities)
    assert list(baseline.ladder) == sorted(set(baseline.ladder))


def test_the_default_ladder_is_that_of_the_baseline(frame: Frame) -> None:
    baseline = get_baseline("jpeg")
    assert tuple(result.quality for result in ladder(baseline, frame)) == baseline.ladder


@pytest.mark.parametrize(("name", "sampling"), [("jpeg", (2, 2)), ("jpeg444", (1, 1))])
def test_jpeg_has_the_chroma_of_its_name(
    name: str, sampling: tuple[int, int], frame: Frame
) -> None:
    with Image.open(io.BytesIO(get_baseline(name).encode(frame, 50))) as image:
        layer: Any = getattr(image, "layer")  # noqa: B009  (Pillow does not declare it)
    assert layer[0][1:3] == sampling


def test_full_chroma_keeps_colour_edges() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 220
    for full, half in (("jpeg444", "jpeg"), ("avif", "avif420-fast")):
        values = [
            psnr(stripes, result.frame)
            for result in (ladder(_get(name), stripes, [90])[0] for name in (full, half))
        ]
        assert values[0] > values[1] + 6


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (2, 67), (33, 17), (75, 131)])
def test_sides_may_be_odd_and_small(name: str, size: tuple[int, int], frame: Frame) -> None:
    baseline, cut = _get(name), frame[50 : 50 + size[0], 60 : 60 + size[1]]
    decoded = baseline.decode(baseline.encode(cut, baseline.ladder[-1]))
    assert decoded.shape == cut.shape
    assert decoded.flags["C_CONTIGUOUS"]
    assert psnr(cut, decoded) > 28


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif420-fast"])
@pytest.mark.parametrize("target", [0.5, 1.2])
def test_at_bpp_reaches_the_target(name: str, target: float, frame: Frame) -> None:
    result = at_bpp(_get(name), frame, target, tolerance=0.05)
    assert result.bpp == pytest.approx(target, rel=0.08)  # steps of one quality on a small frame
    assert result.bpp == 8 * len(result.data) / (192 * 256)
    np.testing.assert_array_equal(result.frame, BASELINES[name].decode(result.data))
    assert result.data == BASELINES[name].encode(frame, result.quality)


@pytest.mark.parametrize("target", [0.4, 0.6, 1.0, 1.7])
def test_at_bpp_finds_the_nearest_of_all_qualities(target: float, frame: Frame) -> None:
    baseline = get_baseline("jpeg")
    sizes = [8 * len(baseline.encode(frame, q)) / (192 * 256) for q in baseline.qualities]
    nearest = min(abs(math.log(size / target)) for size in sizes)
    result = at_bpp(baseline, frame, target, tolerance=0)
    assert abs(math.log(result.bpp / target)) == pytest.approx(nearest)


def test_at_bpp_out_of_reach_gives_the_nearest_end(frame: Frame) -> None:
    baseline = get_baseline("jpeg")
    assert at_bpp(baseline, frame, 0.001).data == min(
        (baseline.encode(frame, quality) for quality in (1, 2)), key=len
    )
    assert at_bpp(baseline, frame, 50).quality == 100


@pytest.mark.parametrize("target", [0, -1, math.nan, math.inf])
def test_at_bpp_refuses_what_is_no_rate(target: float, frame: Frame) -> None:
    with pytest.raises(OptionError, match="bpp"):
        at_bpp(get_baseline("jpeg"), frame, target)


def test_unknown_names_and_qualities_are_refused(frame: Frame) -> None:
    with pytest.raises(OptionError, match="choose from jpeg, jpeg444, webp"):
        get_baseline("jpeg2000")
    for quality in (0, 101):
        with pytest.raises(OptionError, match=r"1\.\.100"):
            get_baseline("jpeg").encode(frame, quality)


def test_a_missing_library_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    assert get_baseline("webp").name == "webp"
    with pytest.raises(LibraryMissingError, match=r"AVIF.*pip install"):
        get_baseline("avif")
    for name, module in (("jxl-3", "imagecodecs"), ("x264-medium", "av")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(LibraryMissingError, match=rf"{name} needs .*c3d-export\[baselines\]"):
            get_baseline(name)


def test_frames_that_a_format_cannot_hold() -> None:
    with pytest.raises(FrameShapeError, match="webp cannot encode 16384x1"):
        get_baseline("webp").encode(np.zeros((1, 16384, 3), np.uint8), 50)
    with pytest.raises(FrameShapeError):
        get_baseline("webp").encode(np.zeros((4, 4), np.uint8), 50)


@pytest.mark.parametrize("name", NAMES)
def test_foreign_and_cut_files_are_image_errors(name: str, frame: Frame) -> None:
    baseline = _get(name)
    data = baseline.encode(frame, baseline.ladder[2])
    other = BASELINES["webp" if name.startswith("jpeg") else "jpeg"].encode(frame, 50)
    for bad in (b"", b"no image", data[: len(data) // 2], other):
        with pytest.raises(ImageError, match=f"{name} cannot decode"):
            baseline.decode(bad)
