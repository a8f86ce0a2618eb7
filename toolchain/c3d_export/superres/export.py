"""A trained RCAN to a bundle: the graph, compared with PyTorch, and what the network is worth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.errors import ValidationError
from ..runtime.images import Frame
from ..runtime.providers import import_runtime, open_session
from .bundle import build_bundle, parse_bundle
from .graph import build_graph
from .network import Rcan
from .pairs import Pair, to_planes
from .rcan import RcanUpscaler
from .upscalers import FIXED, Upscaler

TOLERANCE = 1e-4
"""Of frames in 0..1: what sums of floats in another order come to, and no more."""


class Gain(NamedTuple):
    """Mean PSNR in dB of RGB over `frames` validation pictures, by up-scaler."""

    frames: int
    psnr: dict[str, float]


def export_rcan(
    name: str, network: Rcan, *, licence: str, training: Mapping[str, Any], low: Frame
) -> bytes:
    """The bundle of a network, compared with PyTorch on `low`, uint8 (h, w, 3).

    Raises ValidationError where ONNX Runtime computes something else.
    """
    difference = largest_difference(network, low)
    if not difference <= TOLERANCE:
        raise ValidationError(
            f"the graph of {name} differs from PyTorch by {difference:.1e} of white, more than"
            f" {TOLERANCE:.0e}; update onnxruntime, and report it"
        )
    graph = build_graph(network).SerializeToString()
    return build_bundle(name, network.spec, graph, licence=licence, training=training)


def largest_difference(network: Rcan, low: Frame) -> float:
    """Between ONNX Runtime and PyTorch, in frames of 0..1, on `low` cut to even sides."""
    even = low[: low.shape[0] // 2 * 2, : low.shape[1] // 2 * 2]
    model = build_graph(network, rounded=False).SerializeToString()
    session = open_session(import_runtime(), model, "cpu", threads=1)
    (levels,) = session.run(["high"], {"low": even[np.newaxis]})
    with torch.no_grad():
        wanted = network.eval()(to_planes(even[np.newaxis])).permute(0, 2, 3, 1).numpy()
    return float(np.abs(levels / 255.0 - wanted).max())


def measure_gain(bundle: bytes, pairs: Iterable[Pair]) -> Gain:
    """The network against the kernels, on whole frames and their first low resolution."""
    rcan = RcanUpscaler(parse_bundle(bundle), threads=1)
    methods: tuple[Upscaler, ...] = (FIXED["bicubic"], FIXED["lanczos"], rcan)
    factor = rcan.bundle.spec.factor
    scores: dict[str, list[float]] = {method.name: [] for method in methods}
    for pair in pairs:
        for method in methods:
            shape = pair.high.shape[0], pair.high.shape[1]
            scores[method.name].append(_psnr(pair.high, method(pair.lows[0], shape, factor)))
    frames = len(scores[rcan.name])
    means = {name: statistics.fmean(s) if s else math.nan for name, s in scores.items()}
    return Gain(frames, means)


def _psnr(frame: Frame, other: Frame) -> float:
    error = float(np.mean((frame.astype(np.float32) - other.astype(np.float32)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf
