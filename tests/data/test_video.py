"""Videos: what is lost, every k-th frame, ends that come early, and the way without PyAV."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import ImageError, LibraryMissingError
from c3d_export.data.video import Video

from .pictures import drawn

av = pytest.importorskip("av", reason="PyAV makes the videos")

Make = Callable[..., Path]
FRAMES = [np.roll(drawn(3), 9 * index, 1) for index in range(7)]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(name: str, encoder: str, colours: str, copies: int = 1, title: str = "") -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            container.metadata.update({"title": title} if title else {})
            stream = container.add_stream(encoder, rate=5)
            stream.height, stream.width = FRAMES[0].shape[:2]
            stream.pix_fmt = colours
            for frame in FRAMES * copies:
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                container.mux(stream.encode(picture.reformat(format=colours)))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture(params=["PyAV", "ffmpeg"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "ffmpeg":
        pytest.importorskip("imageio_ffmpeg")
        _without(monkeypatch, "av")


def _without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = importlib.import_module

    def fake(name: str, *rest: Any) -> Any:
        if name in names:
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", fake)


@pytest.mark.usefixtures("way")
def test_lossless_rgb_gives_the_very_pixels(make: Make) -> None:
    video = Video(make("a.mkv", "ffv1", "bgr0"), every=3)
    found = list(video.frames())
    assert [number for number, _ in found] == [0, 3, 6]
    assert all(np.array_equal(frame, FRAMES[number]) for number, frame in found)
    assert (video.lossy, video.fault) == ("", "")


@pytest.mark.usefixtures("way")
def test_what_loses_pixels_is_named(make: Make) -> None:
    video = Video(make("a.mkv", "ffv1", "yuv420p"))
    assert len(list(video.frames())) == 7
    assert video.lossy == "ffv1 yuv420p"
    video = Video(make("b.mp4", "mpeg4", "yuv420p"))
    assert len(list(video.frames())) == 7
    assert video.lossy == "mpeg4 yuv420p"


def test_a_video_that_ends_early_gives_what_it_has(make: Make) -> None:
    path = make("a.mkv", "ffv1", "bgr0", copies=3)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    video = Video(path)
    found = list(video.frames())
    assert 5 < len(found) < 15
    assert all(np.array_equal(frame, FRAMES[number % 7]) for number, frame in found)
    assert video.fault


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("data", [b"", b"no video at all" * 99])
def test_what_is_no_video(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(ImageError, match="no frame can be decoded"):
        list(Video(tmp_path / "a.mp4").frames())


def test_damage_in_a_lossless_file_ends_it_there(make: Make) -> None:
    """Its decoder gives frames that look sound."""
    path = make("a.mkv", "ffv1", "bgr0")
    whole = list(Video(path).frames())
    data = bytearray(path.read_bytes())
    middle = 2 * len(data) // 3
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    video = Video(path)
    frames = list(video.frames())
    assert 0 < len(frames) < len(whole)
    assert "damaged" in video.fault
    for (_, frame), (_, wanted) in zip(frames, whole, strict=False):
        assert np.array_equal(frame, wanted)


def test_without_pyav_and_ffmpeg(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make("a.mkv", "ffv1", "bgr0")
    _without(monkeypatch, "av", "imageio_ffmpeg")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LibraryMissingError, match=r"c3d-export\[baselines\]"):
        list(Video(path).frames())


def test_a_title_of_another_coding(make: Make) -> None:
    path = make("a.avi", "mpeg4", "yuv420p", title="caf?")
    data = path.read_bytes()
    assert data.count(b"caf?") == 1
    path.write_bytes(data.replace(b"caf?", b"caf\xe9"))
    assert len(list(Video(path).frames())) == 7
