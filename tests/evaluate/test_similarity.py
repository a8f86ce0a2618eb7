"""SSIM and MS-SSIM against the papers in float64, and against pytorch-msssim."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from c3d_export.evaluate.similarity import MS_SSIM_MIN_SIDE, WINDOW, OriginalPlane

Plane = NDArray[np.uint8]
Real = NDArray[np.float64]


def _paper(x: Real, y: Real) -> tuple[float, float]:
    """SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003), from every 11x11 window itself."""
    steps = np.arange(11) - 5
    window = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 1.5**2))
    window /= window.sum()

    def local(values: Real) -> Real:
        cut = np.lib.stride_tricks.sliding_window_view(values, (11, 11))
        return np.tensordot(cut, window)

    ssim, product = math.nan, 1.0
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    for scale, weight in enumerate(weights):
        mx, my = local(x), local(y)
        vx, vy = local(x * x) - mx * mx, local(y * y) - my * my
        contrast = (2 * (local(x * y) - mx * my) + 58.5225) / (vx + vy + 58.5225)
        whole = contrast * (2 * mx * my + 6.5025) / (mx * mx + my * my + 6.5025)
        if scale == 0:
            ssim = float(whole.mean())
        product *= float((whole if scale == 4 else contrast).mean()) ** weight
        if scale < 4:
            x, y = (v.reshape(v.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for v in (x, y))
    return ssim, product


def _pair(shape: tuple[int, int], deviation: float, share: float = 1.0) -> tuple[Plane, Plane]:
    """A smooth plane with edges, and one with noise on a share of its pixels."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    x = 120 + 70 * np.sin(columns / 9) + 50 * ((rows // 20) % 2)
    noise = rng.normal(0, deviation, shape) * (rng.random(shape) < share)
    first = np.clip(x + rng.normal(0, 3, shape), 0, 255).astype(np.uint8)
    return first, np.clip(np.rint(first + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("deviation", "share"), [(25, 1), (4, 1), (1, 0.01)])
def test_both_equal_the_papers_where_it_counts(deviation: float, share: float) -> None:
    """1 - x to a part in 100,000: 0.00005 dB, however near to 1 it is."""
    first, second = _pair((192, 208), deviation, share)
    found = OriginalPlane(first).compare(second)
    ssim, ms_ssim = _paper(first.astype(float), second.astype(float))
    assert 1 - found.ssim == pytest.approx(1 - ssim, rel=1e-5)
    assert 1 - found.ms_ssim == pytest.approx(1 - ms_ssim, rel=1e-5)


@pytest.mark.parametrize("shape", [(192, 208), (161, 163), (179, 300)])
def test_both_equal_pytorch_msssim_for_odd_sizes_too(shape: tuple[int, int]) -> None:
    import pytorch_msssim

    first, second = _pair(shape, 12)
    found = OriginalPlane(first).compare(second)
    pair = [torch.from_numpy(plane[None, None].astype(np.float64)) for plane in (first, second)]
    # Its own window is rounded to float32, which costs it 3e-6.
    window = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / 4.5)
    options = {"data_range": 255, "win": (window / window.sum())[None, None, None]}
    assert found.ssim == pytest.approx(float(pytorch_msssim.ssim(*pair, **options)), abs=1e-7)
    ms_ssim = float(pytorch_msssim.ms_ssim(*pair, **options))
    assert found.ms_ssim == pytest.approx(ms_ssim, abs=1e-7)


def test_what_is_kept_changes_no_bit() -> None:
    first, second = _pair((200, 230), 9)
    kept, lean = OriginalPlane(first), OriginalPlane(first, keep=False)
    assert kept.compare(second) == lean.compare(second) == kept.compare(second)


def test_equal_planes_are_one_and_opposite_ones_have_no_root() -> None:
    first, _ = _pair((170, 170), 1)
    assert OriginalPlane(first).compare(first).ssim == 1
    assert OriginalPlane(first).compare(first).ms_ssim == 1
    assert OriginalPlane(first).compare(255 - first).ssim < 0
    assert OriginalPlane(first).compare(255 - first).ms_ssim == 0


def test_small_planes_have_no_number() -> None:
    first = np.zeros((MS_SSIM_MIN_SIDE - 1, 200), np.uint8)
    assert OriginalPlane(first).compare(first).ssim == 1
    assert math.isnan(OriginalPlane(first).compare(first).ms_ssim)
    for shape in ((WINDOW - 1, 200), (1, 1)):
        tiny = np.zeros(shape, np.uint8)
        assert math.isnan(OriginalPlane(tiny).compare(tiny).ssim)
