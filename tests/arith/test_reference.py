"""The C library and the plain Python text agree on random streams and on changed ones."""

import numpy as np
import pytest

from c3d_export import _arith

from . import banks, golden_streams, reference
from .banks import KERNELS, LANES
from .reference import CorruptPayloadError, Part, Table


def random_part(rng: np.random.Generator, n: int, escapes: float = 0.1) -> Part:
    """Return a part of some tables of any shape, with means or without."""
    bank = banks.random_bank(rng, int(rng.integers(1, 5)))
    values, indexes = banks.random_values(rng, bank, n, escapes)
    if rng.random() < 0.5:
        return Part(bank, indexes.tolist(), values.tolist())
    means = banks.random_means(rng, n)
    return Part(bank, indexes.tolist(), (values + means).tolist(), means.tolist())


def verdict(parts: list[Part], payload: bytes) -> tuple[int, list[int]]:
    """Return the status and the values of the reference."""
    try:
        decoder = reference.Decoder(payload)
        values = [v for part in parts for v in decoder.part(part)]
        decoder.finish()
    except CorruptPayloadError as error:
        return int(getattr(_arith, f"ERR_{error}")), []
    return _arith.OK, values


def assert_same_verdict(parts: list[Part], payload: bytes) -> int:
    """Hold every kernel to the reference; return the status."""
    status, values = verdict(parts, payload)
    for kernel in KERNELS:
        compiled = golden_streams.compile_parts(parts, kernel)
        assert golden_streams.decode(compiled, payload)[:2] == (status, values)
    return status


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("seed", range(6))
def test_same_payload_and_values(lanes: int, seed: int) -> None:
    rng = np.random.default_rng([seed, lanes])
    sizes = rng.integers(0, [1, 3, 90, 300][: int(rng.integers(1, 5))], endpoint=True)
    parts = [random_part(rng, int(n)) for n in sizes]
    payload = reference.encode(parts, lanes)
    for kernel in KERNELS:
        assert golden_streams.encode(parts, lanes, kernel) == payload
    assert assert_same_verdict(parts, payload) == _arith.OK
    assert verdict(parts, payload)[1] == [v for part in parts for v in part.values]


@pytest.mark.parametrize("fold", range(6))
@pytest.mark.parametrize("bits", range(11, 17))
def test_every_bits_and_fold(bits: int, fold: int) -> None:
    """Each group of a table has its first and its last value coded, and so have the ends."""
    rng = np.random.default_rng([bits, fold])
    table = banks.random_table(rng, bits, fold)
    groups = range(-table.below - 1, len(table.frequencies) - 1 - table.below)
    ranks = [g << fold for g in groups] + [(g + 1 << fold) - 1 for g in groups]
    values = [u + (u >= 0) for u in ranks] + [0, 32767, -32768, 0]
    values = values[-(120 - 8 * fold) :]
    parts = [Part([table], [0] * len(values), values)]
    payload = reference.encode(parts, 16)
    assert all(golden_streams.encode(parts, 16, kernel) == payload for kernel in KERNELS)
    assert verdict(parts, payload) == (_arith.OK, values)
    assert assert_same_verdict(parts, payload) == _arith.OK


@pytest.mark.parametrize("n", [10, 1023, 1024, 9000])
def test_lanes_that_the_library_chooses(n: int) -> None:
    part = Part([banks.FLAT], [0] * n, [[0, 1, -1, 0, 0, 7, 0][i % 7] for i in range(n)])
    payload = golden_streams.encode([part], 0)
    assert reference.encode([part], 1 << payload[0]) == payload
    assert verdict([part], payload) == (_arith.OK, part.values)


def change(rng: np.random.Generator, payload: bytes) -> bytes:
    """Damage a payload: a bit, a byte, the end, two words, or some more bytes."""
    changed = bytearray(payload)
    at = int(rng.integers(len(payload)))
    match int(rng.integers(6)):
        case 0 | 1:
            changed[at] ^= 1 << int(rng.integers(8))
        case 2:
            changed[at] = int(rng.integers(256))
        case 3:
            del changed[at:]
        case 4:
            changed[at : at + 2], changed[-2:] = changed[-2:], changed[at : at + 2]
        case 5:
            changed += rng.bytes(int(rng.integers(1, 4)))
    return bytes(changed)


@pytest.mark.parametrize("lanes", LANES)
def test_same_verdict_on_changed_payloads(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    seen = set()
    for _ in range(8):
        parts = [random_part(rng, int(n)) for n in rng.integers(1, 40 + 2 * lanes, 2)]
        payload = reference.encode(parts, lanes)
        for _ in range(25):
            seen.add(assert_same_verdict(parts, change(rng, payload)))
    assert {_arith.OK, _arith.ERR_TRUNCATED, _arith.ERR_TRAILING, _arith.ERR_STATE} <= seen
    assert _arith.ERR_ESCAPE in seen


def test_same_verdict_on_random_bytes() -> None:
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(300):
        parts = [random_part(rng, int(rng.integers(0, 60)))]
        rest = rng.choice([0, 1, 170, 255], int(rng.integers(0, 300))).astype(np.uint8)
        seen.add(assert_same_verdict(parts, bytes([int(rng.integers(0, 8)), *rest])))
    assert {_arith.ERR_LANES, _arith.ERR_TRUNCATED, _arith.ERR_STATE} <= seen


def test_same_verdict_on_parts_of_other_sizes() -> None:
    rng = np.random.default_rng(6)
    for n, m in [(20, 19), (20, 21), (16, 32), (1, 0), (0, 1), (300, 2)]:
        part = random_part(rng, max(n, m))
        known = Part(part.bank, part.indexes[:n], part.values[:n])
        payload = reference.encode([known], 8)
        asked = Part(part.bank, part.indexes[:m])
        assert assert_same_verdict([asked], payload) != _arith.OK


def test_same_verdict_on_an_index_without_a_table() -> None:
    part = Part([banks.FLAT], [0, 1], [0, 0])
    payload = reference.encode([part._replace(indexes=[0, 0])], 1)
    assert assert_same_verdict([part], payload) == _arith.ERR_INDEX


def test_truncation_comes_before_a_wrong_escape() -> None:
    """However far apart they are, and though the library checks long parts in pieces."""
    n = 5000
    narrow = Table(11, 0, 0, (1020, 512, 516))
    values = [(0, 1, -1, 7)[i % 4] for i in range(n)]
    payload = bytearray(reference.encode([Part([narrow], [0] * n, values)], 1))
    parts = [Part([narrow], [0] * n)]
    at = payload.index((7).to_bytes(2, "little"), 5)
    payload[at : at + 2] = (1).to_bytes(2, "little")
    assert assert_same_verdict(parts, bytes(payload)) == _arith.ERR_ESCAPE
    assert assert_same_verdict(parts, bytes(payload[:-2])) == _arith.ERR_TRUNCATED


@pytest.mark.parametrize(("bits", "units"), [(16, 2047), (16, 600), (13, 2047), (11, 1), (11, 300)])
def test_long_runs_of_the_likeliest_value_decode(bits: int, units: int) -> None:
    """What a frequency says of a value's cost holds on average only: zeros can cost less."""
    n = 60000
    bank = banks.compile_bank([Table(bits, 0, 0, ((1 << bits) - units, units))])
    zeros, indexes = np.zeros(n, np.int16), np.zeros(n, np.uint8)
    for lanes in (0, 1, 8):
        payload = banks.encode(bank, zeros, indexes, lanes=lanes)
        assert not banks.decode(bank, payload, indexes).any()
