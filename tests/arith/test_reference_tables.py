"""The table builder of the C library gives what the specification's steps give."""

from collections.abc import Sequence

import numpy as np
import pytest

from c3d_export import _arith

from . import reference_tables

MOST = 2**32 - 1


def library(weights: Sequence[int], fold: int, below: int = 0) -> tuple[int, list[int]]:
    """Return the bits and the frequencies of the C library."""
    out = np.zeros(len(weights), np.uint32)
    above = len(weights) - 2 - below
    bits = _arith.build_table(np.array(weights, np.uint32), fold, below, above, out)
    return bits, out.tolist()


def assert_same(weights: Sequence[int], fold: int, below: int = 0) -> None:
    """Hold the library to the reference, and both to the rules of a bank."""
    bits, frequencies = library(weights, fold, below)
    assert (bits, frequencies) == reference_tables.build(weights, fold)
    assert min(frequencies) >= 1
    assert sum(frequencies[1:]) <= _arith.MAX_UNITS
    assert frequencies[0] + (sum(frequencies[1:]) << fold) == 1 << bits


def random_weights(rng: np.random.Generator, n: int) -> list[int]:
    """Return weights from flat to very peaked, with zeros, equals and the highest among them."""
    weights = rng.random(n) ** rng.integers(1, 40)
    whole = np.floor(weights / weights.max() * float(rng.choice([1, 7, 300, 1e6, MOST])))
    whole[rng.random(n) < rng.choice([0, 0.3])] = float(rng.choice([0, 1, MOST]))
    if rng.random() < 0.5:
        whole[0] = float(rng.choice([0, whole.sum() * 5, MOST]))
    result = [int(min(w, MOST)) for w in whole]
    return result if any(result) else [1, *result[1:]]


@pytest.mark.parametrize("fold", range(6))
def test_same_tables_for_small_shapes(fold: int) -> None:
    rng = np.random.default_rng(fold)
    for _ in range(500):
        n = int(rng.integers(2, 14))
        assert_same(random_weights(rng, n), fold, below=int(rng.integers(0, n - 1)))


@pytest.mark.parametrize("fold", [0, 3])
def test_same_tables_for_wide_shapes(fold: int) -> None:
    rng = np.random.default_rng(fold)
    for _ in range(25):
        n = int(rng.integers(300, 1025))
        assert_same(random_weights(rng, n), fold, below=min(511, n - 2))


@pytest.mark.parametrize("fold", [0, 1, 5])
@pytest.mark.parametrize(
    "weights",
    [
        [MOST, 0],
        [0, MOST],
        [0, 1],
        [1, 0],
        [MOST, 1],
        [1, MOST],
        [MOST, MOST],
        [MOST] * 1024,
        [1] * 1024,
        [0] * 1023 + [1],
        [1] + [0] * 1023,
        [0] * 511 + [MOST] + [0] * 512,
        [MOST] + [1] * 1023,
        [1] + [MOST] * 1023,
        [0, *range(1023)],
    ],
    ids=lambda weights: f"{weights[0]}-{weights[1]}-{weights[-1]}-of-{len(weights)}",
)
def test_same_tables_for_extreme_weights(weights: list[int], fold: int) -> None:
    assert_same(weights, fold, below=min(511, len(weights) - 2))


@pytest.mark.parametrize("position", [0, 1, 6, 12, 13])
@pytest.mark.parametrize("weight", [1, 2047, MOST])
def test_one_weight_alone_takes_all_that_the_others_leave(position: int, weight: int) -> None:
    weights = [0] * 14
    weights[position] = weight
    bits, frequencies = library(weights, 0, below=6)
    others = [f for i, f in enumerate(frequencies) if i != position]
    assert others == [1] * 13
    assert bits == (16 if position == 0 else 11)


def test_table_by_hand() -> None:
    """The shares 1024, 1024, 1, 1, 1 are three too many; of equals the first gives first."""
    bits, frequencies = library([5, 5, 0, 0, 0], 1, below=1)
    assert (bits, frequencies) == (12, [1022 << 1, 1023, 1, 1, 1])


def test_the_first_of_equal_claims_is_served_first() -> None:
    """2^11 is 2 more than three times 682."""
    bits, frequencies = library([7, 7, 7], 2, below=0)
    assert (bits, frequencies) == (13, [683 << 2, 683, 682])


@pytest.mark.parametrize(("zero", "bits"), [(2**20, 16), (2**19, 15), (2**15 + 1000, 12), (3, 11)])
def test_bits_are_as_many_as_the_units_allow(zero: int, bits: int) -> None:
    found, frequencies = library([zero, 2**14, 2**14], 0)
    assert found == bits
    more = reference_tables.apportion([zero, 2**14, 2**14], 1 << min(16, bits + 1))
    assert bits == 16 or sum(more[1:]) > _arith.MAX_UNITS
    assert sum(frequencies) == 1 << bits


@pytest.mark.parametrize(
    ("weights", "fold", "below", "status"),
    [
        ([0, 0, 0], 0, 1, _arith.ERR_TABLES_ZERO),
        ([1, 1, 1], 6, 1, _arith.ERR_TABLES_RANGE),
        ([1] * 514, 0, 512, _arith.ERR_TABLES_SIZE),
        ([0] * 514, 6, 512, _arith.ERR_TABLES_RANGE),
        ([0] * 514, 0, 512, _arith.ERR_TABLES_SIZE),
    ],
)
def test_wrong_shapes_are_refused(weights: list[int], fold: int, below: int, status: int) -> None:
    with pytest.raises(_arith.ArithError) as error:
        library(weights, fold, below)
    assert error.value.status == status
