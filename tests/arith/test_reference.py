"""The C library and the plain Python text agree, and released streams decode for ever."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export import _arith

from . import banks, reference

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100, 1023, 1024, 1030])
def test_same_payload_and_symbols(n: int) -> None:
    rng = np.random.default_rng(n)
    tables = [banks.random_table(rng, size) for size in (1, 3, 30, 300)]
    symbols, indexes = banks.random_symbols(rng, tables, n, escapes=0.1)
    payload = _arith.encode(banks.compile_bank(tables), symbols, indexes)
    assert payload == reference.encode(symbols.tolist(), tables, indexes.tolist())
    assert reference.decode(payload, tables, indexes.tolist()) == symbols.tolist()


def test_same_verdict_on_changed_payloads() -> None:
    rng = np.random.default_rng(11)
    tables = [reference.Table(-2, (5, 100, 3900, 60, 20, 11))]
    symbols, indexes = banks.random_symbols(rng, tables, 40, escapes=0.1)
    compiled = banks.compile_bank(tables)
    payload = _arith.encode(compiled, symbols, indexes)
    accepted = 0
    for _ in range(600):
        changed = bytearray(payload)
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
        try:
            expected = reference.decode(bytes(changed), tables, indexes.tolist())
        except reference.CorruptPayloadError:
            assert banks.status_of(compiled, bytes(changed), indexes) != _arith.OK
        else:
            accepted += 1
            assert banks.decode(compiled, bytes(changed), indexes).tolist() == expected
    assert 0 < accepted < 300  # most of them in the raw bits of escapes


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def cycle(values: list[int], n: int) -> list[int]:
    return (values * (n // len(values) + 1))[:n] if n else []


def test_there_are_golden_streams() -> None:
    assert len(GOLDEN) == 6
    assert all(path.stat().st_size < 2048 for path in GOLDEN)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_stream(path: Path) -> None:
    golden = load(path)
    assert golden["version"] == 1
    tables = [
        reference.Table(table["minimum"], tuple(table["frequencies"])) for table in golden["tables"]
    ]
    symbols = cycle(golden["symbols"], golden["n"])
    indexes = cycle(golden["indexes"], golden["n"])
    payload = bytes.fromhex(golden["payload"])
    assert reference.decode(payload, tables, indexes) == symbols

    compiled = banks.compile_bank(tables)
    index_array = np.array(indexes, np.uint8)
    assert banks.decode(compiled, payload, index_array).tolist() == symbols
    assert _arith.encode(compiled, np.array(symbols, np.int16), index_array) == payload
    assert _arith.crc32c(payload) == int(golden["payload_crc32c"], 16)
