"""The pictures of the viewer: the very pixels, within the budget."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.evaluate.equal_bytes import Method
from c3d_export.evaluate.picture import Crop
from c3d_export.report.pictures import Picture, take_shot
from c3d_export.report.viewer import Viewer, about, viewer_data, viewer_section
from c3d_export.runtime.images import Frame

from .made import OTHERS, OURS, Rounding, noise


def _pixels(picture: Picture) -> Frame:
    with Image.open(io.BytesIO(picture.data)) as image:
        assert image.format == "WEBP"
        return np.array(image.convert("RGB"))


def test_every_version_is_the_very_pixels() -> None:
    frame = noise()
    shot = take_shot("a.png", "", frame, OURS, OTHERS, quality=3)
    assert [item.label for item in shot.pictures] == [
        *("original", "this codec", "JPEG 4:2:0", "AVIF 4:4:4"),
    ]
    assert np.array_equal(_pixels(shot.pictures[0]), frame)
    assert np.array_equal(_pixels(shot.pictures[1]), frame >> 5 << 5)
    assert shot.crop == (0, 0, 160, 120)
    assert "3,000 bytes, 1.250 bpp" in shot.pictures[1].caption
    assert "2,800 bytes" in shot.pictures[2].caption  # as near to 3,000 as 400 times n comes
    assert about(shot) == ("The whole frame, pixel for pixel (lossless WebP); ours at quality 3.")


@pytest.mark.parametrize("budget", [150_000, 40_000, 20_000])
def test_what_does_not_fit_is_cut_and_not_degraded(budget: int) -> None:
    frame = noise()
    shot = take_shot("a.png", "so", frame, OURS, OTHERS, quality=3, budget=budget)
    x, y, width, height = shot.crop
    assert width * height < 160 * 120
    assert np.array_equal(_pixels(shot.pictures[0]), frame[y : y + height, x : x + width])
    size = sum(len(item.url.partition(",")[2]) for item in shot.pictures)
    assert budget / 3 < size <= budget
    assert f"The part of {width}x{height} at {x}, {y} of 160x120" in about(shot)
    assert "Chosen as so." in about(shot)


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="do not fit into 900 bytes; name fewer"):
        take_shot("a.png", "", noise(), OURS, OTHERS, quality=3, budget=900)


def test_a_crop_is_kept_or_refused() -> None:
    crop = Crop(10, 20, 30, 40)
    shot = take_shot("a.png", "", noise(), OURS, OTHERS, quality=3, crop=crop)
    assert shot.crop == crop
    assert _pixels(shot.pictures[2]).shape == (40, 30, 3)
    with pytest.raises(OptionError, match="not inside 160x120"):
        take_shot("a", "", noise(), OURS, (), quality=3, crop=Crop(140, 0, 30, 9))
    with pytest.raises(OptionError, match="choose a smaller one"):
        take_shot("a", "", noise(), OURS, (), quality=3, crop=crop, budget=2000)


def test_what_failed_is_told_in_the_page() -> None:
    class Broken(Rounding):
        def encode(self, frame: Frame, *, quality: int) -> bytes:
            raise FrameShapeError("too odd; leave this frame out")

    shot = take_shot("a.png", "", noise(), OURS, [Method("webp", Broken(1))], quality=3)
    assert shot.missing == (("webp", "too odd; leave this frame out"),)
    assert "Without WebP: too odd; leave this frame out." in about(shot)


def test_the_data_of_the_script_is_what_was_taken() -> None:
    shot = take_shot("a.png", "", noise(), OURS, OTHERS, quality=3)
    (entry,) = viewer_data(Viewer((shot,)))
    assert (entry["width"], entry["height"]) == (160, 120)
    versions = entry["versions"]
    assert isinstance(versions, list)
    assert [version["url"][:23] for version in versions] == ["data:image/webp;base64,"] * 4


def test_without_pictures_the_reason_stands_there() -> None:
    text = viewer_section(Viewer(notes=("one note",), absent="because"))
    assert "one note" in text
    assert "because" in text
    assert "v-slider" not in text
