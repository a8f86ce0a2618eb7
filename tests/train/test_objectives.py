"""What is minimised: its units, its gradients, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from c3d_export.core.errors import OptionError  # noqa: E402
from c3d_export.evaluate.metrics import ms_ssim, mse  # noqa: E402
from c3d_export.train.objectives import (  # noqa: E402
    LAMBDAS,
    Objective,
    base_then_tune,
    published,
)


@pytest.fixture
def pair(make_frame):  # type: ignore[no-untyped-def]
    frames = [make_frame(176, 192, seed) for seed in (1, 2)]
    noisy = [np.clip(f + np.int16(9) * (f % 3 - 1), 0, 255).astype(np.uint8) for f in frames]
    return noisy, frames


def _tensor(frames: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("distortion", ["mse", "ms-ssim"])
def test_errors_are_those_that_reports_show(pair, distortion: str) -> None:  # type: ignore[no-untyped-def]
    noisy, frames = pair
    found = Objective(distortion, 1.0).error(_tensor(noisy), _tensor(frames))
    metric = mse if distortion == "mse" else lambda a, b: 1 - ms_ssim(a, b)
    expected = [metric(a, b) for a, b in zip(noisy, frames, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("distortion", ["mse", "ms-ssim"])
def test_loss_is_rate_and_weighted_distortion(pair, distortion: str) -> None:  # type: ignore[no-untyped-def]
    x_hat, frame = (_tensor(frames) for frames in pair)
    x_hat.requires_grad_(True)
    objective = Objective(distortion, 3.0)
    bits = torch.tensor([100.0, 176 * 192.0])
    loss = objective.loss(x_hat, frame, bits)
    expected = bits / (176 * 192) + 3 * objective.error(x_hat, frame)
    torch.testing.assert_close(loss, expected)
    loss.sum().backward()
    assert bool(x_hat.grad.abs().amax((1, 2, 3)).gt(0).all())


def test_published_lambdas() -> None:
    assert published("mse", 4).weight == 0.0130
    assert published("ms-ssim", 8) == Objective("ms-ssim", 220.0)
    assert all(list(v) == sorted(v) and len(v) == 8 for v in LAMBDAS.values())


@pytest.mark.parametrize("quality", [0, 9, -1])
def test_qualities_outside(quality: int) -> None:
    with pytest.raises(OptionError, match="choose 1 to 8"):
        published("mse", quality)


@pytest.mark.parametrize(("name", "weight"), [("ssim", 1.0), ("mse", 0.0), ("mse", math.nan)])
def test_other_objectives_are_refused(name: str, weight: float) -> None:
    with pytest.raises(OptionError):
        Objective(name, weight)
    with pytest.raises(OptionError):
        published("ssim", 4)


def test_crops_too_small_for_ms_ssim() -> None:
    Objective("ms-ssim", 1.0).check_crop(161)
    Objective("mse", 1.0).check_crop(64)
    with pytest.raises(OptionError, match="161 pixels"):
        Objective("ms-ssim", 1.0).check_crop(160)


def test_a_base_and_then_what_is_wanted() -> None:
    base, wanted = published("mse", 4), published("ms-ssim", 4)
    recipe = base_then_tune(base, wanted)
    found = [recipe.objective(share) for share in (0.0, 0.49, 0.5, 1.0)]
    assert found == [base, base, wanted, wanted]
    recipe.check_crop(161)
    with pytest.raises(OptionError):
        recipe.check_crop(128)
