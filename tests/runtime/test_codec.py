"""The codec of a host: round trips, determinism, threads, and what it refuses to code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import c3d_export
from c3d_export.core.errors import FrameShapeError, OptionError, UnknownQualityError
from c3d_export.runtime.bundle import Bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import peek_header

Frame = NDArray[np.uint8]
MakeFrame = Callable[..., Frame]


def _psnr(frame: Frame, decoded: Frame) -> float:
    return float(10 * np.log10(255**2 / np.square(frame.astype(float) - decoded).mean()))


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (40, 1), (15, 16), (16, 16), (17, 64), (63, 65), (96, 128)], ids=str
)
def test_a_frame_of_any_size_comes_back(
    tiny_codec: Codec, make_frame: MakeFrame, size: tuple[int, int]
) -> None:
    frame = make_frame(*size, 31)
    stream = tiny_codec.encode(frame, 8)
    header = peek_header(stream)
    assert (header.height, header.width, header.quality) == (*size, 8)
    assert header.codec_id == tiny_codec.id
    decoded = tiny_codec.decode(stream)
    assert decoded.shape == frame.shape
    assert decoded.dtype == np.uint8
    assert _psnr(frame, decoded) > 20


def test_the_api_of_the_package(tiny_path: Path, frame: Frame) -> None:
    codec = c3d_export.open_codec(str(tiny_path), device="cpu", threads=1)
    assert codec.qualities == range(1, 9)
    assert codec.id == codec.bundle.id
    assert codec.decode(codec.encode(frame, quality=4)).shape == frame.shape


def test_a_higher_quality_takes_more_bytes_and_gives_a_better_picture(
    tiny_codec: Codec, make_frame: MakeFrame
) -> None:
    frame = make_frame(96, 128, 2)  # one of those that the network was started from
    streams = [tiny_codec.encode(frame, quality) for quality in tiny_codec.qualities]
    sizes = [len(stream) for stream in streams]
    psnrs = [_psnr(frame, tiny_codec.decode(stream)) for stream in streams]
    assert sizes == sorted(set(sizes))
    assert psnrs == sorted(set(psnrs))
    assert psnrs[-1] - psnrs[0] > 2


def test_without_a_quality_it_is_the_middle_one(tiny_codec: Codec, frame: Frame) -> None:
    assert tiny_codec.encode(frame) == tiny_codec.encode(frame, 4)
    assert tiny_codec.encode(frame, np.int64(4)) == tiny_codec.encode(frame, 4)


@pytest.mark.parametrize(
    "quality", [0, 9, -1, True, "4", 4.0, 3.5, float("nan"), [4], np.array([1, 2]), 1 << 70]
)
def test_an_unknown_quality(tiny_codec: Codec, frame: Frame, quality: Any) -> None:
    with pytest.raises(UnknownQualityError, match="1 to 8"):
        tiny_codec.encode(frame, quality)
    with pytest.raises(UnknownQualityError):
        tiny_codec.latents(frame, quality)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.int8),
        np.zeros((16, 16, 3), np.uint16),
        np.zeros((16, 16), np.uint8),
        np.zeros((16, 16, 4), np.uint8),
        np.zeros((3, 16, 16), np.uint8),
        np.zeros((1, 16, 16, 3), np.uint8),
        np.zeros((0, 16, 3), np.uint8),
        np.zeros((1, 16385, 3), np.uint8),
        np.broadcast_to(np.uint8(0), (16384, 16384, 3)),
        [[[1, 2, 3]]],
        b"frame",
        None,
    ],
    ids=lambda w: f"{getattr(w, 'dtype', type(w).__name__)}{getattr(w, 'shape', '')}",
)
def test_what_is_no_frame(tiny_codec: Codec, wrong: Any) -> None:
    with pytest.raises(FrameShapeError):
        tiny_codec.encode(wrong, 4)


@pytest.mark.parametrize("wrong", ["text", None, 5, [1, 2]])
def test_what_is_no_stream(tiny_codec: Codec, wrong: Any) -> None:
    with pytest.raises(OptionError):
        tiny_codec.decode(wrong)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_streams_of_every_kind_of_bytes(
    tiny_codec: Codec, frame: Frame, kind: Callable[[bytes], Any]
) -> None:
    stream = tiny_codec.encode(frame, 2)
    assert np.array_equal(tiny_codec.decode(kind(stream)), tiny_codec.decode(stream))


def test_encoding_leaves_the_frame_alone_and_decoding_gives_a_new_one(
    tiny_codec: Codec, make_frame: MakeFrame
) -> None:
    frame = make_frame(33, 47, 5)
    before = frame.copy()
    stream = tiny_codec.encode(frame, 3)
    assert np.array_equal(frame, before)
    first = tiny_codec.decode(stream)
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(tiny_codec.decode(stream), kept)


def test_a_view_is_coded_as_its_copy(tiny_codec: Codec, make_frame: MakeFrame) -> None:
    large = make_frame(80, 90, 6)
    for view in (
        large[5:50:2, 3:70],
        large[::-1, ::-1],
        large.transpose(1, 0, 2),
        large[..., ::-1],
    ):
        assert not view.flags.c_contiguous
        assert tiny_codec.encode(view, 5) == tiny_codec.encode(view.copy(), 5)


def test_a_read_only_frame(tiny_codec: Codec, frame: Frame) -> None:
    assert not frame.flags.writeable
    assert tiny_codec.encode(frame, 5) == tiny_codec.encode(frame.copy(), 5)


def test_two_codecs_write_the_same_bytes_in_both_flavours(
    tiny_bundle: Bundle, tiny_codec: Codec, frame: Frame
) -> None:
    for flavour in ("qlinear", "float"):
        other = Codec(tiny_bundle, SessionOptions(flavour=flavour, threads=2))
        for quality in (1, 8):
            stream = tiny_codec.encode(frame, quality)
            assert other.encode(frame, quality) == stream
            assert np.array_equal(other.decode(stream), tiny_codec.decode(stream))


def test_one_codec_serves_many_threads(tiny_codec: Codec, make_frame: MakeFrame) -> None:
    frames = [make_frame(32 + 8 * i, 48, i) for i in range(8)]
    streams = [tiny_codec.encode(frame, i + 1) for i, frame in enumerate(frames)]
    pictures = [tiny_codec.decode(stream) for stream in streams]

    def work(i: int) -> bool:
        same = True
        for _ in range(5):
            stream = tiny_codec.encode(frames[i], i + 1)
            same &= stream == streams[i]
            same &= np.array_equal(tiny_codec.decode(stream), pictures[i])
        return same

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [True] * 8


SCRIPT = """
import sys
import numpy as np
import c3d_export
codec = c3d_export.open_codec(sys.argv[1], threads=1)
frame = np.full((20, 30, 3), 90, np.uint8)
assert codec.decode(codec.encode(frame, 4)).shape == frame.shape
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_a_host_loads_neither_torch_nor_onnx(tiny_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tiny_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"c3d_export", "numpy", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "onnx", "safetensors", "torch_pruning", "click", "rich"}
