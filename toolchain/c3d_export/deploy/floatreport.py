"""What a comparison of a bundle with float transforms with PyTorch says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BitMismatchError, CertificateError
from ..quantize.post.certificate import SumCertificate
from ..runtime.bundle import Bundle


@dataclass(frozen=True)
class IntegerRow:
    """Values compared in one way with PyTorch's integers, and how many of them differ.

    part: the graph, or what it is about. subject: the frame.
    """

    part: str
    subject: str
    way: str
    compared: int
    differing: int


@dataclass(frozen=True)
class FloatRow:
    """Largest and root-mean-square difference from PyTorch, of `what` in its own unit."""

    subject: str
    what: str
    largest: float
    rms: float
    differing_percent: float


@dataclass(frozen=True)
class PsnrRow:
    """dB against the frame itself: of the picture by float synthesis, and by the integer one."""

    subject: str
    floating: float
    integer: float


@dataclass
class ExactnessReport:
    """certificates: layers whose proof was computed again from the bundle's own weights."""

    certificates: int
    integers: list[IntegerRow] = field(default_factory=list)
    floats: list[FloatRow] = field(default_factory=list)
    psnr: list[PsnrRow] = field(default_factory=list)

    @property
    def differing(self) -> int:
        return sum(row.differing for row in self.integers)

    def require_exact(self) -> None:
        """Raises BitMismatchError where one integer differs."""
        if self.differing:
            worst = next(row for row in self.integers if row.differing)
            raise BitMismatchError(
                f"{self.differing} integers differ, first {worst.part} of {worst.subject}"
                f" ({worst.way}); the bundle"
                " does not decode alike everywhere"
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def integer_row(
    part: str, subject: str, way: str, got: NDArray[Any], wanted: NDArray[Any]
) -> IntegerRow:
    """How many of `got` are not what is wanted; all, where even the shape is another."""
    differing = got.size if got.shape != wanted.shape else int((got != wanted).sum())
    return IntegerRow(part, subject, way, got.size, differing)


def float_row(subject: str, what: str, a: NDArray[Any], b: NDArray[Any]) -> FloatRow:
    """How far apart two arrays of one shape are."""
    off = np.abs(a.astype(np.float64) - b)
    rms = float(np.sqrt(np.mean(off**2)))
    return FloatRow(subject, what, float(off.max()), rms, float(100 * np.mean(off > 0)))


def psnr(picture: NDArray[Any], frame: NDArray[Any]) -> float:
    """dB; both (H, W, 3), 0..255."""
    error = np.mean((picture.astype(np.float64) - frame) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-12)))


def check_certificates(bundle: Bundle, found: Sequence[SumCertificate]) -> int:
    """How many there are; raises CertificateError where they are not those of the manifest."""
    if [layer.to_json() for layer in found] != bundle.manifest.get("certificates"):
        raise CertificateError(
            "the certificates in the manifest are not those of the bundle's weights; get the"
            " bundle again from its maker"
        )
    return len(found)
