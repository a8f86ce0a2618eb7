"""Looks of the encoder: what they compute, what they bring, and that decoders need not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import OptionError
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.images import read_image
from c3d_export.runtime.refine import refined

Frame = NDArray[np.uint8]
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples/test/supertuxkart-720p/scotland_005.webp"


@pytest.fixture(scope="module")
def shipped() -> Codec:
    return open_codec(ROOT / "exported/supertuxkart-small.c3b")


def test_refined_is_the_formula() -> None:
    rng = np.random.default_rng(0)
    shape, few = (4, 6, 10), 3
    v = rng.integers(0, 256, shape).astype(np.uint8)
    fine = rng.integers(-(2**15), 2**15, (*shape[:2], few)).astype(np.int16)
    sums, seen = (rng.integers(-(2**20), 2**20, shape).astype(np.int32) for _ in range(2))
    scale = rng.uniform(1e-5, 1e-3, shape[2]).astype(np.float32)
    decoded = v - 128.0
    decoded[..., :few] = fine / 256.0
    expected = decoded + scale.astype(np.float64) * (sums.astype(np.float64) - seen)
    assert np.allclose(refined(v, fine, sums, seen, scale), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("quality", [2, 5, 8])
def test_a_look_pays(shipped: Codec, quality: int) -> None:
    """The loss of training, lambda * MSE + bpp, falls at every rate point."""
    frame = read_image(SAMPLE)[:512, :768]

    def loss(effort: int) -> float:
        stream = shipped.encode(frame, quality, effort)
        error = shipped.decode(stream).astype(np.float64) - frame
        bpp = 8 * len(stream) / (frame.shape[0] * frame.shape[1])
        return 0.001 * 2.0 ** (quality - 1) * float(np.mean(error**2)) + bpp

    # Half of a percent is a third of the least that was seen.
    assert loss(2) < 0.995 * loss(1)
    assert loss(3) < loss(2)


def test_one_is_the_default_and_looks_at_nothing(tiny_codec: Codec, frame: Frame) -> None:
    assert tiny_codec.encode(frame, 4) == tiny_codec.encode(frame, 4, 1)
    assert tiny_codec.encode(frame, 4) != tiny_codec.encode(frame, 4, 2)


def test_an_effort_holds_for_streams_too(tiny_path: Path, frame: Frame) -> None:
    codec = open_codec(tiny_path, effort=3)
    expected = codec.encode(frame, 4, 3)
    assert codec.encode(frame, 4) == expected
    assert codec.encode_batch([frame, frame], 4) == [expected, expected]
    assert codec.encode(frame, 4, np.int64(3)) == expected  # type: ignore[arg-type]
    assert codec.encode_batch([frame], 4, 1) == [codec.encode(frame, 4, 1)]


def test_both_flavours_look_alike(tiny_path: Path, frame: Frame) -> None:
    streams = [open_codec(tiny_path, flavour=f).encode(frame, 5, 2) for f in ("qlinear", "float")]
    assert streams[0] == streams[1]


@pytest.mark.parametrize("effort", [0, 5, True, 2.0, "2"])
def test_other_efforts_are_refused(
    tiny_codec: Codec, tiny_path: Path, frame: Frame, effort: Any
) -> None:
    with pytest.raises(OptionError, match="choose 1 to 4"):
        tiny_codec.encode(frame, 4, effort)
    with pytest.raises(OptionError, match="choose 1 to 4"):
        open_codec(tiny_path, effort=effort)
