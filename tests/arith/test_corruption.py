"""Changed payloads end in a typed error or in other values, at once and for every kernel."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from c3d_export import _arith

from . import banks, golden_streams
from .banks import KERNELS
from .golden_streams import Block, CompiledPart, Stream
from .reference import Part, Table

STREAMS = golden_streams.streams()
BLOCKS = golden_streams.blocks()
CUT = [stream for stream in STREAMS if stream.payload and stream.name != "long-zeros"]
FLIPPED = [
    stream
    for stream in STREAMS
    if stream.name in {"lanes-01", "lanes-08", "lanes-16", "escapes-folded", "several-parts"}
]

Compiled = list[list[CompiledPart]]


def status_of(call: Callable[[], object]) -> int:
    """Return the status that a call ends with."""
    try:
        call()
    except _arith.ArithError as error:
        return error.status
    return _arith.OK


def compile_all(stream: Stream) -> Compiled:
    """Return the parts of a stream for each kernel."""
    return [golden_streams.compile_parts(stream.parts, kernel) for kernel in KERNELS]


def verdict(compiled: Compiled, payload: bytes) -> tuple[int, list[int]]:
    """Return the status and the values that all kernels agree on."""
    status, values, _ = golden_streams.decode(compiled[0], payload)
    for parts in compiled[1:]:
        assert golden_streams.decode(parts, payload)[:2] == (status, values)
    return status, values


def flips(data: bytes, first: int = 0, last: int | None = None) -> Iterator[bytes]:
    """Return the data with each one of its bits changed, from byte `first` to before `last`."""
    for at in range(first, len(data) if last is None else last):
        for bit in range(8):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def test_there_are_enough_streams_to_attack() -> None:
    assert len(CUT) >= 20
    assert len(FLIPPED) == 5
    assert KERNELS[0] == _arith.KERNEL_PORTABLE


@pytest.mark.parametrize("stream", CUT, ids=lambda s: s.name)
def test_every_prefix_is_truncated(stream: Stream) -> None:
    """The empty prefix, too: it is the payload of no values only."""
    compiled = compile_all(stream)
    for length in range(len(stream.payload)):
        assert verdict(compiled, stream.payload[:length])[0] == _arith.ERR_TRUNCATED


@pytest.mark.parametrize("stream", FLIPPED, ids=lambda s: s.name)
def test_no_flipped_bit_gives_the_same_values(stream: Stream) -> None:
    """What is accepted is what an encoder writes for the other values."""
    compiled = compile_all(stream)
    values = [v for part in stream.parts for v in part.values]
    accepted = 0
    for changed in flips(stream.payload):
        status, decoded = verdict(compiled, changed)
        if status == _arith.OK:
            accepted += 1
            assert decoded != values
            assert encode_again(stream, decoded, 1 << changed[0]) == changed
        else:
            assert decoded == []
    assert accepted < 4 * len(stream.payload)


def encode_again(stream: Stream, values: list[int], lanes: int) -> bytes:
    """Encode other values in the place of a stream's own."""
    parts = []
    for part in stream.parts:
        n = len(part.values)
        parts.append(part._replace(values=values[:n]))
        values = values[n:]
    return golden_streams.encode(parts, lanes)


def test_flips_in_the_words_of_escapes_give_other_values() -> None:
    """Escapes have no redundancy but their low bits: only a checksum can see such a flip."""
    stream = next(s for s in STREAMS if s.name == "all-escapes")
    compiled = compile_all(stream)
    assert any(verdict(compiled, changed)[0] == _arith.OK for changed in flips(stream.payload))


@pytest.mark.parametrize("extra", [b"\0", b"\0\0", b"\xff" * 700])
@pytest.mark.parametrize("stream", CUT, ids=lambda s: s.name)
def test_trailing_bytes_are_refused(stream: Stream, extra: bytes) -> None:
    assert verdict(compile_all(stream), stream.payload + extra)[0] == _arith.ERR_TRAILING


@pytest.mark.parametrize("name", ["empty", "empty-parts"])
def test_no_values_have_no_payload(name: str) -> None:
    compiled = compile_all(next(s for s in STREAMS if s.name == name))
    assert verdict(compiled, b"")[0] == _arith.OK
    assert verdict(compiled, b"\7")[0] == _arith.ERR_LANES
    assert verdict(compiled, b"\0\0\0\1")[0] == _arith.ERR_TRUNCATED
    assert verdict(compiled, b"\0\xff\xff\0\0")[0] == _arith.ERR_STATE
    assert verdict(compiled, b"\0\0\0\1\0")[0] == _arith.ERR_TRAILING


@pytest.mark.parametrize("power", range(7, 256))
def test_more_than_64_lanes_are_refused(power: int) -> None:
    payload = bytes([power]) + b"\xff" * 2000
    assert status_of(lambda: _arith.Decoder(payload)) == _arith.ERR_LANES


@pytest.mark.parametrize("lane", [0, 1, 7])
def test_state_that_no_encoder_leaves_at_the_start(lane: int) -> None:
    stream = next(s for s in STREAMS if s.name == "lanes-08")
    changed = bytearray(stream.payload)
    changed[3 + 4 * lane : 5 + 4 * lane] = b"\0\0"
    assert verdict(compile_all(stream), bytes(changed))[0] == _arith.ERR_STATE


@pytest.mark.parametrize("lane", [0, 1, 63])
def test_state_of_a_lane_without_values_is_held_too(lane: int) -> None:
    stream = next(s for s in STREAMS if s.name == "one-value-64-lanes")
    changed = bytearray(stream.payload)
    changed[4 + 4 * lane] ^= 0x80
    assert verdict(compile_all(stream), bytes(changed))[0] != _arith.OK


@pytest.mark.parametrize("fold", range(6))
@pytest.mark.parametrize("lanes", [1, 8, 16])
def test_escape_with_other_low_bits_is_refused(lanes: int, fold: int) -> None:
    """Each bit of the word is flipped. The sign changes the rank by one more than the value."""
    part = Part([Table(11 + fold, fold, 0, (1000 << fold, 1048))], [0], [0x2002])
    payload = golden_streams.encode([part], lanes)
    assert payload.endswith(b"\x02\x20")
    compiled = [golden_streams.compile_parts([part], kernel) for kernel in KERNELS]
    statuses = [verdict(compiled, c)[0] for c in flips(payload, len(payload) - 2)]
    held = [bit < fold or (fold > 0 and bit == 15) for bit in range(16)]
    assert statuses == [_arith.ERR_ESCAPE if h else _arith.OK for h in held]


@pytest.mark.parametrize("lanes", [1, 8, 16])
@pytest.mark.parametrize("covered", [0, 1, 4, -1, -2])
def test_escape_of_a_covered_value_is_refused(covered: int, lanes: int) -> None:
    part = Part([Table(12, 1, 1, (1000, 500, 400, 300, 348))], [0] * 3, [5, 0, 5])
    payload = golden_streams.encode([part], lanes)
    compiled = [golden_streams.compile_parts([part], kernel) for kernel in KERNELS]
    word = covered.to_bytes(2, "little", signed=True)
    assert verdict(compiled, payload[:-2] + word)[0] == _arith.ERR_ESCAPE


@pytest.mark.parametrize("kernel", KERNELS)
def test_more_values_than_a_payload_can_hold_are_refused_at_once(kernel: int) -> None:
    """Nothing is decoded: what stands in the output stays, and there is no time to fill it."""
    n = 1 << 24
    bank = banks.compile_bank([banks.FLAT], kernel)
    payload = banks.encode(bank, np.zeros(50, np.int16), np.zeros(50, np.uint8), lanes=16)
    out, indexes = np.full(n, 0x5A5A, np.int16), np.zeros(n, np.uint8)
    began = time.perf_counter()
    status = status_of(lambda: _arith.decode(bank, payload, indexes, out))
    assert time.perf_counter() - began < 1
    assert status == _arith.ERR_TRUNCATED
    assert (out == 0x5A5A).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("lanes", "words"), [(1, 0), (1, 3), (16, 7)])
def test_the_most_values_that_a_payload_may_hold(lanes: int, words: int, kernel: int) -> None:
    """The exact rule: one value more is refused before the first is decoded."""
    bank = banks.compile_bank([banks.FLAT, Table(11, 0, 0, (1448, 600))], kernel)
    payload = bytes([lanes.bit_length() - 1]) + b"\xff" * (4 * lanes + 2 * words)
    period = 4  # 2048 / 600, rounded up
    most = period * (16 * words + 16 * lanes)
    for n, touched in ((most, True), (most + 1, False)):
        out = np.full(n, 0x5A5A, np.int16)
        with pytest.raises(_arith.ArithError) as error:
            _arith.decode(bank, payload, np.zeros(n, np.uint8), out)
        assert error.value.status == _arith.ERR_TRUNCATED
        assert (out != 0x5A5A).any() == touched


def split_status(block: bytes) -> int:
    return status_of(lambda: _arith.split_slices(block))


def slice_status(block: bytes, position: int) -> int:
    return status_of(lambda: _arith.check_slice(block, position))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_every_bit_of_a_head_is_protected(block: Block) -> None:
    head = 6 + 8 * len(block.slices)
    statuses = [split_status(changed) for changed in flips(block.block, 0, head)]
    assert set(statuses[:8]) == {_arith.ERR_VERSION}
    assert _arith.OK not in statuses
    assert set(statuses[16:]) == {_arith.ERR_CHECKSUM}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_damage_in_a_slice_is_found_in_that_slice_only(block: Block) -> None:
    ranges = _arith.split_slices(block.block)
    for damaged, (at, length) in enumerate(ranges):
        for changed in flips(block.block, at, at + length):
            assert _arith.split_slices(changed) == ranges
            statuses = [slice_status(changed, position) for position in range(len(ranges))]
            expected = [_arith.OK] * len(ranges)
            expected[damaged] = _arith.ERR_CHECKSUM
            assert statuses == expected


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_every_prefix_and_more_of_a_block_is_refused(block: Block) -> None:
    for length in range(len(block.block)):
        assert split_status(block.block[:length]) == _arith.ERR_TRUNCATED
    assert split_status(block.block + b"\0") == _arith.ERR_TRAILING


def test_slices_that_a_block_does_not_have() -> None:
    block = BLOCKS[0].block
    assert slice_status(block, len(BLOCKS[0].slices)) == _arith.ERR_SLICES


@pytest.mark.parametrize("count", [1, 254, 255])
def test_as_many_slices_as_a_byte_counts(count: int) -> None:
    slices = [bytes([position]) * (position % 3) for position in range(count)]
    block = _arith.join_slices(slices)
    ranges = _arith.split_slices(block)
    assert [block[at : at + length] for at, length in ranges] == slices


@pytest.mark.parametrize("count", [0, 256])
def test_no_slices_and_too_many_are_not_joined(count: int) -> None:
    assert status_of(lambda: _arith.join_slices([b""] * count)) == _arith.ERR_SLICES
