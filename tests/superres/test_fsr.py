"""FSR 1 against a scalar transcription of AMD's header, and what is known of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.superres import fsr

from . import fsr_reference as reference

Image = NDArray[np.float32]


def _picture(kind: str, height: int = 7, width: int = 8) -> Image:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    pictures = {
        "noise": rng.random((height, width, 3)),
        "bytes": rng.integers(0, 256, (height, width, 3)) / 255,
        "black and white": rng.integers(0, 2, (height, width, 1)).repeat(3, 2),
        "upright edge": (columns > width // 2)[..., None].repeat(3, 2),
        "level edge": (rows > height // 2)[..., None].repeat(3, 2),
        "diagonal edge": (columns + 0.4 * rows > width // 2)[..., None] * [1.0, 0.6, 0.1],
        "dark line": 1 - 0.9 * (np.abs(columns - rows) < 1)[..., None].repeat(3, 2),
        "ramp": np.stack([columns / width, rows / height, (rows + columns) / 50], 2),
        "black": np.zeros((height, width, 3)),
        "white": np.ones((height, width, 3)),
    }
    return pictures[kind].astype(np.float32)


KINDS = (
    *("noise", "bytes", "black and white", "upright edge", "level edge", "diagonal edge"),
    *("dark line", "ramp", "black", "white"),
)


@pytest.mark.parametrize(
    ("kind", "factor"),
    [*((kind, factor) for kind in KINDS for factor in (2, 1.7)), ("noise", 1.3), ("noise", 1)],
)
def test_easu_is_the_headers_bit_for_bit(kind: str, factor: float) -> None:
    image = _picture(kind)
    shape = (int(7 * factor), int(8 * factor))
    viewport = shape[0] / factor, shape[1] / factor
    wanted = reference.easu(image, *shape, *viewport)
    np.testing.assert_array_equal(fsr.easu(image, shape, viewport), wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stops", [0.0, 0.2, 2.0])
def test_rcas_is_the_headers_bit_for_bit(kind: str, stops: float) -> None:
    image = _picture(kind, 18, 4)  # more than one band of rows
    np.testing.assert_array_equal(fsr.rcas(image, stops), reference.rcas(image, stops))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (2, 2)])
def test_frames_of_a_few_pixels(shape: tuple[int, int]) -> None:
    image = _picture("noise", *shape)
    large = shape[0] * 2, shape[1] * 2
    got = fsr.easu(image, large, shape)
    np.testing.assert_array_equal(got, reference.easu(image, *large, *shape))
    np.testing.assert_array_equal(fsr.rcas(got), reference.rcas(got, 0.2))


def test_approximate_reciprocals_are_as_close_as_their_names_say() -> None:
    x = np.geomspace(1e-4, 4, 20000, dtype=np.float32)
    assert np.abs(fsr.low_reciprocal(x) * x - 1).max() < 0.13
    assert np.abs(fsr.medium_reciprocal(x) * x - 1).max() < 0.02
    assert np.abs(fsr.low_inverse_root(x) * np.sqrt(x) - 1).max() < 0.05


@pytest.mark.parametrize("level", range(0, 256, 5))
def test_a_constant_frame_stays_constant(level: int) -> None:
    image = np.full((6, 7, 3), level, np.float32) / np.float32(255)
    large = fsr.easu(image, (12, 14), (6, 7))
    np.testing.assert_array_equal(np.rint(large * 255), level)
    np.testing.assert_array_equal(np.rint(fsr.rcas(large) * 255), level)


def test_easu_does_not_ring() -> None:
    """Every value lies between those of the four pixels around it, here taken from a wider ring."""
    image = _picture("noise", 12, 12)
    large = fsr.easu(image, (24, 24), (12, 12))
    framed = np.pad(image, ((1, 1), (1, 1), (0, 0)), "edge")
    around = [framed[dy : dy + 12, dx : dx + 12] for dy in range(3) for dx in range(3)]
    low, high = np.minimum.reduce(around), np.maximum.reduce(around)
    assert (large >= low.repeat(2, 0).repeat(2, 1)).all()
    assert (large <= high.repeat(2, 0).repeat(2, 1)).all()
    assert large.std() > 0.1


def test_rcas_sharpens_without_leaving_the_range() -> None:
    image = np.clip(_picture("noise", 40, 40) * 1.2 - 0.1, 0, 1)
    sharp = fsr.rcas(image, 0.0)
    assert sharp.min() >= 0
    assert sharp.max() <= 1.002
    # On a soft edge both sides move away from one another.
    edge = np.tile(np.float32([0.3, 0.3, 0.4, 0.6, 0.7, 0.7])[None, :, None], (5, 1, 3))
    harder = fsr.rcas(edge, 0.0)[2, :, 0]
    assert harder[2] < 0.38
    assert harder[3] > 0.62
    # Halved with each stop.
    softer = fsr.rcas(edge, 3.0)[2, :, 0]
    assert harder[2] < softer[2] < 0.4


def test_a_line_turned_by_a_right_angle_gives_the_turned_picture() -> None:
    image = _picture("diagonal edge", 12, 12)
    large = fsr.easu(image, (24, 24), (12, 12))
    turned = fsr.easu(np.ascontiguousarray(image.transpose(1, 0, 2)), (24, 24), (12, 12))
    np.testing.assert_allclose(turned.transpose(1, 0, 2), large, atol=0.02)
