"""Changed payloads end in an error or in other symbols, always soon and inside the buffers."""

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .reference import Table


def stream(
    seed: int, n: int, escapes: float = 0.02
) -> tuple[_arith.Tables, banks.Symbols, banks.Indexes, bytes]:
    rng = np.random.default_rng(seed)
    tables = [banks.gaussian_table(scale) for scale in (0.3, 1.0, 9.0)]
    symbols, indexes = banks.random_symbols(rng, tables, n, escapes)
    compiled = banks.compile_bank(tables)
    return compiled, symbols, indexes, _arith.encode(compiled, symbols, indexes)


@pytest.mark.parametrize("n", [1, 3, 200, 1023, 1024, 3000])
def test_every_prefix_is_truncated(n: int) -> None:
    tables, _, indexes, payload = stream(n, n)
    for length in range(len(payload)):
        assert banks.status_of(tables, payload[:length], indexes) == _arith.ERR_TRUNCATED


@pytest.mark.parametrize("n", [1, 200, 1023, 1024])
@pytest.mark.parametrize("extra", [b"\0", b"\0\0", b"\xff" * 100])
def test_every_longer_payload_is_refused(n: int, extra: bytes) -> None:
    tables, _, indexes, payload = stream(n, n)
    assert banks.status_of(tables, payload + extra, indexes) == _arith.ERR_TRAILING


def accepted_flips(n: int, escapes: float) -> tuple[int, int]:
    """Flip each bit; return how many were accepted, of how many.

    An accepted payload encodes again to itself, so its symbols cannot be the old ones.
    """
    tables, symbols, indexes, payload = stream(n, n, escapes)
    accepted = 0
    for bit in range(8 * len(payload)):
        changed = bytearray(payload)
        changed[bit // 8] ^= 1 << bit % 8
        if banks.status_of(tables, bytes(changed), indexes) == _arith.OK:
            accepted += 1
            decoded = banks.decode(tables, bytes(changed), indexes)
            assert (decoded != symbols).any()
            assert _arith.encode(tables, decoded, indexes) == bytes(changed)
    return accepted, 8 * len(payload)


@pytest.mark.parametrize("n", [1, 60, 1024])
def test_no_single_bit_flip_passes_unseen(n: int) -> None:
    accepted, bits = accepted_flips(n, escapes=0)
    assert accepted <= bits // 100


def test_flips_in_raw_bits_give_other_values() -> None:
    """The raw bits of an escape have no redundancy: only a checksum can see such a flip."""
    accepted, bits = accepted_flips(1024, escapes=0.05)
    assert 0 < accepted < bits


def test_random_bytes_terminate() -> None:
    rng = np.random.default_rng(5)
    tables = banks.compile_bank(banks.random_bank(rng, 20))
    for _ in range(500):
        n = int(rng.integers(0, 3000))
        indexes = rng.integers(0, 20, n).astype(np.uint8)
        payload = rng.bytes(int(rng.integers(0, 4000)))
        assert n == 0 or banks.status_of(tables, payload, indexes) != _arith.OK


def test_another_number_of_symbols_is_refused() -> None:
    tables, _, indexes, payload = stream(9, 2000)
    assert banks.status_of(tables, payload, indexes[:-1]) != _arith.OK
    assert banks.status_of(tables, payload, np.append(indexes, indexes[:1])) != _arith.OK


def test_covered_value_behind_an_escape_is_refused() -> None:
    """Encode the value 5 as an escape with a narrow table, then decode with one that has it."""
    narrow = banks.compile_bank([Table(0, (4000, 96))])
    wide = banks.compile_bank([Table(0, (1990, 2, 2, 2, 2, 2002, 96))])
    indexes = np.zeros(1, np.uint8)
    payload = _arith.encode(narrow, np.array([5], np.int16), indexes)
    assert banks.status_of(wide, payload, indexes) == _arith.ERR_ESCAPE
