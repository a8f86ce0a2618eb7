"""Damaged and forged streams: the same error as Python's, under the sanitizers too."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.known import known_frame
from c3d_export.runtime.stream import parse_stream, peek_header

from .forged_streams import flips, pack, signed
from .host import GOLDEN, Case, Driver, status_after

SMALL = (GOLDEN / "31x17-q3.c3s").read_bytes()


@pytest.fixture(scope="module")
def codec() -> Codec:
    return open_codec(GOLDEN / "tiny.c3b", threads=1)


def _status(codec: Codec, data: bytes) -> str:
    return status_after(lambda: codec.decode(data))


def _forged() -> list[bytes]:
    """Streams whose bytes are sound and which no encoder wrote."""
    good = parse_stream(SMALL)
    (data,) = good.slices
    payloads = [b"", data[:-1], data[: len(data) // 2], data + b"\0", data * 2, data[::-1]]
    rng = np.random.default_rng(3)
    noise = [rng.bytes(int(rng.integers(0, 2 * len(data) + 8))) for _ in range(60)]
    noise = [bytes([b[0] % 7]) + b[1:] if b else b for b in noise]
    streams = [pack(good, slices=(payload,)) for payload in (*payloads, *noise)]
    streams += [pack(good, quality=q) for q in (1, 2, 4, 255)]
    streams += [pack(good, latents_crc=good.header.latents_crc ^ flip) for flip in (1, 1 << 31)]
    streams += [pack(good, codec_id=bytes(8))]
    sizes = [(64, 64), (1, 1), (17, 31), (16384, 5461), (64, 16384), (20, 17)]
    streams += [pack(good, width=w, height=h) for w, h in sizes]
    streams += [pack(good, slices=wrong) for wrong in ((data, data), (data, b""), (b"",) * 255)]
    headers = [(5, b"\1"), (7, b"\x80"), (6, b"\0"), (8, b"\0\0"), (10, b"\0\0"), (8, b"\1\x40")]
    headers += [(8, b"\x00\x40\x00\x40"), (20, b"\xff\xff\xff\xff"), (20, b"\0\0\0\x10")]
    headers += [(20, b"\0\0\0\0"), (20, b"\1\0\0\0"), (4, b"\5"), (4, b"\3"), (4, b"\6")]
    streams += [signed(SMALL, *change) for change in headers]
    blocks = [b"", b"\2", b"\2\0", b"\2\1", b"\3\1" + SMALL[34:], b"\2\0" + SMALL[34:]]
    streams += [
        signed(SMALL[:32] + block, 20, len(block).to_bytes(4, "little")) for block in blocks
    ]
    return [*streams, SMALL + b"\0", SMALL * 2, b"", b"\x89PNG\r\n\x1a\n" + bytes(40), bytes(64)]


def _cases(codec: Codec) -> tuple[list[Case], list[str]]:
    """Streams to decode, with the statuses that Python's errors stand for."""
    streams = [SMALL[:n] for n in range(len(SMALL))] + flips(SMALL) + _forged()
    streams += [data[:n] for data in (SMALL,) for n in (31, 32, 33)]
    return [Case("d", data) for data in streams], [_status(codec, data) for data in streams]


def test_every_prefix_every_bit_and_forgeries(driver: Driver, codec: Codec) -> None:
    cases, wanted = _cases(codec)
    answers = driver.run(cases)
    assert [a.status for a in answers] == wanted
    assert set(wanted) > {
        "OK",  # a forger may crop a frame: the checksums are over latents and bytes
        "ERR_STREAM_MAGIC",
        "ERR_STREAM_VERSION",
        "ERR_STREAM_TRUNCATED",
        "ERR_STREAM_TRAILING",
        "ERR_STREAM_HEADER",
        "ERR_STREAM_CHECKSUM",
        "ERR_STREAM_FOREIGN",
        "ERR_LATENTS_CHECKSUM",
    } - {"OK"}
    assert all(a.text and len(a.text) < 256 for a in answers)


def test_the_same_under_the_sanitizers(sanitized: Driver, codec: Codec) -> None:
    cases, wanted = _cases(codec)
    assert [a.status for a in sanitized.run(cases, threads=2)] == wanted


def test_peeking(driver: Driver) -> None:
    streams = [SMALL[:n] for n in range(40)] + flips(SMALL[:32]) + _forged()
    answers = driver.run([Case("p", data) for data in streams])
    assert [a.status for a in answers] == [
        status_after(functools.partial(peek_header, data)) for data in streams
    ]
    info = driver.run([Case("p", SMALL[:32])])[0]
    assert info.text == f"31 17 3 {len(SMALL)}"


def test_damage_to_a_slice_is_named(driver: Driver, codec: Codec) -> None:
    data = bytearray((GOLDEN / "1280x720-q1.c3s").read_bytes())
    data[-1] ^= 1
    (answer,) = driver.run([Case("d", bytes(data))])
    assert answer.text.startswith("slice 2 of 2 is damaged")


def test_golden_streams_under_the_sanitizers(sanitized: Driver, codec: Codec) -> None:
    frame = np.ascontiguousarray(known_frame()[:50, :70])
    cases = [Case("d", path.read_bytes()) for path in sorted(GOLDEN.glob("*.c3s"))]
    cases.append(Case("e", frame.tobytes(), (70, 50, 2)))
    for threads in (1, 2):
        answers = sanitized.run(cases, threads=threads, flavour="float")
        assert {a.status for a in answers} == {"OK"}
        assert answers[-1].text == codec.encode(frame, 2).hex()


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ((4, 4, 0), "ERR_UNKNOWN_QUALITY"),
        ((4, 4, 4), "ERR_UNKNOWN_QUALITY"),
        ((0, 4, 1), "ERR_FRAME_SHAPE"),
        ((4, 0, 1), "ERR_FRAME_SHAPE"),
        ((16385, 1, 1), "ERR_FRAME_SHAPE"),
        ((16384, 16384, 1), "ERR_FRAME_SHAPE"),
        ((0, 0, 9), "ERR_UNKNOWN_QUALITY"),
    ],
)
def test_frames_that_cannot_be_coded(
    driver: Driver, numbers: tuple[int, int, int], status: str
) -> None:
    assert driver.run([Case("e", bytes(48), numbers)])[0].status == status
