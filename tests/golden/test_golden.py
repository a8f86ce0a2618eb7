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


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flipped_byte_of_a_golden_stream_is_an_error(version: str) -> None:
    codec = open_codec(FOLDER / version / "tiny.c3b")
    stream = (FOLDER / version / min(hashes_of(version))).read_bytes()
    for position in range(len(stream)):
        damaged = bytearray(stream)
        damaged[position] ^= 0x40
        with pytest.raises(CorruptError):
            codec.decode(bytes(damaged))
