"""Every status of the interface can be reached, in the binding or in the C checks."""

from collections.abc import Callable

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .reference import Table

ZEROS = np.zeros(4, np.uint8)
STATE_BELOW = b"\0" + (0xFFFF).to_bytes(4, "little")
BLOCK = _arith.join_slices([b"one", b"two"])
HEAD = 2 + 8 * 2 + 4


def bank(
    frequencies: tuple[int, ...], shape: tuple[int, ...], kernel: int = _arith.KERNEL_AUTO
) -> None:
    _arith.Tables(np.array(frequencies, np.uint32), np.array(shape, np.uint16), kernel)


def payload_of(n: int, lanes: int = 0) -> bytes:
    tables = banks.compile_bank([banks.FLAT])
    return banks.encode(tables, np.zeros(n, np.int16), np.zeros(n, np.uint8), lanes=lanes)


def decode(payload: bytes, indexes: banks.Indexes = ZEROS) -> None:
    banks.decode(banks.compile_bank([banks.FLAT]), payload, indexes)


def too_many() -> None:
    """The same million of values in so many parts that they are more than 2^28."""
    tables, n = banks.compile_bank([banks.FLAT]), 1 << 20
    _arith.encode([(tables, np.zeros(n, np.int16), np.zeros(n, np.uint8))] * 257)


def covered_escape() -> None:
    """The value 2 is escaped by one table; the other has it and the same escape."""
    narrow = banks.compile_bank([banks.FLAT])
    wide = banks.compile_bank([Table(11, 0, 1, (1024, 512, 128, 128, 256))])
    payload = banks.encode(narrow, np.array([2], np.int16), ZEROS[:1])
    banks.decode(wide, payload, ZEROS[:1])


def with_checksum(head: bytes) -> bytes:
    return head + _arith.crc32c(head).to_bytes(4, "little")


CASES: dict[str, Callable[[], object]] = {
    "ERR_LENGTH": too_many,
    "ERR_INDEX": lambda: decode(payload_of(4), np.array([0, 0, 1, 0], np.uint8)),
    "ERR_TRUNCATED": lambda: decode(payload_of(4)[:-1]),
    "ERR_TRAILING": lambda: decode(payload_of(4) + b"\0\0"),
    "ERR_STATE": lambda: decode(STATE_BELOW),
    "ERR_ESCAPE": covered_escape,
    "ERR_TABLES_COUNT": lambda: bank((), ()),
    "ERR_TABLES_SIZE": lambda: bank((2047, 1), (11, 0, 512, 0)),
    "ERR_TABLES_RANGE": lambda: bank((1023, 1), (10, 0, 0, 0)),
    "ERR_TABLES_LENGTH": lambda: bank((2047, 1, 1), (11, 0, 0, 0)),
    "ERR_TABLES_ZERO": lambda: bank((0, 2048), (11, 0, 0, 0)),
    "ERR_TABLES_SUM": lambda: bank((2047, 2), (11, 0, 0, 0)),
    "ERR_TABLES_UNITS": lambda: bank((2048, 2048), (12, 0, 0, 0)),
    "ERR_LANES": lambda: payload_of(4, lanes=3),
    "ERR_KERNEL": lambda: bank((2047, 1), (11, 0, 0, 0), kernel=4),
    "ERR_VERSION": lambda: _arith.split_slices(b"\1" + BLOCK[1:]),
    "ERR_SLICES": lambda: _arith.join_slices([]),
    "ERR_CHECKSUM": lambda: _arith.check_slice(BLOCK[:-1] + b"x", 1),
}

# A missing pointer, a full buffer and no memory cannot come from the binding: test_c_library.py
# has them.
IN_C = {"ERR_ARGUMENT", "ERR_CAPACITY", "ERR_MEMORY"}


def refuse(status: int, action: Callable[[], object]) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        action()
    assert caught.value.status == status


@pytest.mark.parametrize("name", CASES)
def test_status(name: str) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        CASES[name]()
    assert caught.value.status == getattr(_arith, name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) > 10


def test_no_status_is_left_out() -> None:
    names = {name for name in dir(_arith) if name.startswith("ERR_")}
    assert names == set(CASES) | IN_C
    assert sorted(getattr(_arith, name) for name in names) == list(range(1, 22))
    assert _arith.OK == 0


def test_final_state_is_checked() -> None:
    """A state one above the encoder's pulls the same values but does not end at 2^16."""
    payload = payload_of(4)
    state = int.from_bytes(payload[1:5], "little") + 1
    refuse(_arith.ERR_STATE, lambda: decode(b"\0" + state.to_bytes(4, "little") + payload[5:]))


@pytest.mark.parametrize("kernel", banks.KERNELS)
@pytest.mark.parametrize(("fold", "value"), [(0, 0), (1, 0), (1, 2), (5, 2), (5, -1), (5, 32)])
def test_escape_that_no_encoder_writes(fold: int, value: int, kernel: int) -> None:
    """Zero is never escaped, and the low bits of an escape are coded with it."""
    table = Table(11, fold, 0, (2048 - (16 << fold), 16))
    tables = banks.compile_bank([table], kernel)
    indexes = np.zeros(64, np.uint8)
    payload = bytearray(banks.encode(tables, np.ones(64, np.int16), indexes, lanes=64))
    assert payload[-128:] == b"\1\0" * 64  # the words of the escapes
    payload[-54:-52] = value.to_bytes(2, "little", signed=True)
    assert banks.status_of(tables, bytes(payload), indexes) == _arith.ERR_ESCAPE
    payload[-54:-52] = (1 + (2 << fold)).to_bytes(2, "little", signed=True)
    assert banks.decode(tables, bytes(payload), indexes)[37] == 1 + (2 << fold)


def test_encoder_checks_the_indexes() -> None:
    tables = banks.compile_bank([banks.FLAT])
    refuse(
        _arith.ERR_INDEX,
        lambda: banks.encode(tables, np.zeros(1, np.int16), np.ones(1, np.uint8)),
    )


@pytest.mark.parametrize("lanes", [-64, -1, 3, 63, 65, 128, 2**31 - 1])
def test_lanes_that_are_no_power_of_two(lanes: int) -> None:
    refuse(_arith.ERR_LANES, lambda: payload_of(4, lanes))


@pytest.mark.parametrize("power", [7, 8, 255])
def test_payload_of_more_lanes_than_there_are(power: int) -> None:
    refuse(_arith.ERR_LANES, lambda: _arith.Decoder(bytes([power]) + payload_of(4, 64)[1:]))


def test_no_values_are_no_bytes() -> None:
    for lanes in (0, *banks.LANES):
        assert payload_of(0, lanes) == b""
    assert _arith.encode([]) == b""
    decode(b"", ZEROS[:0])
    _arith.Decoder(b"").finish()
    refuse(_arith.ERR_TRAILING, lambda: decode(payload_of(1), ZEROS[:0]))
    refuse(_arith.ERR_TRUNCATED, lambda: decode(b"", ZEROS))


def test_decoder_stays_in_its_error() -> None:
    tables = banks.compile_bank([banks.FLAT])
    decoder = _arith.Decoder(payload_of(4))
    refuse(_arith.ERR_INDEX, lambda: decoder.pull(tables, ZEROS + 1, np.zeros(4, np.int16)))
    refuse(_arith.ERR_INDEX, lambda: decoder.pull(tables, ZEROS, np.zeros(4, np.int16)))
    refuse(_arith.ERR_INDEX, decoder.finish)


def test_decoder_that_has_not_pulled_all() -> None:
    tables = banks.compile_bank([banks.FLAT])
    decoder = _arith.Decoder(banks.encode(tables, np.ones(100, np.int16), np.zeros(100, np.uint8)))
    decoder.pull(tables, ZEROS, np.zeros(4, np.int16))
    refuse(_arith.ERR_TRAILING, decoder.finish)


SPLITS = {
    "no head": (b"\2", "ERR_TRUNCATED"),
    "empty": (b"", "ERR_TRUNCATED"),
    "no slices": (with_checksum(b"\2\0"), "ERR_SLICES"),
    "half a head": (BLOCK[: HEAD - 1], "ERR_TRUNCATED"),
    "changed length": (BLOCK[:2] + b"\4" + BLOCK[3:], "ERR_CHECKSUM"),
    "half a slice": (BLOCK[:-1], "ERR_TRUNCATED"),
    "more than the slices": (BLOCK + b"\0", "ERR_TRAILING"),
    "length of 4 GB": (with_checksum(b"\2\1" + b"\xff" * 4 + bytes(4)) + b"x", "ERR_TRUNCATED"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_block_that_is_refused(name: str) -> None:
    data, status = SPLITS[name]
    refuse(getattr(_arith, status), lambda: _arith.split_slices(data))
    refuse(getattr(_arith, status), lambda: _arith.check_slice(data, 0))


def test_slices_are_independent() -> None:
    damaged = BLOCK[:HEAD] + b"0" + BLOCK[HEAD + 1 :]
    assert _arith.split_slices(damaged) == [(HEAD, 3), (HEAD + 3, 3)]
    refuse(_arith.ERR_CHECKSUM, lambda: _arith.check_slice(damaged, 0))
    _arith.check_slice(damaged, 1)


@pytest.mark.parametrize("position", [-1, 2, 255, 2**40])
def test_position_that_the_block_does_not_have(position: int) -> None:
    refuse(_arith.ERR_SLICES, lambda: _arith.check_slice(BLOCK, position))


@pytest.mark.parametrize("count", [0, 256, 1000])
def test_wrong_number_of_slices(count: int) -> None:
    refuse(_arith.ERR_SLICES, lambda: _arith.join_slices([b""] * count))


def test_block_of_more_than_31_bits() -> None:
    refuse(_arith.ERR_LENGTH, lambda: _arith.join_slices([bytearray(1 << 24)] * 128))


def test_error_is_a_value_error() -> None:
    assert issubclass(_arith.ArithError, ValueError)
    assert _arith.ArithError("by hand").status == _arith.OK
