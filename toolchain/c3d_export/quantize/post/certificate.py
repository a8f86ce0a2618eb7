"""The certificate of integer layers: a bound of every partial sum, from the weights alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from ...core.errors import CertificateError
from .convert import Limits, part_sums
from .layer import IntegerLayer


@dataclass(frozen=True)
class SumCertificate:
    """largest_sum: bound of any partial sum, bias included, for inputs within their range; limit:
    what it must stay below. radix: in which the weights are split (1: they are not); of both parts
    the larger counts. largest_weight, largest_input: integers. Law: largest_sum < limit."""

    layer: str
    largest_sum: int
    limit: int
    radix: int
    largest_weight: int
    largest_input: int
    scale_min: float
    scale_max: float

    @property
    def holds(self) -> bool:
        finite = 0.0 < self.scale_min <= self.scale_max < float("inf")
        return self.largest_sum < self.limit and finite

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def certify(name: str, layer: IntegerLayer, limits: Limits) -> SumCertificate:
    """Raises CertificateError where the bound does not hold."""
    made = SumCertificate(
        name,
        int(part_sums(layer).max()),
        limits.total,
        layer.radix,
        max(int(taps.abs().max()) for taps, _ in layer.parts()),
        int(layer.source.magnitude.max()),
        float(layer.scale.min()),
        float(layer.scale.max()),
    )
    within = made.largest_weight <= limits.weight and made.largest_input <= limits.activation
    within = within and made.radix <= limits.radix
    if not (made.holds and within and bool(torch.isfinite(layer.negative).all())):
        raise CertificateError(
            f"layer {name} cannot be exact everywhere: sums up to {made.largest_sum}, weights up to"
            f" {made.largest_weight}, inputs up to {made.largest_input}; convert it again from the"
            " float network"
        )
    return made
