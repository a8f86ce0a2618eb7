"""The symbols that all coders are given: rounded Gaussians of 64 scales, most of them zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The scales of the field's Gaussian models, from nearly always zero to far beyond a byte.
SCALES: NDArray[np.float64] = np.exp(np.linspace(math.log(0.11), math.log(256.0), 64))
ZERO_SHARE = 0.78

# Sixteen standard deviations of the widest scale: no symbol lies beyond.
REACH = 4096

_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True)
class Sample:
    """What is coded: one symbol and one table index each, and the bits that no coder can beat.

    `symbols` is int16 (n,), `indexes` uint8 (n,) into SCALES, `ideal_bits` the sum of -log2 of
    the symbols' true probabilities.
    """

    symbols: NDArray[np.int16]
    indexes: NDArray[np.uint8]
    ideal_bits: float

    def overhead(self, payload: bytes) -> float:
        """Per cent that the payload is above the ideal code length."""
        return 100.0 * (8 * len(payload) / self.ideal_bits - 1.0)


def probabilities(scale: float, reach: int = REACH) -> NDArray[np.float64]:
    """Probabilities of the rounded Gaussian at -reach .. reach, (2 reach + 1,).

    Of both tails the upper one is computed and mirrored, where no digits cancel.
    """
    edges = (np.arange(reach + 2) - 0.5) / (scale * math.sqrt(2.0))
    above = 0.5 * _erfc(edges).astype(np.float64)
    half = above[:-1] - above[1:]
    return np.concatenate([half[:0:-1], half])


def geometric_weights() -> NDArray[np.float64]:
    """Weights of the scales, (64,), falling geometrically, that make ZERO_SHARE zeros."""
    zero = np.array([probabilities(scale, 0)[0] for scale in SCALES])
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.power(middle, np.arange(len(SCALES), dtype=np.float64))
        weights /= weights.sum()
        low, high = (middle, high) if float(weights @ zero) > ZERO_SHARE else (low, middle)
    return weights


def _ideal_bits(symbols: NDArray[np.int16], indexes: NDArray[np.uint8]) -> float:
    bits = 0.0
    for index, scale in enumerate(SCALES):
        of_scale = symbols[indexes == index].astype(np.int64)
        bits -= float(np.log2(probabilities(float(scale))[of_scale + REACH]).sum())
    return bits


def draw(n: int, seed: int = 1) -> Sample:
    """n symbols, the same for the same seed."""
    random = np.random.default_rng(seed)
    indexes = random.choice(len(SCALES), n, p=geometric_weights()).astype(np.uint8)
    symbols = np.rint(random.standard_normal(n) * SCALES[indexes]).astype(np.int16)
    return Sample(symbols, indexes, _ideal_bits(symbols, indexes))


def first(sample: Sample, n: int) -> Sample:
    """The first n symbols."""
    symbols, indexes = sample.symbols[:n].copy(), sample.indexes[:n].copy()
    return Sample(symbols, indexes, _ideal_bits(symbols, indexes))
