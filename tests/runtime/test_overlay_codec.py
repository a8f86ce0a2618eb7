"""Codecs whose bundle has an overlay: what is coded, what is shown, and forged streams."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import (
    CorruptError,
    FrameShapeError,
    LatentsChecksumError,
    StreamForeignError,
    StreamHeaderError,
    UnknownQualityError,
)
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.overlay import Overlay
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import HEADER_BYTES, Stream, pack_stream, parse_stream

from .overlays import HEIGHT, WIDTH, flags_of, shown, small_overlay, with_overlay

Frame = NDArray[np.uint8]
MakeFrame = Callable[..., Frame]

LEARNT = small_overlay()
TILES = [0, 1, 3]
"""A whole group, and the second state of a tile."""
PART = [1, 2, 4]


@pytest.fixture(scope="module")
def codec(tiny_bytes: bytes) -> Codec:
    data = with_overlay(tiny_bytes, LEARNT)
    return Codec(parse_bundle(data), SessionOptions(threads=1))


def _overlay(codec: Codec) -> Overlay:
    assert codec.overlay is not None
    return codec.overlay


@pytest.fixture(scope="module")
def hud(make_frame: MakeFrame) -> Frame:
    return shown(LEARNT, make_frame(HEIGHT, WIDTH, 21), TILES)


@pytest.fixture(scope="module")
def good(codec: Codec, hud: Frame) -> Stream:
    return parse_stream(codec.encode(hud, 6))


def _without_identity(stream: bytes) -> bytes:
    """All but the codec's id and the checksum of the header, which covers it."""
    return stream[:12] + stream[20 : HEADER_BYTES - 4] + stream[HEADER_BYTES:]


def test_a_frame_without_the_overlay_is_coded_as_by_a_bundle_that_has_none(
    codec: Codec, tiny_codec: Codec, make_frame: MakeFrame
) -> None:
    for size in ((HEIGHT, WIDTH), (33, 47), (WIDTH, HEIGHT)):
        frame = make_frame(*size, 20)
        for quality in (1, 8):
            stream = codec.encode(frame, quality)
            assert stream[4] == 4
            plain = tiny_codec.encode(frame, quality)
            assert _without_identity(stream) == _without_identity(plain)
            assert np.array_equal(codec.decode(stream), tiny_codec.decode(plain))


@pytest.mark.parametrize("effort", [1, 2])
@pytest.mark.parametrize("tiles", [TILES, PART], ids=str)
def test_what_is_left_is_coded_as_a_frame_and_the_overlay_pasted_over_it(
    codec: Codec, tiny_codec: Codec, make_frame: MakeFrame, tiles: list[int], effort: int
) -> None:
    frame = shown(LEARNT, make_frame(HEIGHT, WIDTH, 22), tiles)
    before = frame.copy()
    for quality in (1, 8):
        stream = codec.encode(frame, quality, effort)
        assert stream[4] == 5
        lifted = _overlay(codec).lift(frame, flags_of(LEARNT, tiles)).copy()
        plain = tiny_codec.encode(lifted, quality, effort)
        assert parse_stream(stream).slices == parse_stream(plain).slices
        decoded = codec.decode(stream)
        assert np.array_equal(decoded, shown(LEARNT, tiny_codec.decode(plain), tiles))
    assert np.array_equal(frame, before)


def test_opaque_pixels_come_back_exactly_at_the_lowest_quality(codec: Codec, hud: Frame) -> None:
    opaque = np.zeros((HEIGHT, WIDTH), bool)
    for n in TILES:
        y, x = 16 * LEARNT.place[n].astype(int)
        opaque[y : y + 16, x : x + 16] = LEARNT.pixels[n, :, 3].reshape(16, 16) == 0
    decoded = codec.decode(codec.encode(hud, 1))
    assert opaque.sum() > 150
    assert np.array_equal(decoded[opaque], hud[opaque])
    assert not np.array_equal(decoded, hud)


def test_what_was_coded_is_found_again(codec: Codec, hud: Frame) -> None:
    """A frame that was coded before, as other software may have done, shows its overlay still."""
    again = codec.encode(codec.decode(codec.encode(hud, 1)), 8)
    assert parse_stream(again).overlay == _overlay(codec).pack(flags_of(LEARNT, TILES))


def test_each_rate_point_has_its_own_limit(codec: Codec, hud: Frame) -> None:
    noise = np.random.default_rng(3).integers(-8, 9, hud.shape)
    noisy = (hud + noise).clip(0, 255).astype(np.uint8)
    versions = [codec.encode(noisy, quality)[4] for quality in codec.qualities]
    assert versions == sorted(versions, reverse=True)
    assert (versions[0], versions[-1]) == (5, 4)


def test_the_latents_are_those_that_are_coded(
    codec: Codec, tiny_codec: Codec, hud: Frame, good: Stream
) -> None:
    left, flags = codec.lift(hud, 6)
    assert flags == good.overlay
    wanted = tiny_codec.latents(left.copy(), 6)
    assert np.array_equal(codec.latents(hud, 6).v, wanted.v)


def test_wrong_usage_is_told_as_before(codec: Codec, hud: Frame) -> None:
    for quality in (0, 9, -1, True, 1 << 70):
        with pytest.raises(UnknownQualityError):
            codec.encode(hud, quality)
    for wrong in (hud[..., :2], hud.astype(np.int16)):
        with pytest.raises(FrameShapeError):
            codec.lift(wrong, 1)


def _jobs(make_frame: MakeFrame) -> list[tuple[Frame, int]]:
    """Frames with and without an overlay, and of other sizes."""
    frames = [make_frame(HEIGHT, WIDTH, n) for n in range(6)]
    drawn = [shown(LEARNT, frame, TILES if n % 2 else PART) for n, frame in enumerate(frames)]
    mixed = [*drawn, frames[0], make_frame(48, 64, 9), drawn[0].transpose(1, 0, 2), drawn[1][::-1]]
    return [(frame, 1 + n % 8) for n, frame in enumerate(mixed)]


def test_streams_of_frames_and_batches(codec: Codec, make_frame: MakeFrame) -> None:
    jobs = _jobs(make_frame)
    wanted = [codec.encode(*job) for job in jobs]
    assert {data[4] for data in wanted} == {4, 5}
    with codec.stream(workers=3) as stream:
        assert list(stream.map(jobs)) == wanted
    decoded = codec.decode_batch(wanted)
    assert all(map(np.array_equal, decoded, map(codec.decode, wanted)))


def test_one_overlay_serves_many_threads(codec: Codec, make_frame: MakeFrame) -> None:
    jobs = _jobs(make_frame)
    wanted = [codec.encode(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda job: codec.encode(*job), jobs)) == wanted


def test_both_flavours_write_and_show_the_same(codec: Codec, hud: Frame) -> None:
    other = Codec(codec.bundle, SessionOptions(flavour="float", threads=2))
    stream = codec.encode(hud, 3)
    assert other.encode(hud, 3) == stream
    assert other.encode_batch([hud], 3) == [stream]
    assert np.array_equal(other.decode(stream), codec.decode(stream))


def _pack(stream: Stream, **changes: Any) -> bytes:
    """The stream with other values, all checksums of bytes right."""
    header = asdict(stream.header)
    del header["block_bytes"], header["has_overlay"]
    return pack_stream(**{**header, "slices": stream.slices, "overlay": stream.overlay, **changes})


def test_a_bundle_without_an_overlay(codec: Codec, tiny_codec: Codec, good: Stream) -> None:
    with pytest.raises(StreamForeignError):
        tiny_codec.decode(_pack(good))
    with pytest.raises(StreamHeaderError, match="the bundle has none"):
        tiny_codec.decode(_pack(good, codec_id=tiny_codec.id))


@pytest.mark.parametrize(
    "flags",
    [b"\0\0", b"\x03", b"\x0f", b"\xff", b"\xff\xff", b"\x01\0\0", bytes(300), b"\x80"],
    ids=str,
)
def test_flags_that_no_encoder_writes(codec: Codec, good: Stream, flags: bytes) -> None:
    with pytest.raises(StreamHeaderError, match="not the bundle's"):
        codec.decode(_pack(good, overlay=flags))


def test_flags_of_other_tiles_show_them(codec: Codec, good: Stream) -> None:
    """No checksum ties the flags to the latents: who forges a header may choose what is shown."""
    below = codec.decode(_pack(good, overlay=b""))
    for tiles in ([4], [2], PART):
        data = _pack(good, overlay=_overlay(codec).pack(flags_of(LEARNT, tiles)))
        assert np.array_equal(codec.decode(data), shown(LEARNT, below, tiles))
    # An encoder would have written version 4.
    assert np.array_equal(codec.decode(_pack(good, overlay=b"\0")), below)


@pytest.mark.parametrize("size", [(WIDTH - 1, HEIGHT), (HEIGHT, WIDTH), (1, 1), (16384, 5461)])
def test_a_frame_of_another_size(codec: Codec, good: Stream, size: tuple[int, int]) -> None:
    """It is refused before anything is decoded."""
    with pytest.raises(StreamHeaderError, match="an overlay for 88x70"):
        codec.decode(_pack(good, width=size[0], height=size[1]))


def test_the_overlay_among_the_slices(codec: Codec, good: Stream) -> None:
    """Flags are no slice, and a slice is no flags."""
    (data,) = good.slices
    for slices in ((data, good.overlay), (good.overlay,), (good.overlay, data)):
        with pytest.raises(LatentsChecksumError):
            codec.decode(_pack(good, slices=slices, overlay=b""))
    with pytest.raises(StreamHeaderError):
        codec.decode(_pack(good, overlay=data))


def test_every_prefix_and_every_bit(codec: Codec, good: Stream) -> None:
    data = _pack(good)
    for length in range(len(data)):
        with pytest.raises(CorruptError):
            parse_stream(data[:length])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptError):
            codec.decode(damaged)


def test_random_flags(codec: Codec, good: Stream) -> None:
    """Each is refused, or shows the picture with some tiles."""
    rng, below = np.random.default_rng(11), codec.decode(_pack(good, overlay=b""))
    seen = {True: 0, False: 0}
    for _ in range(100):
        data = _pack(good, overlay=rng.bytes(int(rng.integers(1, 4))))
        try:
            frame = codec.decode(data)
        except StreamHeaderError:
            seen[False] += 1
        else:
            seen[True] += 1
            assert np.array_equal(frame[:16, 32:], below[:16, 32:])
    assert min(seen.values()) > 3
