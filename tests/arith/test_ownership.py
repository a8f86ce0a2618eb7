"""The binding holds buffers as long as it needs them, and leaks nothing."""

import array
import gc
import resource
import tracemalloc
import weakref

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .test_binding import INDEXES, PAYLOAD, TABLES, VALUES, Fill, both_decoders, out


@both_decoders
def test_buffers_are_released(decode: Fill) -> None:
    values, data, means = bytearray(10), bytearray(PAYLOAD), array.array("h", bytes(10))
    with pytest.raises(TypeError):
        _arith.encode([(TABLES, means, INDEXES), (TABLES, values, INDEXES)])
    with pytest.raises(_arith.ArithError):
        decode(TABLES, data[:-1], INDEXES, out(), means)
    decode(TABLES, data, INDEXES, out(), means)
    with pytest.raises(_arith.ArithError):
        _arith.join_slices([data] * 256)
    with pytest.raises(_arith.ArithError):
        _arith.check_slice(data, 0)
    for buffer in (values, data, means):
        buffer.append(1)  # BufferError where a view is still open


def test_decoder_keeps_its_data() -> None:
    data = bytearray(PAYLOAD)
    decoder = _arith.Decoder(data)
    with pytest.raises(BufferError):
        data.append(1)
    del data
    gc.collect()
    result = out()
    decoder.pull(TABLES, INDEXES, result)
    decoder.finish()
    assert result.tolist() == VALUES.tolist()


class Holder(bytearray):
    """A payload that can hold its own decoder."""

    decoder: _arith.Decoder


def test_decoder_in_a_cycle_is_collected() -> None:
    data = Holder(PAYLOAD)
    data.decoder = _arith.Decoder(data)
    seen = weakref.ref(data)
    del data
    gc.collect()
    assert seen() is None


def exercise() -> None:
    tables = banks.compile_bank([banks.FLAT] * 20)
    payload = _arith.encode([(tables, VALUES, INDEXES), (tables, VALUES, INDEXES, VALUES)])
    assert banks.status_of(tables, payload[:-1], INDEXES) != _arith.OK
    assert banks.status_of(tables, b"\7", INDEXES) == _arith.ERR_LANES
    decoder = _arith.Decoder(payload)
    decoder.pull(tables, INDEXES, out(), means=VALUES)
    assert len(_arith.split_slices(_arith.join_slices([payload] * 9))) == 9
    with pytest.raises(_arith.ArithError):
        _arith.Decoder(b"\7")
    with pytest.raises(_arith.ArithError):
        _arith.Tables(np.zeros(2, np.uint32), np.zeros(4, np.uint16))


def test_nothing_leaks() -> None:
    """A leaked bank of 20 tables is 180 KB, so 300 of them would show as 54 MB."""
    for _ in range(20):
        exercise()
    gc.collect()
    objects = len(gc.get_objects())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(300):
        exercise()
    gc.collect()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    assert len(gc.get_objects()) - objects < 200


def test_nothing_traced_leaks() -> None:
    """The encoder's buffer is traced; it is mostly untouched, so the resident size is blind."""
    values, indexes = np.zeros(10_000, np.int16), np.zeros(10_000, np.uint8)
    parts = [(TABLES, values, indexes)] * 50
    _arith.encode(parts)
    tracemalloc.start()
    for _ in range(10):
        _arith.encode(parts)
        _arith.Decoder(PAYLOAD).pull(TABLES, INDEXES, out())
        _arith.join_slices([values.tobytes()] * 20)
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert traced < 30_000
