"""Streams of every released format version decode to the same pixels, on this host, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import CorruptError
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import parse_stream

FOLDER = Path(__file__).parent
VERSIONS = sorted(path.name for path in FOLDER.iterdir() if (path / "frames.json").is_file())


def hashes_of(version: str) -> dict[str, str]:
    hashes: dict[str, str] = json.loads((FOLDER / version / "frames.json").read_text())
    return hashes


@pytest.mark.parametrize("flavour", ["qlinear", "float"])
@pytest.mark.parametrize("version", VERSIONS)
def test_golden_streams_decode_to_the_recorded_pixels(version: str, flavour: str) -> None:
    codec = Codec(read_bundle(FOLDER / version / "tiny.c3b"), SessionOptions("cpu", flavour))
    for name, wanted in hashes_of(version).items():
        frame = codec.decode((FOLDER / version / name).read_bytes())
        assert sha256_bytes(frame.tobytes()) == wanted, name


def test_there_are_golden_streams_of_version_4() -> None:
    assert "v4" in VERSIONS
    assert len(hashes_of("v4")) == 13
    sliced = parse_stream((FOLDER / "v4" / "1280x720-q1.c3s").read_bytes())
    assert len(sliced.slices) == 2


def test_there_are_golden_streams_of_version_5() -> None:
    """A bundle with an overlay writes version 4 too, for frames that show none of it."""
    hashes = hashes_of("v5")
    streams = {name: parse_stream((FOLDER / "v5" / name).read_bytes()) for name in hashes}
    overlaid = {name for name, stream in streams.items() if stream.header.has_overlay}
    shown = ("all", "group", "part")
    assert overlaid == {f"104x72-{name}-q{q}.c3s" for name in shown for q in (1, 2, 3)}
    assert len(hashes) == 13 + len(overlaid)
    assert len({streams[f"104x72-{name}-q1.c3s"].overlay for name in shown}) == 3


def test_golden_frames_show_other_pixels_where_they_show_other_tiles() -> None:
    hashes = hashes_of("v5")
    assert len({hashes[f"104x72-{name}q1.c3s"] for name in ("", "all-", "group-", "part-")}) == 4


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flipped_byte_of_a_golden_stream_is_an_error(version: str) -> None:
    codec = open_codec(FOLDER / version / "tiny.c3b")
    # One with an overlay, of those versions that have it: its name comes first.
    stream = (FOLDER / version / min(hashes_of(version))).read_bytes()
    assert stream[4] == int(version[1:])
    for position in range(len(stream)):
        damaged = bytearray(stream)
        damaged[position] ^= 0x40
        with pytest.raises(CorruptError):
            codec.decode(bytes(damaged))
