"""The certificate of exactness: bounds that hold for every input, from the weights alone.

A layer is exact in float32 when every partial sum is an integer below 2^24, whatever the order
of summation, and exact on CPUs that add pairs of 8-bit products in 16 bits (AVX2 without VNNI)
when no pair can exceed 32767.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import CertificateError
from ..models.network import Codec
from ..quantize.freeze import ExactConv2d

SUM_LIMIT = 1 << 24
PAIR_LIMIT = 32767
ACTIVATION_MAX = 255
DIGEST_DIGITS = 16


@dataclass(frozen=True)
class LayerCertificate:
    """largest_sum: bound of any partial sum, bias included. largest_pair: of two products of a
    byte. scale_min, scale_max: of the requantisation factors. weights: what was certified, the
    start of a SHA-256 of weight, bias and scale, since another network may have these bounds."""

    layer: str
    largest_sum: int
    largest_pair: int
    scale_min: float
    scale_max: float
    weights: str

    @property
    def holds(self) -> bool:
        finite = 0.0 < self.scale_min <= self.scale_max < float("inf")
        return self.largest_sum < SUM_LIMIT and self.largest_pair <= PAIR_LIMIT and finite

    def to_json(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "largest_sum": self.largest_sum,
            "largest_pair": self.largest_pair,
            "scale_min": self.scale_min,
            "scale_max": self.scale_max,
            "weights": self.weights,
        }


def weights_digest(*parts: NDArray[Any]) -> str:
    """Of arrays in this order, 16 hexadecimal digits; types and bytes count, shapes do not."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.dtype.str.encode())
        sha.update(np.ascontiguousarray(part).tobytes())
    return sha.hexdigest()[:DIGEST_DIGITS]


def certify_layer(name: str, conv: ExactConv2d) -> LayerCertificate:
    """Bounds for activations of 0..255 (signed ones are covered: their magnitude is smaller)."""
    weight = conv.weight.to(torch.int64).abs()
    sums = weight.sum((1, 2, 3)) * ACTIVATION_MAX
    if conv.rounding:
        sums = sums + conv.bias.to(torch.int64).abs()
    return LayerCertificate(
        name,
        int(sums.max()),
        int(weight.max()) * ACTIVATION_MAX * 2,
        float(conv.scale.min()),
        float(conv.scale.max()),
        weights_digest(conv.weight.numpy(), conv.bias.numpy(), conv.scale.numpy()),
    )


def certify(frozen: Codec) -> list[LayerCertificate]:
    """One certificate per layer; raises CertificateError where a bound does not hold."""
    layers = [
        certify_layer(name, module)
        for name, module in frozen.named_modules()
        if isinstance(module, ExactConv2d)
    ]
    for layer in layers:
        if not layer.holds:
            raise CertificateError(
                f"layer {layer.layer} cannot be exact everywhere: sums up to"
                f" {layer.largest_sum}, pairs up to {layer.largest_pair}; tune it further with"
                " c3d-export finetune, or lower its weights"
            )
    return layers
