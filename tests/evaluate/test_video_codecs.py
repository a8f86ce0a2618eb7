"""What is particular to key frames of video codecs and to JPEG XL: colours, state, settings."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import FrameShapeError, ImageError, LibraryMissingError
from c3d_export.evaluate.baselines import get_baseline
from c3d_export.evaluate.jxl_codec import distance
from c3d_export.evaluate.metrics import psnr
from c3d_export.evaluate.video_codecs import VIDEO_CODECS, VideoCodec
from c3d_export.runtime.images import Frame


@pytest.fixture(params=VIDEO_CODECS, ids=lambda codec: codec.name)
def codec(request: pytest.FixtureRequest) -> VideoCodec:
    found: VideoCodec = request.param
    try:
        found.require()
    except LibraryMissingError as error:
        pytest.skip(str(error))
    return found


def test_colours_come_back_as_they_were(codec: VideoCodec) -> None:
    """Flat ones, so that only the conversion loses; another matrix or range is far off."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)]
    for colour in colours:
        frame = np.full((64, 64, 3), colour, np.uint8)
        decoded = codec.decode(codec.encode(frame, codec.qualities[-1]))
        assert np.abs(decoded.astype(int) - frame).max() <= 3


def test_the_highest_quality_is_near_what_the_colours_allow(
    codec: VideoCodec, frame: Frame
) -> None:
    grey = np.ascontiguousarray(np.broadcast_to(frame[:, :, :1], frame.shape))
    decoded = codec.decode(codec.encode(grey, codec.qualities[-1]))
    assert psnr(grey, decoded) > 44


def test_a_frame_does_not_depend_on_those_before(codec: VideoCodec, frame: Frame) -> None:
    quality = codec.ladder[2]
    first = codec.encode(frame, quality)
    codec.encode(frame[::-1, ::-1], quality)
    codec.encode(frame[:70, :90], quality)
    again = codec.encode(frame, quality)
    np.testing.assert_array_equal(codec.decode(first), codec.decode(again))
    # The numbers of key frames are counted in codes of varying length.
    assert abs(len(again) - len(first)) <= 8


def test_a_decoder_recovers_from_a_damaged_file(codec: VideoCodec, frame: Frame) -> None:
    data = codec.encode(frame, codec.ladder[2])
    expected = codec.decode(data)
    for payload in (bytes(100), b"\xff" * 100):
        with pytest.raises(ImageError, match=f"{codec.name} cannot decode"):
            codec.decode(struct.pack("<HHI", 256, 192, len(payload)) + payload)
    with pytest.raises(ImageError, match="no picture of that size"):
        codec.decode(struct.pack("<HH", 200, 192) + data[4:])
    with pytest.raises(ImageError, match="truncated"):
        codec.decode(struct.pack("<HH", 0, 192) + data[4:])
    np.testing.assert_array_equal(codec.decode(data), expected)


def test_a_file_of_another_codec_is_refused(codec: VideoCodec, frame: Frame) -> None:
    for other in VIDEO_CODECS:
        if other.decoder != codec.decoder:
            with pytest.raises(ImageError):
                codec.decode(other.encode(frame, other.ladder[2]))


def test_chroma_is_that_of_the_codec(codec: VideoCodec) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 220
    value = psnr(stripes, codec.decode(codec.encode(stripes, codec.qualities[-2])))
    assert (value > 40) == (codec.colours == "yuv444p")


def test_a_size_that_the_encoder_refuses(codec: VideoCodec, frame: Frame) -> None:
    broken = replace(codec, colours="gray16le")
    with pytest.raises(FrameShapeError, match=f"{codec.name} cannot encode 256x192"):
        broken.encode(frame, codec.ladder[0])


def test_an_encoder_that_is_not_built_in(codec: VideoCodec) -> None:
    with pytest.raises(LibraryMissingError, match=r"PyAV with libx266.*pip install"):
        replace(codec, encoder="libx266").require()


@pytest.mark.parametrize("name", ["jxl-1", "jxl-7"])
def test_jpeg_xl_without_its_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = pytest.importorskip("imagecodecs")
    monkeypatch.setattr(module.JPEGXL, "available", False)
    with pytest.raises(LibraryMissingError, match=r"with JPEG XL.*pip install"):
        get_baseline(name)


def test_distances_of_jpeg_xl_fall_with_quality() -> None:
    """Its two formulas meet at 30, and 90 is distance 1 by definition."""
    values = [distance(quality) for quality in range(100)]
    assert values == sorted(set(values), reverse=True)
    assert values[0] == 25
    assert values[90] == pytest.approx(1.0)
    assert values[30] == pytest.approx(6.4)


def test_more_effort_of_jpeg_xl_is_a_better_curve(frame: Frame) -> None:
    pytest.importorskip("imagecodecs")
    fast, slow = get_baseline("jxl-1"), get_baseline("jxl-7")
    ours, theirs = (codec.encode(frame, 85) for codec in (fast, slow))
    assert len(theirs) < len(ours)
    assert psnr(frame, slow.decode(theirs)) > psnr(frame, fast.decode(ours))
