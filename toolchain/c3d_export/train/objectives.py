"""What trainings of the published families minimise: rate + lambda * distortion.

One unit for all: the mean squared error counts in squared grey levels of 0..255 (lambda * 255^2
times the error of frames in 0..1, as CompressAI writes it); MS-SSIM as 1 - MS-SSIM.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from ..core.errors import LibraryMissingError, OptionError

DISTORTIONS: Final = ("mse", "ms-ssim")
MS_SSIM_MIN_SIDE: Final = 161
"""Five scales halve a side four times, and the last must still hold the window of 11 pixels."""

LAMBDAS: Final = {
    "mse": (0.0018, 0.0035, 0.0067, 0.0130, 0.0250, 0.0483, 0.0932, 0.1800),
    "ms-ssim": (2.40, 4.58, 8.73, 16.64, 31.73, 60.50, 115.37, 220.00),
}
"""By distortion: those of CompressAI's qualities 1 to 8. The synthetic-image study has 4, 6 and 8
of them."""


@dataclass(frozen=True)
class Objective:
    """distortion: one of DISTORTIONS. weight: lambda, positive, in the units above.

    Raises OptionError on other values.
    """

    distortion: str
    weight: float

    def __post_init__(self) -> None:
        if self.distortion not in DISTORTIONS:
            raise OptionError(
                f"no distortion {self.distortion!r}; choose {' or '.join(DISTORTIONS)}"
            )
        if not 0 < self.weight < float("inf"):
            raise OptionError(f"lambda {self.weight} must be a positive number")

    def check_crop(self, side: int) -> None:
        """Raises OptionError for crops too small for this distortion."""
        if self.distortion == "ms-ssim" and side < MS_SSIM_MIN_SIDE:
            raise OptionError(
                f"MS-SSIM needs crops of {MS_SSIM_MIN_SIDE} pixels a side or more, not {side}"
            )

    def loss(self, x_hat: Tensor, frame: Tensor, bits: Tensor) -> Tensor:
        """(B,): bits per pixel + lambda * distortion; frames (B, 3, H, W), 0..255; bits (B,)."""
        bpp = bits / (frame.shape[2] * frame.shape[3])
        return bpp + self.weight * self.error(x_hat, frame)

    def error(self, x_hat: Tensor, frame: Tensor) -> Tensor:
        """(B,) distortion of frames (B, 3, H, W), 0..255; x_hat unclipped, so that gradients stay.

        MS-SSIM: on RGB, the mean of the three channels, as `evaluate.metrics` has it.
        """
        if self.distortion == "mse":
            return (x_hat - frame).square().mean((1, 2, 3))
        return 1.0 - _ms_ssim(x_hat, frame)


def published(distortion: str, quality: int) -> Objective:
    """CompressAI's objective of a quality 1..8. Raises OptionError outside."""
    lambdas = LAMBDAS.get(distortion, LAMBDAS["mse"])
    if not 1 <= quality <= len(lambdas):
        raise OptionError(f"no quality {quality}; choose 1 to {len(lambdas)}")
    return Objective(distortion, lambdas[quality - 1])


@dataclass(frozen=True)
class Recipe:
    """A training in parts: each a share of the steps (they add up to 1) and what it minimises."""

    parts: tuple[tuple[float, Objective], ...]

    def objective(self, share: float) -> Objective:
        """What is minimised after this share of the steps, 0..1."""
        passed = 0.0
        for part, objective in self.parts:
            passed += part
            if share < passed:
                return objective
        return self.parts[-1][1]

    def check_crop(self, side: int) -> None:
        """Raises OptionError for crops too small for one of the parts."""
        for _, objective in self.parts:
            objective.check_crop(side)


def base_then_tune(base: Objective, wanted: Objective) -> Recipe:
    """The synthetic-image study: a base by squared error, then tuning to what is wanted.

    There with Adam at 1e-4, gradients clipped to 1, crops of 512. How the steps were shared is not
    published; here it is half and half.
    """
    return Recipe(((0.5, base), (0.5, wanted)))


def _ms_ssim(x_hat: Tensor, frame: Tensor) -> Tensor:
    try:
        library = importlib.import_module("pytorch_msssim")
    except ImportError as error:
        raise LibraryMissingError(
            f"MS-SSIM needs pytorch-msssim: {error}; pip install 'c3d-export[train]'"
        ) from error
    # Outside of autocast: variances are small differences of large sums.
    value: Tensor = library.ms_ssim(
        x_hat.float(), frame.float(), data_range=255, size_average=False
    )
    return value
