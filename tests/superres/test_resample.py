"""The grid of low-resolution pixels: sizes, and that nothing moves by parts of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.runtime.images import Frame
from c3d_export.superres import resample
from c3d_export.superres.upscalers import FIXED, get_upscaler

FACTORS = (2.0, 1.7, 1.5, 1.3)
METHODS = tuple(FIXED)
SIZES = [(64, 96), (65, 97), (61, 83)]


def _ramp(shape: tuple[int, int], axis: int) -> Frame:
    """2 levels a pixel along one axis: 8 bits hold it without rounding."""
    line = 2 * np.arange(shape[axis])
    line = line[:, None] if axis == 0 else line[None, :]
    return np.broadcast_to(line[..., None], (*shape, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("side", "factor", "low"),
    [(1280, 2, 640), (721, 2, 361), (1280, 1.7, 753), (720, 1.7, 424), (720, 1.5, 480),
     (1280, 1.3, 985), (1, 2, 1), (1, 4, 1), (5, 4, 2), (9, 1, 9), (17, 1.7, 10)],
)  # fmt: skip
def test_sides_are_rounded_up(side: int, factor: float, low: int) -> None:
    assert resample.low_side(side, factor) == low


@pytest.mark.parametrize("factor", FACTORS)
def test_low_pixels_cover_the_frame_and_less_than_one_more(factor: float) -> None:
    for side in range(1, 200):
        low = resample.low_side(side, factor)
        assert side <= low * factor + 1e-9
        assert (low - 1) * factor < side


@pytest.mark.parametrize("factor", [0.99, 0, -2, 4.001, float("nan"), float("inf"), "2", None])
def test_factors_out_of_range_are_refused(factor: float) -> None:
    with pytest.raises(OptionError, match="choose a factor in"):
        resample.thousandths(factor)


def test_a_factor_of_many_decimals_is_refused() -> None:
    with pytest.raises(OptionError, match="three decimals"):
        resample.thousandths(1.23456)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("axis", [0, 1])
def test_low_pixels_lie_at_their_centres(shape: tuple[int, int], factor: float, axis: int) -> None:
    low = resample.downscale(_ramp(shape, axis), factor)
    line = (low[:, 0, 0] if axis == 0 else low[0, :, 0]).astype(float)
    wanted = 2 * ((np.arange(len(line)) + 0.5) * factor - 0.5)
    inside = slice(4, -4)  # kernels that reach beyond the frame see its repeated edge
    assert np.abs(line - wanted)[inside].max() <= 0.51


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("method", METHODS)
def test_a_ramp_stays_where_it_is(
    shape: tuple[int, int], factor: float, axis: int, method: str
) -> None:
    ramp = _ramp(shape, axis)
    large = FIXED[method](resample.downscale(ramp, factor), shape, factor)
    error = large.astype(float) - ramp
    inside = error[10:-10, 10:-10]
    # Half a pixel would be one level on the mean; RCAS darkens by up to 0.2 %, as its header does.
    assert abs(inside.mean()) < 0.25
    assert np.abs(inside).max() <= 2


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("method", METHODS)
def test_a_blob_keeps_its_centre_of_mass(
    shape: tuple[int, int], factor: float, method: str
) -> None:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    square = (rows - 30.3) ** 2 + (columns - 44.6) ** 2
    blob = np.rint(230 * np.exp(-square / 40))[..., None].repeat(3, 2).astype(np.uint8)
    large = FIXED[method](resample.downscale(blob, factor), shape, factor)
    for places in (rows, columns):
        before, after = (
            (places * x[..., 1]).sum() / x[..., 1].sum() for x in (blob.astype(float), large)
        )
        assert abs(after - before) < 0.05


def _shifts(before: Frame, after: Frame) -> list[float]:
    """Pixels by which a picture moved along x and y, from the phases of its low frequencies."""
    spectra = [np.fft.fft2(x[..., 0] - x[..., 0].mean()) for x in (before.astype(float), after)]
    cross = spectra[0] * spectra[1].conj()
    low = np.arange(1, 8)
    found = []
    for line in (cross[0, low], cross[low, 0]):
        shifts = np.angle(line) * 64 / (2 * np.pi * low)
        found.append(float(np.average(shifts, weights=np.abs(line))))
    return found


@pytest.fixture(scope="module")
def clouds() -> Frame:
    """64 x 64 pixels of smooth noise."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8))
    return np.asarray(coarse.resize((64, 64), Image.Resampling.BICUBIC))[..., None].repeat(3, 2)


def test_phase_correlation_finds_a_shift(clouds: Frame) -> None:
    """A negative control of the next test: half a pixel to the right, and whole ones."""
    half = (clouds.astype(float) + np.roll(clouds, 1, 1)) / 2
    assert _shifts(clouds, half) == pytest.approx([0.5, 0], abs=1e-9)
    assert _shifts(clouds, np.roll(clouds, (2, 1), (0, 1))) == pytest.approx([1, 2], abs=1e-9)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("method", METHODS)
def test_phase_correlation_finds_no_shift(factor: float, method: str, clouds: Frame) -> None:
    large = FIXED[method](resample.downscale(clouds, factor), (64, 64), factor)
    # FSR is no linear filter, and bends the phases a little.
    assert np.abs(_shifts(clouds, large)).max() < (0.08 if "fsr" in method else 0.015)


@pytest.mark.parametrize("factor", [*FACTORS, 1.0, 3.999, 4.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (5, 1), (17, 16)])
@pytest.mark.parametrize("method", METHODS)
def test_a_constant_frame_of_any_size_comes_back(
    factor: float, shape: tuple[int, int], method: str
) -> None:
    frame = np.full((*shape, 3), (3, 128, 254), np.uint8)
    low = resample.downscale(frame, factor)
    assert low.shape[:2] == resample.low_shape(shape, factor)
    np.testing.assert_array_equal(FIXED[method](low, shape, factor), frame)


def test_down_scaling_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    low = resample.downscale(stripes, 2)[8:-8, 8:-8]
    assert np.abs(low.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("method", METHODS)
def test_a_low_frame_of_another_size_is_refused(method: str) -> None:
    with pytest.raises(OptionError, match="that needs 4x3"):
        FIXED[method](np.zeros((3, 5, 3), np.uint8), (6, 8), 2)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(FrameShapeError):
        resample.downscale(np.zeros((4, 4, 3), np.float32), 2)  # type: ignore[arg-type]


def test_unknown_up_scalers_are_refused() -> None:
    with pytest.raises(OptionError, match="choose from bicubic, lanczos, fsr, fsr-sharp, rcan"):
        get_upscaler("nearest")
