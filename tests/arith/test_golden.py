"""Released streams decode for ever, with every kernel, and are written again byte for byte."""

from itertools import pairwise

import pytest

from c3d_export import _arith

from . import golden_streams, make_golden, reference, reference_slices
from .banks import KERNELS
from .golden_streams import Block, Stream

STREAMS = golden_streams.streams()
BLOCKS = golden_streams.blocks()
TABLES = [table for stream in STREAMS for part in stream.parts for table in part.bank]


def values_of(stream: Stream) -> list[int]:
    return [v for part in stream.parts for v in part.values]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: s.name)
def test_reference_decodes_and_encodes(stream: Stream) -> None:
    decoder = reference.Decoder(stream.payload)
    decoded = [v for part in stream.parts for v in decoder.part(part)]
    decoder.finish()
    assert decoded == values_of(stream)
    assert reference.encode(stream.parts, stream.lanes) == stream.payload
    assert reference_slices.checksum(decoded) == stream.checksum


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: s.name)
def test_library_decodes_and_encodes(stream: Stream, kernel: int) -> None:
    parts = golden_streams.compile_parts(stream.parts, kernel)
    status, decoded, checksum = golden_streams.decode(parts, stream.payload)
    assert (status, checksum) == (_arith.OK, stream.checksum)
    assert decoded == values_of(stream)
    assert golden_streams.encode(stream.parts, stream.lanes, kernel) == stream.payload


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_block_of_slices(block: Block) -> None:
    assert reference_slices.join(block.slices) == block.block
    assert _arith.join_slices(block.slices) == block.block
    ranges = _arith.split_slices(block.block)
    assert [block.block[at : at + length] for at, length in ranges] == block.slices
    for position in range(len(block.slices)):
        _arith.check_slice(block.block, position)


def test_checksum_of_the_specification() -> None:
    assert reference_slices.crc32c(b"123456789") == _arith.crc32c(b"123456789") == 0xE3069283


def test_every_number_of_lanes_is_there() -> None:
    written = {1 << stream.payload[0] for stream in STREAMS if stream.payload}
    assert written == {1, 2, 4, 8, 16, 32, 64}
    assert all(1 << s.payload[0] == s.lanes for s in STREAMS if s.payload)


def test_every_fold_and_number_of_bits_is_there() -> None:
    assert {table.fold for table in TABLES} == set(range(6))
    assert {table.bits for table in TABLES} == set(range(11, 17))
    assert {(511, 1024)} <= {(table.below, len(table.frequencies)) for table in TABLES}


def test_every_feature_of_parts_is_there() -> None:
    assert any(len(stream.parts) > 2 for stream in STREAMS)
    assert any(not stream.payload for stream in STREAMS)
    parts = [(stream, part) for stream in STREAMS for part in stream.parts]
    assert {part.means is None for _, part in parts} == {True, False}
    assert any(len(part.values) == 1 for _, part in parts)
    assert any(len(part.values) % stream.lanes > 0 for stream, part in parts)
    assert any(len(part.values) == stream.lanes > 1 for stream, part in parts)
    assert {64, 100, 256} <= {len(part.bank) for _, part in parts}
    assert {255, 99} <= {index for _, part in parts for index in part.indexes}


def test_both_ends_of_int16_are_escaped() -> None:
    escaped = {
        (value, part.bank[index].fold)
        for stream in STREAMS
        for part in stream.parts
        if part.means is None
        for value, index in zip(part.values, part.indexes, strict=True)
        if part.bank[index].place(value)[0] == len(part.bank[index].frequencies) - 1
    }
    assert {(32767, 0), (-32768, 0), (32767, 5), (-32768, 5)} <= escaped


def test_slices_are_few_and_more_and_one_is_empty() -> None:
    assert [len(block.slices) for block in BLOCKS] == [1, 2, 5]
    assert any(slice_ == b"" for block in BLOCKS for slice_ in block.slices)


def test_files_are_small_and_still_what_the_generator_describes() -> None:
    contents = {**make_golden.shapes(), **make_golden.features(), **make_golden.many_tables()}
    contents = {name: make_golden.add_payload(content) for name, content in contents.items()}
    contents |= make_golden.blocks(contents)
    paths = sorted(golden_streams.FOLDER.glob("*.json"))
    assert {path.stem for path in paths} == set(contents)
    assert all(path.stat().st_size < 4096 for path in paths)
    assert all(golden_streams.read(path) == contents[path.stem] for path in paths)


def test_streams_differ() -> None:
    payloads = sorted(stream.payload for stream in STREAMS if stream.payload)
    assert all(a != b for a, b in pairwise(payloads))
