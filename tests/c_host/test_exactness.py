"""The C host gives the bytes and the pixels of the Python package."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.known import known_frame

from .host import GOLDEN, Case, Driver, sha256

Frame = NDArray[np.uint8]
MakeFrame = Callable[..., Frame]

WAYS = list(itertools.product(["qlinear", "float"], [1, 2]))


@pytest.fixture(scope="module")
def codec() -> Codec:
    return open_codec(GOLDEN / "tiny.c3b", threads=1)


def _frames(make_frame: MakeFrame) -> list[tuple[Frame, int]]:
    """Frames with their rate points: the golden ones, odd sizes, one of two slices."""
    golden = [known_frame()[:h, :w] for h, w in ((1, 1), (16, 16), (17, 31), (72, 104))]
    sized = [make_frame(h, w, h + w) for h, w in ((17, 33), (64, 64), (1, 200), (129, 2))]
    small = [(frame, quality) for frame in (*golden, *sized) for quality in (1, 2, 3)]
    return [*small, (make_frame(720, 1280, 3), 3), (make_frame(17, 33, 9), 2)]


def _encoding(frame: Frame, quality: int) -> Case:
    height, width = frame.shape[:2]
    return Case("e", np.ascontiguousarray(frame).tobytes(), (width, height, quality))


@pytest.mark.parametrize("version", ["v4", "v5"])
@pytest.mark.parametrize(("flavour", "threads"), WAYS)
def test_golden_streams_decode_to_the_recorded_pixels(
    driver: Driver, flavour: str, threads: int, version: str
) -> None:
    folder = GOLDEN.parent / version
    hashes: dict[str, str] = json.loads((folder / "frames.json").read_text())
    cases = [Case("d", (folder / name).read_bytes()) for name in hashes]
    bundle = folder / "tiny.c3b"
    answers = driver.run(cases, bundle=bundle, flavour=flavour, threads=threads)
    assert {a.status for a in answers} == {"OK"}
    assert [a.text for a in answers] == list(hashes.values())


@pytest.mark.parametrize(("flavour", "threads"), WAYS)
def test_streams_and_pixels_are_those_of_python(
    driver: Driver, codec: Codec, make_frame: MakeFrame, flavour: str, threads: int
) -> None:
    frames = _frames(make_frame)
    streams = [codec.encode(frame, quality) for frame, quality in frames]
    coded = driver.run([_encoding(*f) for f in frames], flavour=flavour, threads=threads)
    assert [(a.status, bytes.fromhex(a.text)) for a in coded] == [("OK", s) for s in streams]
    decoded = driver.run([Case("d", s) for s in streams], flavour=flavour, threads=threads)
    assert [a.text for a in decoded] == [sha256(codec.decode(s).tobytes()) for s in streams]


def test_more_threads_than_rows(driver: Driver, codec: Codec, make_frame: MakeFrame) -> None:
    frame = make_frame(720, 1280, 4)
    stream = codec.encode(frame, 2)
    answers = driver.run([_encoding(frame, 2), Case("d", stream)], threads=7)
    assert [a.text for a in answers] == [stream.hex(), sha256(codec.decode(stream).tobytes())]


def test_a_bundle_that_is_shipped(driver: Driver, make_frame: MakeFrame) -> None:
    """Of another size than the golden one, and with latents that have no copies."""
    path = GOLDEN.parents[2] / "exported" / "generic-small.c3b"
    if not path.is_file():
        pytest.skip("no bundle in exported/")
    codec = open_codec(path, threads=2)
    frames = [(make_frame(100, 150, 5), q) for q in (codec.qualities[0], codec.qualities[-1])]
    streams = [codec.encode(*f) for f in frames]
    cases = [*(_encoding(*f) for f in frames), *(Case("d", s) for s in streams)]
    wanted = [s.hex() for s in streams] + [sha256(codec.decode(s).tobytes()) for s in streams]
    assert [a.text for a in driver.run(cases, bundle=path, threads=2)] == wanted


def test_sha256(driver: Driver) -> None:
    rng = np.random.default_rng(1)
    texts = [rng.bytes(n) for n in (*range(130), 1000, 4096, 1 << 20)]
    answers = driver.run([Case("h", text) for text in texts])
    assert [a.text for a in answers] == [sha256(text) for text in texts]
