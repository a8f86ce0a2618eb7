"""Tables of rounded latents whose mean lies between whole numbers: what coding by them costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.models.entropy import TABLES
from c3d_export.quantize.post.c2f_tables import BINS, gaussian, predicted_tables, top_tables
from c3d_export.quantize.tables import COUNT_RADIUS, TableBank, count_symbols, table_scale
from c3d_export.runtime.c2f.prior import MOST_TABLES, Prior

WIDTH = 2 * COUNT_RADIUS + 1
SYMBOLS = np.arange(-COUNT_RADIUS, COUNT_RADIUS + 1)
FRACTION = 6


@pytest.fixture(scope="module")
def bank() -> TableBank:
    return predicted_tables()


@pytest.fixture(scope="module")
def prior() -> Prior:
    return Prior(np.array(BINS, np.uint8), FRACTION)


def likelihoods(mean: float, scale: float) -> NDArray[np.float64]:
    """Of all whole numbers from -COUNT_RADIUS on, by the normal distribution of the library."""
    edges = (np.arange(-COUNT_RADIUS, COUNT_RADIUS + 2) - 0.5 - mean) / (scale * math.sqrt(2.0))
    below = np.array([math.erfc(-edge) for edge in edges]) / 2
    above = np.array([math.erfc(edge) for edge in edges]) / 2
    made: NDArray[np.float64] = np.where(edges[:-1] > 0, above[:-1] - above[1:], np.diff(below))
    return made


def nearest_table(scale: float) -> int:
    scales = np.array([table_scale(index) for index in range(TABLES)])
    return int(np.abs(np.log(scales / scale)).argmin())


def expected_costs(bank: TableBank, prior: Prior, mean: float, scale: float) -> tuple[float, float]:
    """Bits a latent of N(mean, scale), coded as the codec does, and by its own likelihoods."""
    index = np.array([nearest_table(scale)], np.uint8)
    table, centre, sign = prior.tables(index, np.array([round(mean * 2**FRACTION)], np.int16))
    chances = likelihoods(mean, scale)
    seen = chances > 0
    symbols = ((SYMBOLS[seen] - int(centre[0])) * int(sign[0])).clip(-COUNT_RADIUS, COUNT_RADIUS)
    coded = float(chances[seen] @ bank.bits[int(table[0]), symbols + COUNT_RADIUS])
    return coded, float(-chances[seen] @ np.log2(chances[seen]))


def test_a_byte_names_every_table(bank: TableBank) -> None:
    assert len(BINS) == TABLES
    assert min(BINS) >= 1
    assert sum(BINS) == MOST_TABLES == len(bank.shapes)
    assert list(BINS) == sorted(BINS, reverse=True), "the smaller the scale, the more it has"
    assert _arith.Tables(bank.frequencies, bank.shapes).count == MOST_TABLES


@pytest.mark.parametrize("index", range(0, TABLES, 9))
@pytest.mark.parametrize("mean", [0.0, 0.013, 0.25, 0.5, -0.4])
def test_masses_are_a_gaussian(index: int, mean: float) -> None:
    scale = table_scale(index)
    masses = gaussian(mean, scale)
    assert masses.sum() == pytest.approx(1, abs=1e-12)
    assert masses @ SYMBOLS == pytest.approx(_mean_of_rounded(mean, scale), abs=1e-6)
    inside = slice(1, -1)
    np.testing.assert_allclose(masses[inside], likelihoods(mean, scale)[inside], atol=1e-12)


@pytest.mark.parametrize("scale", [300.0, 3000.0])
def test_what_is_beyond_the_masses_counts_as_the_outermost(scale: float) -> None:
    masses = gaussian(0.3, scale)
    assert masses.sum() == pytest.approx(1, abs=1e-12)
    beyond = 0.5 * math.erfc((COUNT_RADIUS - 0.5 - 0.3) / (scale * math.sqrt(2.0)))
    assert masses[-1] == pytest.approx(beyond)
    assert masses[-1] > masses[0] > masses[1]


def _mean_of_rounded(mean: float, scale: float) -> float:
    """Of round(N(mean, scale)): the sawtooth's Fourier series, damped by the Gaussian.

    Widrow, Kollar: Quantization Noise, 2008, chapter 4.
    """
    waves = (
        (-1) ** k / (math.pi * k) * math.sin(2 * math.pi * k * mean)
        * math.exp(-2 * (math.pi * k * scale) ** 2)
        for k in range(1, 60)
    )  # fmt: skip
    return mean + sum(waves)


@pytest.mark.parametrize("scale", np.geomspace(0.118, 160, 23).tolist())
def test_coding_costs_what_the_likelihoods_say(scale: float, bank: TableBank, prior: Prior) -> None:
    """The exact expectation, for scales between tables and means between their bits."""
    means = np.linspace(-3.2, 3.3, 28)
    costs = np.array([expected_costs(bank, prior, float(mean), scale) for mean in means])
    coded, ideal = costs.T
    assert (coded >= ideal - 1e-6).all(), "no code is shorter than the entropy"
    assert coded.mean() <= 1.01 * ideal.mean() + 0.002
    assert (coded <= 1.01 * ideal + 0.01).all()


def test_a_stream_costs_what_the_tables_say(bank: TableBank, prior: Prior) -> None:
    """Symbols drawn from Gaussians of all scales: bytes of the coder against the likelihoods."""
    rng = np.random.default_rng(5)
    n = 60_000
    scales = np.exp(rng.uniform(np.log(0.12), np.log(40), n))
    means = rng.normal(0, 4, n)
    z = np.rint(rng.normal(means, scales)).astype(np.int16)
    step = math.log(table_scale(1) / table_scale(0))
    index = np.rint(np.log(scales / table_scale(0)) / step).clip(0, TABLES - 1).astype(np.uint8)
    table, centre, sign = prior.tables(index, np.rint(means * 2**FRACTION).astype(np.int16))
    tables = _arith.Tables(bank.frequencies, bank.shapes)
    data = _arith.encode([(tables, ((z - centre) * sign).astype(np.int16), table)])
    root = scales * math.sqrt(2.0)
    ends = (np.abs(z - means) - 0.5) / root, (np.abs(z - means) + 0.5) / root
    chances = [0.5 * (math.erfc(a) - math.erfc(b)) for a, b in zip(*ends, strict=True)]
    ideal = -np.log2(np.maximum(chances, 1e-300)).sum()
    assert 8 * len(data) == pytest.approx(ideal, rel=0.01)


def test_counts_make_cheaper_what_was_counted(bank: TableBank) -> None:
    """Symbols of one table, all shifted by one; the other tables stay as they were."""
    rng = np.random.default_rng(2)
    table = 3
    symbols = np.rint(rng.normal(1.2, 0.4, 4000)).astype(np.int16)
    counts = np.zeros((MOST_TABLES, WIDTH), np.int64)
    count_symbols(counts, symbols, np.full(len(symbols), table, np.uint8))
    fitted = predicted_tables(counts)
    before, after = (counts[table] @ b.bits[table] / len(symbols) for b in (bank, fitted))
    share = counts[table][counts[table] > 0] / len(symbols)
    entropy = -(share * np.log2(share)).sum()
    assert after < before / 4
    assert entropy <= after < 1.15 * entropy, "what the Gaussian's weight of 400 symbols costs"
    others = [i for i in range(MOST_TABLES) if i != table]
    assert np.array_equal(fitted.bits[others], bank.bits[others])


def test_tables_of_the_coarsest_latents_have_their_scales() -> None:
    scales = np.array([1e-6, 0.2, 3.0, 50.0, 200.0])
    bank = top_tables(scales)
    for bits, scale in zip(bank.bits, scales, strict=True):
        chances = likelihoods(0.0, float(scale))
        seen = chances > 0
        ideal = -chances[seen] @ np.log2(chances[seen])
        assert chances @ bits <= 1.005 * ideal + 0.002
    counts = np.zeros((5, WIDTH), np.int64)
    counts[2, COUNT_RADIUS - 4] = 10_000
    fitted = top_tables(scales, counts)
    assert fitted.bits[2, COUNT_RADIUS - 4] < 0.1 < 3 < bank.bits[2, COUNT_RADIUS - 4]
    assert np.array_equal(fitted.bits[[0, 1, 3, 4]], bank.bits[[0, 1, 3, 4]])
