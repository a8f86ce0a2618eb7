"""Refused streams leave nothing behind that only the garbage collector finds.

What it would find is not a leak, but a host that is sent damaged streams makes few Python objects
and large arrays, so that the collector comes by late: memory grew by a half in a minute.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
from endurance.damage import flipped, resealed, sealed_bits
from endurance.golden import golden
from endurance.subjects import opened

from c3d_export.core.errors import CorruptError
from c3d_export.runtime.codec import Codec

# Of two slices; with an overlay; of each family.
NAMES = (
    "v4/1280x720-q1",
    "v5/104x72-part-q2",
    "families/mbt2018-mean/104x72",
    "families/mbt2018/104x72",
    "families/c2f/104x72",
)


@cache
def codec_of(bundle: Path) -> Codec:
    return opened(bundle, 2)


def damaged(data: bytes, count: int) -> list[bytes]:
    rng = random.Random(2)
    bits = rng.sample(sealed_bits(data), count)
    cuts = [data[: rng.randrange(len(data))] for _ in range(count)]
    flips = [flipped(data, rng.randrange(8 * len(data))) for _ in range(count)]
    return [*cuts, *flips, *(resealed(flipped(data, bit)) for bit in bits)]


@contextmanager
def no_garbage() -> Iterator[None]:
    while gc.collect():  # what tests before left, and what finalisers of that leave
        pass
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_stream_leaves_no_garbage(name: str) -> None:
    stream = golden(name)
    codec, refused = codec_of(stream.bundle), 0
    some = damaged(stream.stream, 20)
    with suppress(CorruptError):
        codec.decode(some[-1])  # what is imported and made at the first time only
    with no_garbage():
        for data in some:
            try:
                codec.decode(data)
            except CorruptError:
                refused += 1
    assert refused > 50


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_stream_of_frames_leaves_no_garbage(name: str) -> None:
    stream = golden(name)
    codec, refused = codec_of(stream.bundle), 0
    some = damaged(stream.stream, 10)
    with codec.stream(decode=True) as frames, no_garbage():
        for data in some:
            frames.submit(data)
            try:
                next(frames)
            except CorruptError:
                refused += 1
    assert refused > 25
