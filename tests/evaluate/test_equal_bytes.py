"""Codecs at equal bytes: which quality is taken, what fails, captions, means, and the sheets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.core.errors import UnknownQualityError as UnknownQuality
from c3d_export.evaluate.equal_bytes import (
    Comparison,
    Method,
    Scored,
    caption,
    compare_frame,
    means_table,
    middle,
)
from c3d_export.evaluate.labels import label_of
from c3d_export.evaluate.measure import Result
from c3d_export.evaluate.picture import Crop
from c3d_export.evaluate.sample_sheet import Sheet, draw_sheets, find_difference
from c3d_export.runtime.images import Frame


@dataclass
class Rounding:
    """A codec that keeps `quality` bits of each value, in files of `unit` * quality bytes."""

    unit: int = 1000
    qualities: range = range(1, 8)
    fails: bool = False

    def encode(self, frame: Frame, *, quality: int) -> bytes:
        if self.fails:
            raise FrameShapeError("too odd; leave this frame out")
        self.frame = frame >> (8 - quality) << (8 - quality)
        return bytes(self.unit * quality)

    def decode(self, data: bytes) -> Frame:
        return self.frame


@pytest.fixture
def noise() -> Frame:
    return np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)


def _scored(name: str, frame: Frame, psnr: float = 30.0, ms_ssim: float = 0.9) -> Scored:
    return Scored(name, Result(bytes(750), frame, 1.0, 2.0, 3), psnr, ms_ssim)


def test_the_others_come_as_near_as_they_can_to_our_bytes(noise: Frame) -> None:
    others = [Method("half", Rounding(500)), Method("third", Rounding(333))]
    comparison = compare_frame(noise, Method("ours", Rounding()), others, quality=2)
    ours, half, third = comparison.scored
    assert [ours.name, len(ours.result.data), half.result.quality] == ["ours", 2000, 4]
    assert third.result.quality == 6
    assert half.psnr > ours.psnr
    assert math.isnan(ours.ms_ssim)  # the frame is too small for it


def test_ours_goes_to_a_rate_or_to_the_middle(noise: Frame) -> None:
    ours = Method("ours", Rounding())
    assert compare_frame(noise, ours, []).scored[0].result.quality == 4
    nearest = compare_frame(noise, ours, [], bpp=8 * 5100 / 6000)
    assert nearest.scored[0].result.quality == 5
    assert [middle([3]), middle([1, 2]), middle(range(1, 7))] == [3, 2, 4]


def test_what_fails_is_named_and_what_cannot_be_is_refused(noise: Frame) -> None:
    ours, broken = Method("ours", Rounding()), Method("odd", Rounding(fails=True))
    comparison = compare_frame(noise, ours, [broken], quality=1)
    assert comparison.missing == (("odd", "too odd; leave this frame out"),)
    with pytest.raises(UnknownQuality, match="no quality 9; choose from 1, 2"):
        compare_frame(noise, ours, [], quality=9)
    with pytest.raises(OptionError, match="cannot aim"):
        compare_frame(noise, ours, [], bpp=0)
    with pytest.raises(FrameShapeError):
        compare_frame(noise, broken, [ours])


def test_captions(noise: Frame) -> None:
    item = _scored("avif", noise, 31.416)
    assert caption(item) == "AVIF 4:4:4: 1.000 bpp, 31.42 dB, MS-SSIM 0.9000 (10.0 dB)"
    assert caption(item, with_bytes=True).startswith("AVIF 4:4:4: 750 bytes, 1.000 bpp, ")
    exact = caption(_scored("x", noise, math.inf, 1.0))
    assert exact == "x: 1.000 bpp, no loss, MS-SSIM 1.0000"
    assert "MS-SSIM" not in caption(_scored("x", noise, ms_ssim=math.nan))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ours", "this codec"),
        ("ours /2 fsr", "this codec /2 fsr"),
        ("jxl-7", "JPEG XL effort 7"),
        ("svtav1-9", "SVT-AV1 preset 9"),
        ("x264-medium", "x264-medium"),
        ("", ""),
    ],
)
def test_labels(name: str, label: str) -> None:
    assert label_of(name) == label


def test_means_say_of_how_many_images_they_are(noise: Frame) -> None:
    both = Comparison((_scored("a", noise, 30), _scored("b", noise, 20)))
    one = Comparison((_scored("a", noise, 32, math.nan),), (("b", "broken"),))
    never = Comparison((), (("c", "broken"),))
    table = means_table([both, one, never])
    assert table.cells[0][:5] == ("a", "2 (1 failed)", "1.000", "31.00", "-")
    assert table.cells[1][:5] == ("b", "1 (2 failed)", "1.000", "20.00", "0.9000")
    assert table.cells[2] == ("c", "0 (3 failed)", "-", "-", "-", "-", "-")


def test_the_crop_is_where_the_methods_differ(noise: Frame) -> None:
    bad, worse = noise.copy(), noise.copy()
    for frame in (bad, worse):  # equally wrong here
        frame[:20, :20] ^= 255
    worse[40:50, 70:80] ^= 64
    assert find_difference(noise, [bad, worse], 10, 10) == (70, 40, 10, 10)
    assert find_difference(noise, [worse], 10, 10)[:2] < (11, 11)  # the largest error
    assert find_difference(noise, [bad, worse]) == (0, 0, 100, 60)
    assert find_difference(noise, [], 10, 10)[2:] == (10, 10)
    with pytest.raises(FrameShapeError, match="must be of one size"):
        find_difference(noise, [noise[:9]])
    with pytest.raises(OptionError):
        find_difference(noise, [bad], 0, 9)


def test_sheets_stand_under_one_another(noise: Frame) -> None:
    sheet = Sheet("a.png", noise, Comparison((_scored("x", noise),)))
    crop = Crop(2, 3, 40, 30)
    one, two = draw_sheets([sheet], crop), draw_sheets([sheet, sheet], crop)
    assert two.shape == (2 * one.shape[0], *one.shape[1:])
    assert np.array_equal(two[: len(one)], one)
    small = draw_sheets([sheet], crop, actual_size=True)
    assert np.array_equal(small[:30, 100:140], noise[3:33, 2:42])  # in the middle of its tile
    with pytest.raises(OptionError, match="no frame"):
        draw_sheets([])
    with pytest.raises(OptionError, match="draw fewer"):
        draw_sheets([sheet] * 200, crop)
