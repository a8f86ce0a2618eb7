"""A codec at a lower resolution is a codec: sizes, bytes, and what a damaged file does."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from c3d_export.core.errors import (
    C3DError,
    OptionError,
    StreamError,
    StreamHeaderError,
    StreamTrailingError,
    StreamTruncatedError,
    UnknownQualityError,
)
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.images import Frame
from c3d_export.superres.pipeline import HEADER_BYTES, LosslessCodec, RescaledCodec
from c3d_export.superres.resample import downscale
from c3d_export.superres.upscalers import FIXED

FACTORS = (2.0, 1.7, 1.5, 1.3)


def _frame(height: int, width: int) -> Frame:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [128 + 100 * np.sin(columns / 9 + k) * np.cos(rows / 7) for k in range(3)]
    return np.stack(waves, 2).astype(np.uint8)


def _psnr(a: Frame, b: Frame) -> float:
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (45, 80), (63, 49)])
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", FIXED)
def test_frames_come_back_in_their_own_size(
    shape: tuple[int, int], factor: float, name: str
) -> None:
    codec = RescaledCodec(LosslessCodec(), factor, FIXED[name])
    frame = _frame(*shape)
    decoded = codec.decode(codec.encode(frame, quality=0))
    assert decoded.shape == frame.shape
    assert decoded.dtype == np.uint8
    assert _psnr(frame, decoded) > 28


@pytest.mark.parametrize("name", FIXED)
def test_smaller_factors_lose_less(name: str) -> None:
    frame = _frame(96, 96)
    noisy = np.clip(frame + np.random.default_rng(0).normal(0, 6, frame.shape), 0, 255)
    codecs = [RescaledCodec(LosslessCodec(), factor, FIXED[name]) for factor in FACTORS]
    noisy = noisy.astype(np.uint8)
    scores = [_psnr(noisy, codec.decode(codec.encode(noisy, quality=0))) for codec in codecs]
    assert scores == sorted(scores)


def test_the_header_is_six_bytes_and_says_size_and_factor() -> None:
    codec = RescaledCodec(LosslessCodec(), 1.7, FIXED["bicubic"])
    data = codec.encode(_frame(63, 1000), quality=0)
    assert HEADER_BYTES == 6
    assert struct.unpack("<HHH", data[:6]) == (1000, 63, 1700)
    assert len(data) == 6 + 4 + 3 * 38 * 589
    assert codec.label == "1.7 bicubic"


def test_whoever_decodes_needs_nothing_but_the_file() -> None:
    data = RescaledCodec(LosslessCodec(), 1.5, FIXED["bicubic"]).encode(_frame(31, 41), quality=0)
    other = RescaledCodec(LosslessCodec(), 2, FIXED["fsr"])
    assert other.decode(data).shape == (31, 41, 3)


def test_it_codes_with_a_real_codec(tiny_codec: Codec, frame: Frame) -> None:
    codec = RescaledCodec(tiny_codec, 2, FIXED["lanczos"])
    assert codec.qualities == tiny_codec.qualities
    quality = codec.qualities[-1]
    data = codec.encode(frame, quality=quality)
    low = tiny_codec.decode(tiny_codec.encode(downscale(frame, 2), quality=quality))
    wanted = FIXED["lanczos"](low, frame.shape[:2], 2)
    np.testing.assert_array_equal(codec.decode(data), wanted)
    assert len(data) < len(tiny_codec.encode(frame, quality=quality))


def test_it_codes_with_a_baseline() -> None:
    pytest.importorskip("torch")  # of the metrics beside the baselines
    from c3d_export.evaluate.baselines import get_baseline

    codec = RescaledCodec(get_baseline("jpeg"), 1.3, FIXED["fsr-sharp"])
    frame = _frame(90, 121)
    decoded = codec.decode(codec.encode(frame, quality=90))
    assert decoded.shape == frame.shape
    assert _psnr(frame, decoded) > 30
    with pytest.raises(OptionError):
        codec.encode(frame, quality=1000)


def test_lossless_is_lossless() -> None:
    frame = _frame(5, 3)
    codec = LosslessCodec()
    np.testing.assert_array_equal(codec.decode(codec.encode(frame, quality=0)), frame)
    with pytest.raises(UnknownQualityError):
        codec.encode(frame, quality=1)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((0, 8, 2000), "outside 1..16384"),
        ((8, 16385, 2000), "outside 1..16384"),
        ((16384, 16384, 2000), "more than"),
        ((8, 8, 999), "no rescaled one"),
        ((8, 8, 4001), "no rescaled one"),
        ((8, 8, 0), "no rescaled one"),
        ((9, 8, 2000), "holds a frame of 4x4 instead of 5x4"),
        ((8, 8, 1500), "instead of 6x6"),
    ],
)
def test_a_header_that_lies_is_refused(header: tuple[int, ...], message: str) -> None:
    codec = RescaledCodec(LosslessCodec(), 2, FIXED["bicubic"])
    data = codec.encode(_frame(8, 8), quality=0)
    with pytest.raises(StreamHeaderError, match=message) as caught:
        codec.decode(struct.pack("<HHH", *header) + data[HEADER_BYTES:])
    assert "\n" not in str(caught.value)


def test_truncated_and_longer_files_are_refused() -> None:
    codec = RescaledCodec(LosslessCodec(), 2, FIXED["bicubic"])
    data = codec.encode(_frame(8, 8), quality=0)
    for end in range(len(data)):
        with pytest.raises(StreamTruncatedError):
            codec.decode(data[:end])
    with pytest.raises(StreamTrailingError):
        codec.decode(data + b"x")


def test_random_bytes_raise_nothing_foreign() -> None:
    codec = RescaledCodec(LosslessCodec(), 2, FIXED["bicubic"])
    rng = np.random.default_rng(1)
    for size in range(200):
        with pytest.raises(StreamError):
            codec.decode(rng.bytes(size))


def test_factors_are_refused_before_anything_is_coded() -> None:
    for factor in (0.5, 5):
        with pytest.raises(C3DError, match="choose a factor"):
            RescaledCodec(LosslessCodec(), factor, FIXED["fsr"])
