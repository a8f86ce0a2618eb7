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
    header = {k: v for k, v in asdict(stream.header).items() if not k.endswith("_bytes")}
    parts = {"z": stream.z, "y": stream.y, "latents_crc": stream.latents_crc}
    return pack_stream(**{**header, **parts, **changes})


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
        tiny_codec.decode(_pack(good, latents_crc=good.latents_crc ^ flip))


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


def _with_part(stream: Stream, part: int, data: bytes) -> bytes:
    """The stream with another payload: 0 is z, 1 to 3 are the steps of y."""
    payloads = [stream.z, *stream.y]
    payloads[part] = data
    return _pack(stream, z=payloads[0], y=tuple(payloads[1:]))


@pytest.mark.parametrize("part", range(4))
def test_payloads_that_are_empty_short_long_or_swapped(
    tiny_codec: Codec, good: Stream, part: int
) -> None:
    payloads = [good.z, *good.y]
    data, swapped = payloads[part], payloads[part - 1]
    for wrong in (b"", data[:-1], data[: len(data) // 2], data + b"\0", data * 2, swapped):
        with pytest.raises(LatentsChecksumError):
            tiny_codec.decode(_with_part(good, part, wrong))


def test_a_few_bytes_that_claim_the_largest_frame_are_refused_at_once(
    tiny_codec: Codec, good: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network runs before the hyper-latents have been decoded."""
    monkeypatch.setattr(
        type(tiny_codec.sessions), "run", lambda *_: pytest.fail("a network was run")
    )
    for payload in (b"", b"\0" * 40, b"\xff" * 40, good.z):
        with pytest.raises(StreamError):
            tiny_codec.decode(_pack(good, width=16384, height=5461, z=payload))


def _random_case(rng: np.random.Generator, stream: Stream) -> dict[str, Any]:
    """One to four payloads replaced or damaged."""
    payloads = [stream.z, *stream.y]
    for part in rng.choice(4, size=int(rng.integers(1, 5)), replace=False):
        data = bytearray(payloads[part])
        if rng.integers(2):
            data = bytearray(rng.bytes(int(rng.integers(0, 2 * len(data) + 8))))
        else:
            for position in rng.integers(len(data), size=int(rng.integers(1, 4))):
                data[position] ^= int(rng.integers(1, 256))
        payloads[part] = bytes(data)
    return {"z": payloads[0], "y": tuple(payloads[1:])}


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
            z=rng.bytes(int(rng.integers(0, 100))),
            y=tuple(rng.bytes(int(rng.integers(0, 400))) for _ in range(3)),  # type: ignore[arg-type]
            latents_crc=int(rng.integers(0, 1 << 32)),
        )
        with pytest.raises(CorruptError):
            tiny_codec.decode(data)
