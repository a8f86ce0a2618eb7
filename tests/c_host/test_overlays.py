"""Overlays: the streams, the pixels and the errors of the Python package."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import parse_stream

from .forged import GOOD, Repack
from .forged_streams import flips, pack, signed
from .host import Case, Driver, sha256, status_after
from .opening import compare_opening
from .overlaid import drawn, forged_arrays, overlaid, overlay_arrays, overlay_in

Frame = NDArray[np.uint8]
MakeFrame = Callable[..., Frame]

HEIGHT, WIDTH, GROUPS = 70, 88, 12
"""Of the overlay; sides are no multiples of 16. Three tiles a group, more than there are places."""
TILES = (6, 7, 8, 0, 2)
"""The third group, and two tiles of the first."""
FLAGS = "11101" + "0" + "10" + "0" * (GROUPS - 3)
"""Their bits in a stream, of which seven are left of the last byte."""


@dataclass(frozen=True)
class Opened:
    path: Path
    codec: Codec


@pytest.fixture(scope="module")
def opened(repack: Repack, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    path = tmp_path_factory.mktemp("overlaid") / "overlaid.c3b"
    path.write_bytes(overlaid(repack, overlay_arrays(HEIGHT, WIDTH, GROUPS)))
    return Opened(path, open_codec(path, threads=1))


@pytest.fixture(scope="module")
def stream(opened: Opened, make_frame: MakeFrame) -> bytes:
    """Of a frame that shows a whole group and two tiles of another."""
    return opened.codec.encode(drawn(opened.codec, make_frame(HEIGHT, WIDTH, 8), TILES), 2)


def _frames(codec: Codec, make_frame: MakeFrame) -> list[tuple[Frame, int]]:
    """With no tile, a third of a group, two thirds, several groups, all; blurred by noise; of other
    sizes."""
    chosen: list[Sequence[int]] = [[], [4], [3, 4], TILES, range(3 * GROUPS)]
    frames = [drawn(codec, make_frame(HEIGHT, WIDTH, i), tiles) for i, tiles in enumerate(chosen)]
    noise = np.random.default_rng(1).integers(-6, 7, frames[2].shape)
    frames.append((frames[2] + noise).clip(0, 255).astype(np.uint8))
    frames += [frames[2][:-1], frames[2][:, 1:], make_frame(WIDTH, HEIGHT, 6)]
    return [(np.ascontiguousarray(frame), q) for frame in frames for q in (1, 2, 3)]


def _encoding(frame: Frame, quality: int) -> Case:
    height, width = frame.shape[:2]
    return Case("e", frame.tobytes(), (width, height, quality))


def _check(
    driver: Driver, opened: Opened, frames: list[tuple[Frame, int]], flavour: str, threads: int
) -> list[int]:
    """That both give one result; the versions of the streams. The driver codes each frame with
    gaps between its rows, and without."""
    streams = [opened.codec.encode(*frame) for frame in frames]
    cases = [*(_encoding(*frame) for frame in frames), *(Case("d", data) for data in streams)]
    wanted = [data.hex() for data in streams]
    wanted += [sha256(opened.codec.decode(data).tobytes()) for data in streams]
    answers = driver.run(cases, bundle=opened.path, flavour=flavour, threads=threads)
    assert [(a.status, a.text) for a in answers] == [("OK", text) for text in wanted]
    return [data[4] for data in streams]


@pytest.mark.parametrize(
    ("flavour", "threads"), list(itertools.product(["qlinear", "float"], [1, 2]))
)
def test_streams_and_pixels_are_those_of_python(
    driver: Driver, opened: Opened, make_frame: MakeFrame, flavour: str, threads: int
) -> None:
    frames = _frames(opened.codec, make_frame)
    versions = _check(driver, opened, frames, flavour, threads)
    # Less than half of a group; more; noise, which the last rate point does not take; other sizes.
    assert versions == [4] * 6 + [5] * 9 + [5, 5, 4] + [4] * 9


def test_several_slices(
    driver: Driver, repack: Repack, make_frame: MakeFrame, tmp_path: Path
) -> None:
    path = tmp_path / "large.c3b"
    path.write_bytes(overlaid(repack, overlay_arrays(720, 1280, 300, 3)))
    codec = open_codec(path, threads=2)
    frame = drawn(codec, make_frame(720, 1280, 2), range(450))
    assert _check(driver, Opened(path, codec), [(frame, 2)], "qlinear", 2) == [5]
    parsed = parse_stream(codec.encode(frame, 2))
    flags = overlay_in(codec).unpack(parsed.overlay, 720, 1280)
    assert len(parsed.slices) == 2
    assert flags[:450].sum() > 225
    assert not flags[450:].any()


def test_the_same_under_the_sanitizers(
    sanitized: Driver, opened: Opened, make_frame: MakeFrame
) -> None:
    frames = _frames(opened.codec, make_frame)[::2]
    assert 5 in _check(sanitized, opened, frames, "qlinear", 2)


def test_the_smallest_overlay(
    sanitized: Driver, repack: Repack, make_frame: MakeFrame, tmp_path: Path
) -> None:
    """One tile that is the whole frame."""
    path = tmp_path / "smallest.c3b"
    path.write_bytes(overlaid(repack, overlay_arrays(16, 16, 1, 1)))
    codec = open_codec(path, threads=1)
    frames = [drawn(codec, make_frame(16, 16), tiles) for tiles in ([], [0])]
    found = _check(sanitized, Opened(path, codec), [(f, 1) for f in frames], "qlinear", 1)
    assert found == [4, 5]


def test_damaged_overlays(driver: Driver, sanitized: Driver, repack: Repack) -> None:
    forged = forged_arrays(overlay_arrays(HEIGHT, WIDTH, GROUPS))
    bundles = [overlaid(repack, arrays) for arrays in forged]
    found = compare_opening(driver, bundles)
    assert found == {"OK", "ERR_BUNDLE_MEMBER"}  # a table, a limit, a symbol may be another one
    cases = [Case("b", data) for data in bundles]
    assert sanitized.run(cases) == driver.run(cases)


def test_every_allocation_may_fail(sanitized: Driver, repack: Repack) -> None:
    bundles = [GOOD, overlaid(repack, overlay_arrays(20, 40, 2, 1))]
    answers = sanitized.run([Case("m", data) for data in bundles], threads=2)
    assert [a.status for a in answers] == ["OK", "OK"]
    # More are made when it is opened, and as many for a frame.
    assert int(answers[1].text) > int(answers[0].text)


def _packed(bits: str) -> bytes:
    return np.packbits([int(bit) for bit in bits], bitorder="little").tobytes()


def _wrong_flags() -> list[bytes]:
    """Bits that are left, that lack, and such as no encoder writes."""
    good, rest = _packed(FLAGS), FLAGS[5:]
    found = [good[:-1], good[:1], good + b"\0", bytes(9), bytes(100), b"\xff" * 8]
    found += [_packed(FLAGS + last) for last in ("1", "0000001")]
    return found + [_packed(first + rest) for first in ("11111", "11000")]


def test_forged_flags_are_refused(driver: Driver, opened: Opened, stream: bytes) -> None:
    good = parse_stream(stream)
    assert good.overlay == _packed(FLAGS)
    single, plain = pack(good, overlay=b""), Codec(parse_bundle(GOOD), SessionOptions(threads=1))
    wrong = [
        signed(single, 4, b"\5"),
        signed(pack(good, overlay=b"", slices=(*good.slices, b"")), 4, b"\5"),
        *(pack(good, overlay=flags) for flags in _wrong_flags()),
        *(pack(good, width=w, height=h) for w, h in ((HEIGHT, WIDTH), (WIDTH, 1), (16384, 5461))),
        pack(good, quality=4),
    ]
    answers = driver.run([Case("d", data) for data in wrong], bundle=opened.path)
    assert [a.status for a in answers] == ["ERR_STREAM_HEADER"] * len(wrong)
    assert {status_after(lambda d=d: opened.codec.decode(d)) for d in wrong} == {answers[0].status}
    (answer,) = driver.run([Case("d", pack(good, codec_id=plain.id))])
    assert (answer.status, "none for frames" in answer.text) == ("ERR_STREAM_HEADER", True)


def _streams(stream: bytes) -> list[bytes]:
    """Prefixes, flipped bits, forgeries, and such as are only other streams."""
    good = parse_stream(stream)
    others = ("0" * GROUPS, "10" * GROUPS, "0" * (GROUPS - 1) + "11001")
    forged = [pack(good, overlay=_packed(bits)) for bits in others]
    forged += [pack(good, codec_id=bytes(8), overlay=b"\1"), pack(good, quality=4, overlay=b"\1")]
    forged += [pack(good, overlay=b""), pack(good, slices=(*good.slices, b""))]
    forged += [pack(good, slices=(good.overlay,), overlay=good.slices[0])]
    forged += [pack(good, quality=3), pack(good, latents_crc=1), stream + b"\0", stream * 2]
    forged += [signed(stream, 4, version) for version in (b"\3", b"\4", b"\6")]
    forged += [signed(stream, offset, b"\1") for offset in (5, 7)]
    return [stream, *forged, *(stream[:n] for n in range(len(stream))), *flips(stream)]


def test_every_prefix_every_bit_and_forgeries(
    driver: Driver, sanitized: Driver, opened: Opened, stream: bytes
) -> None:
    streams = _streams(stream)
    cases = [Case("d", data) for data in streams]
    answers = driver.run(cases, bundle=opened.path)
    wanted = [status_after(lambda d=d: opened.codec.decode(d)) for d in streams]
    assert [a.status for a in answers] == wanted
    # Other tiles may be flagged: then they are what is shown.
    shown = [sha256(opened.codec.decode(data).tobytes()) for data in streams[:4]]
    assert [a.text for a in answers[:4]] == shown
    assert len(set(shown)) == 4
    assert sanitized.run(cases, bundle=opened.path, threads=2) == answers
