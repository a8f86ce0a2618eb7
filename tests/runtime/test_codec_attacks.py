"""Streams that are well formed and yet wrong: an error of the tree, never a crash or a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import (
    CorruptError,
    LatentsChecksumError,
    StreamError,
    StreamForeignError,
    StreamHeaderError,
)
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import Stream, pack_stream, parse_stream

MakeFrame = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def good(tiny_codec: Codec, make_frame: MakeFrame) -> Stream:
    return parse_stream(tiny_codec.encode(make_frame(48, 64, 12), 6))


def _pack(stream: Stream, **changes: Any) -> bytes:
    """The stream with other values, all checksums of bytes right."""
    header = asdict(stream.header)
    del header["block_bytes"], header["has_overlay"]
    return pack_stream(**{**header, "slices": stream.slices, **changes})


def test_packing_it_unchanged_decodes(tiny_codec: Codec, good: Stream) -> None:
    assert tiny_codec.decode(_pack(good)).shape == (48, 64, 3)


def test_a_stream_of_another_bundle(
    tiny_bytes: bytes, repack: Callable[..., bytes], good: Stream
) -> None:
    other = Codec(
        parse_bundle(repack(tiny_bytes, None, lambda m: m.update(name="other"))),
        SessionOptions(threads=1),
    )
    with pytest.raises(StreamForeignError, match=other.id.hex()):
        other.decode(_pack(good))


@pytest.mark.parametrize("flip", [1, 1 << 31, 0xFFFFFFFF])
def test_a_wrong_latents_checksum(tiny_codec: Codec, good: Stream, flip: int) -> None:
    with pytest.raises(LatentsChecksumError):
        tiny_codec.decode(_pack(good, latents_crc=good.header.latents_crc ^ flip))


@pytest.mark.parametrize("quality", [1, 5, 7])
def test_another_quality(tiny_codec: Codec, good: Stream, quality: int) -> None:
    with pytest.raises(LatentsChecksumError):
        tiny_codec.decode(_pack(good, quality=quality))


def test_a_quality_that_the_bundle_does_not_have(tiny_codec: Codec, good: Stream) -> None:
    for quality in (9, 255):
        with pytest.raises(StreamHeaderError, match=str(quality)):
            tiny_codec.decode(_pack(good, quality=quality))


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (80, 48), (1, 1), (16, 16), (64, 16384), (4096, 4096)]
)
def test_a_frame_of_another_size(tiny_codec: Codec, good: Stream, width: int, height: int) -> None:
    with pytest.raises(LatentsChecksumError):
        tiny_codec.decode(_pack(good, width=width, height=height))


def test_a_size_with_the_same_latents_only_cuts_the_picture(
    tiny_codec: Codec, good: Stream
) -> None:
    """The checksums are over latents and bytes: who forges a header may crop a frame."""
    whole = tiny_codec.decode(_pack(good))
    cut = tiny_codec.decode(_pack(good, width=50, height=33))
    assert np.array_equal(cut, whole[:33, :50])


@pytest.fixture(scope="module")
def sliced(tiny_codec: Codec, make_frame: MakeFrame) -> Stream:
    """A stream of two slices."""
    stream = parse_stream(tiny_codec.encode(make_frame(720, 1280, 12), 2))
    assert len(stream.slices) == 2
    return stream


def test_a_slice_that_is_empty_short_long_or_another(tiny_codec: Codec, good: Stream) -> None:
    (data,) = good.slices
    for wrong in (b"", data[:-1], data[: len(data) // 2], data + b"\0", data * 2, data[::-1]):
        with pytest.raises(LatentsChecksumError):
            tiny_codec.decode(_pack(good, slices=(wrong,)))


def test_slices_that_are_swapped_missing_doubled_or_joined(
    tiny_codec: Codec, sliced: Stream
) -> None:
    first, second = sliced.slices
    for wrong in (
        (second, first),
        (first,),
        (first, first),
        (first, second, b""),
        (first + second,),
    ):
        with pytest.raises(LatentsChecksumError):
            tiny_codec.decode(_pack(sliced, slices=wrong))


def test_a_few_bytes_that_claim_the_largest_frame_are_refused_at_once(
    tiny_codec: Codec, good: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network runs where the payload does not begin like one."""
    monkeypatch.setattr(
        type(tiny_codec.sessions), "run", lambda *_: pytest.fail("a network was run")
    )
    for payload in (b"", b"\0" * 40, b"\xff" * 40, good.slices[0][:4]):
        with pytest.raises(StreamError):
            tiny_codec.decode(_pack(good, width=16384, height=5461, slices=(payload,)))


def _random_case(rng: np.random.Generator, stream: Stream) -> dict[str, Any]:
    """The payload replaced or damaged."""
    data = bytearray(stream.slices[0])
    if rng.integers(2):
        data = bytearray(rng.bytes(int(rng.integers(0, 2 * len(data) + 8))))
        if data and rng.integers(2):
            data[0] %= 7  # a number of lanes
    else:
        for position in rng.integers(len(data), size=int(rng.integers(1, 4))):
            data[position] ^= int(rng.integers(1, 256))
    return {"slices": (bytes(data),)}


@pytest.mark.parametrize("block", range(4))
def test_random_payloads(tiny_codec: Codec, good: Stream, block: int) -> None:
    rng = np.random.default_rng(block)
    for _ in range(50):
        data = _pack(good, **_random_case(rng, good))
        with pytest.raises(CorruptError) as caught:
            tiny_codec.decode(data)
        assert caught.type not in (CorruptError, StreamError)


def test_random_bytes_after_a_random_header(tiny_codec: Codec, tiny_bundle: Bundle) -> None:
    rng = np.random.default_rng(9)
    for _ in range(30):
        data = pack_stream(
            quality=int(rng.integers(1, 9)),
            width=int(rng.integers(1, 200)),
            height=int(rng.integers(1, 200)),
            codec_id=tiny_bundle.id,
            slices=[rng.bytes(int(rng.integers(0, 400))) for _ in range(int(rng.integers(1, 9)))],
            latents_crc=int(rng.integers(0, 1 << 32)),
        )
        with pytest.raises(CorruptError):
            tiny_codec.decode(data)
