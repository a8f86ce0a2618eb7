"""The wire reader under the graph check: malformed, hostile and random bytes."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable

import pytest

from c3d_export.core.errors import BundleGraphError
from c3d_export.core.limits import MAX_GRAPH_FIELDS
from c3d_export.runtime.bundle import Bundle
from c3d_export.runtime.graphcheck import check_graph

GRAPH, FLAVOUR = "g_s", "qlinear"


@pytest.fixture(scope="module")
def data(tiny_bundle: Bundle) -> bytes:
    return tiny_bundle.graphs[GRAPH, FLAVOUR]


def number(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(field: int, value: bytes) -> bytes:
    return number(field << 3 | 2) + number(len(value)) + value


@pytest.mark.parametrize(
    "tail",
    [
        number(1 << 3) + number(9),  # ir_version once more: the last one would count
        text(2, b"c3d-export"),
        text(7, text(2, b"g_s")),
    ],
    ids=["ir_version", "producer_name", "graph name"],
)
def test_a_single_value_that_stands_twice(data: bytes, tail: bytes) -> None:
    with pytest.raises(BundleGraphError, match=r"twice|not the one"):
        check_graph(data + tail, GRAPH, FLAVOUR)


@pytest.mark.parametrize(
    "tail",
    [
        b"\x88\x00\x08",  # tag of ir_version in two bytes instead of one
        b"\x08\x88\x00",  # its value likewise
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",  # 11 bytes
        b"\x3b",  # a group
        b"\x0d\x00\x00\x00\x00",  # ir_version as fixed 32 bits
        b"\x00\x00",  # field 0
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 2^64 - 1 bytes of graph
        b"\x3a\xff\xff\xff\xff\x0f",  # 4 GiB
        b"\x3a\x01",  # one byte of graph, and none follows
        b"\x08",  # a tag and nothing
        b"\xff",
    ],
    ids=lambda tail: tail.hex(),
)
def test_wire_data_that_is_malformed(data: bytes, tail: bytes) -> None:
    with pytest.raises(BundleGraphError):
        check_graph(data + tail, GRAPH, FLAVOUR)


def test_bytes_that_are_two_formats(data: bytes) -> None:
    """ONNX Runtime takes what has ORTM at byte 4 for its own format, which has other rules."""
    forged = text(2, b"..ORTM") + data
    assert forged[4:8] == b"ORTM"
    with pytest.raises(BundleGraphError, match="a format of ONNX Runtime itself"):
        check_graph(forged, GRAPH, FLAVOUR)


def test_every_prefix(data: bytes) -> None:
    """Densely where the structure is; in the weights at every 97th byte."""
    nodes = data.rindex(b"\x3a", 0, data.index(b"enter.weight", data.index(b"correction_out")))
    near = (0, nodes, len(data))
    dense = {end for place in near for end in range(place - 800, place + 800)}
    for end in {*range(0, len(data), 97), *dense} & set(range(len(data))):
        with pytest.raises(BundleGraphError):
            check_graph(data[:end], GRAPH, FLAVOUR)


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(500):
        with pytest.raises(BundleGraphError):
            check_graph(source.randbytes(source.randrange(300)), GRAPH, FLAVOUR)


def test_changed_bytes_never_give_another_error(data: bytes) -> None:
    source, refused = random.Random(1), 0
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(3000)] = source.randrange(256)
        try:
            check_graph(bytes(changed), GRAPH, FLAVOUR)
        except BundleGraphError:
            refused += 1
    assert refused > 200


def _nested() -> bytes:
    inner = b""
    for _ in range(2_000):
        inner = text(7, inner)
    return inner


# What follows a good model: few bytes or many that ask for time or memory.
BOMBS: dict[str, Callable[[], bytes]] = {
    "graphs in graphs": _nested,
    "empty graphs": lambda: b"\x3a\x00" * (2 << 20),
    "empty nodes": lambda: text(7, b"\x0a\x00" * (1 << 20)),
    "empty inputs": lambda: text(7, text(1, b"\x0a\x00" * (1 << 20))),
    "dimensions": lambda: text(7, text(5, b"\x08\x01" * (1 << 20))),
    "nodes of many fields": lambda: text(7, text(1, b"\x0a\x01v" * 1000) * 1000),
    "a huge shape": lambda: text(7, text(5, (b"\x08" + number(2**62)) * 2)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_time_and_memory_are_bounded(data: bytes, name: str) -> None:
    bomb = data + BOMBS[name]()
    tracemalloc.start()
    try:
        begin = time.process_time()
        with pytest.raises(BundleGraphError):
            check_graph(bomb, GRAPH, FLAVOUR)
        seconds = time.process_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Measured at most 0.5 s and 9 MB while memory is traced, for all MAX_GRAPH_FIELDS fields.
    assert seconds < 5
    assert peak < 300 * MAX_GRAPH_FIELDS
