"""The pictures that ffmpeg sends."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from c3d_export.core.errors import ImageError, LibraryMissingError
from c3d_export.data.ffmpeg import find_ffmpeg, read_picture


def test_no_ffmpeg_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(LibraryMissingError, match="Debian: ffmpeg"):
        find_ffmpeg()


@pytest.mark.parametrize(
    "data",
    [b"P5\n2 2\n255\n", b"P6\n2 x\n255\n", b"P6\n2 2\n65535\n", b"P6\n0 2\n255\n", b"x" * 200],
)
def test_what_is_no_picture_of_ffmpeg(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "stream").write_bytes(data)
    with (tmp_path / "stream").open("rb") as stream, pytest.raises(ImageError):
        read_picture(stream)


def test_pictures_of_ffmpeg_are_read_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "stream").write_bytes(b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nghiP6\n1 2\n255\nhalf")
    with (tmp_path / "stream").open("rb") as stream:
        first, second = read_picture(stream), read_picture(stream)
        with pytest.raises(ImageError, match="within a frame"):
            read_picture(stream)
        assert read_picture(stream) is None
    assert first is not None
    assert second is not None
    assert (first.shape, second.tobytes()) == ((1, 2, 3), b"ghi")
