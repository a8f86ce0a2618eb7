"""Scales and likelihoods against `math`."""

from __future__ import annotations

import math

import pytest
import torch

from c3d_export.models.entropy import (
    LIKELIHOOD_FLOOR,
    SCALE_MIN,
    TABLES,
    fine_of,
    gaussian_bits,
    scale_of,
)
from c3d_export.quantize.tables import table_scale

SCALES = (SCALE_MIN, 0.3, 1.0, 4.0, 30.0)


def _bits(symbol: int, scale: float) -> float:
    def below(x: float) -> float:
        return 0.5 * math.erfc(-x / (scale * math.sqrt(2.0)))

    return -math.log2(max(below(0.5 - abs(symbol)) - below(-0.5 - abs(symbol)), LIKELIHOOD_FLOOR))


@pytest.mark.parametrize("scale", SCALES)
def test_bits_are_those_of_the_integrated_gaussian(scale: float) -> None:
    radius = math.ceil(3 * scale)
    symbols = list(range(-radius, radius + 1))
    got = gaussian_bits(torch.tensor(symbols, dtype=torch.float64), torch.tensor(scale))
    wanted = [_bits(symbol, scale) for symbol in symbols]
    assert got.tolist() == pytest.approx(wanted, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_likelihoods_sum_to_one(scale: float) -> None:
    symbols = torch.arange(-300, 301, dtype=torch.float64)
    total = (2.0 ** -gaussian_bits(symbols, torch.tensor(scale))).sum()
    # The floor adds its own value at each symbol of the far tails.
    assert 1.0 - 1e-9 <= float(total) <= 1.0 + 601 * LIKELIHOOD_FLOOR


def test_both_signs_cost_the_same() -> None:
    symbols = torch.linspace(0, 60, 121)
    for scale in SCALES:
        sized = torch.tensor(scale)
        assert torch.equal(gaussian_bits(symbols, sized), gaussian_bits(-symbols, sized))


def test_a_symbol_costs_at_most_its_escape_and_stays_finite_in_float32() -> None:
    bits = gaussian_bits(torch.tensor([0.0, 3.0, 1e4, -3e4]), torch.tensor(SCALE_MIN))
    assert bits.isfinite().all()
    assert float(bits.max()) == 24.0
    assert float(bits.min()) >= 0.0


def test_rarer_symbols_cost_more() -> None:
    bits = gaussian_bits(torch.arange(0.0, 12.0, dtype=torch.float64), torch.tensor(4.0))
    assert (bits.diff() > 0).all()


def test_fine_indexes_and_scales_are_inverse() -> None:
    fine = torch.arange(0, 256, dtype=torch.float64)
    assert torch.allclose(fine_of(scale_of(fine)), fine, atol=1e-9)
    assert float(scale_of(torch.tensor(0.0))) == pytest.approx(SCALE_MIN)
    assert float(scale_of(torch.tensor(24.0))) == pytest.approx(2 * SCALE_MIN)


def test_tables_have_the_scale_in_the_middle_of_their_fine_indexes() -> None:
    for index in range(TABLES):
        middle = scale_of(torch.tensor(4 * index + 1.5, dtype=torch.float64))
        assert table_scale(index) == pytest.approx(float(middle))
