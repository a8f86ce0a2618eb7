"""Images: what is read and written, and one test per kind of file that is refused."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from c3d_export.core.errors import (
    DiskError,
    FrameShapeError,
    ImageError,
    MissingInputError,
    OptionError,
)
from c3d_export.runtime.images import (
    Frame,
    check_frame,
    is_lossless,
    list_images,
    read_image,
    read_raw,
    write_image,
    write_raw,
)

FRAME: Frame = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)


def _bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, depth: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


PNG = _bytes(Image.fromarray(FRAME))
WEBP = _bytes(Image.fromarray(FRAME), "WEBP", lossless=True)
JPEG = _bytes(Image.fromarray(FRAME), "JPEG", quality=95)


@pytest.mark.parametrize("data", [PNG, WEBP])
def test_lossless_files_give_the_same_pixels(data: bytes) -> None:
    frame = read_image(data)
    assert frame.dtype == np.uint8
    assert frame.flags.writeable
    np.testing.assert_array_equal(frame, FRAME)


@pytest.mark.parametrize("data", [PNG, WEBP, JPEG])
def test_the_content_decides_and_not_the_suffix(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    pixels = np.array(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.txt"), pixels)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_greyscale_is_replicated(kind: str) -> None:
    frame = read_image(_bytes(Image.fromarray(FRAME[:, :, 0]), kind))
    assert frame.shape == FRAME.shape
    assert (frame == frame[:, :, :1]).all()
    if kind == "PNG":
        np.testing.assert_array_equal(frame[:, :, 0], FRAME[:, :, 0])


def test_one_bit_and_two_bits_of_grey_span_the_whole_range() -> None:
    assert read_image(_png(4, 1, 1, 0, b"\0\xa0"))[0, :, 0].tolist() == [255, 0, 255, 0]
    assert read_image(_png(4, 1, 2, 0, b"\0\x1b"))[0, :, 0].tolist() == [0, 85, 170, 255]


def test_a_palette_is_expanded() -> None:
    image = Image.fromarray(FRAME).quantize(16)
    np.testing.assert_array_equal(read_image(_bytes(image)), np.array(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_opaque_alpha_is_dropped(kind: str) -> None:
    opaque = Image.fromarray(np.dstack([FRAME, np.full((6, 9), 255, np.uint8)]))
    np.testing.assert_array_equal(read_image(_bytes(opaque, kind, lossless=True)), FRAME)


def test_opaque_grey_with_alpha_is_replicated() -> None:
    data = _bytes(Image.fromarray(FRAME[:, :, 0]).convert("LA"))
    np.testing.assert_array_equal(read_image(data)[:, :, 2], FRAME[:, :, 0])


def test_a_transparent_colour_that_no_pixel_has_is_dropped() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    data = _bytes(Image.fromarray(frame), transparency=(1, 2, 3))
    np.testing.assert_array_equal(read_image(data), frame)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_the_exif_orientation_is_applied(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate clockwise
    data = _bytes(Image.fromarray(FRAME), kind, exif=exif, lossless=True)
    frame = read_image(data)
    assert frame.shape == (9, 6, 3)
    if kind != "JPEG":
        np.testing.assert_array_equal(frame, np.rot90(FRAME, -1))


def test_a_colour_profile_changes_no_number() -> None:
    data = _bytes(Image.fromarray(FRAME), icc_profile=b"not even a profile")
    np.testing.assert_array_equal(read_image(data), FRAME)


# What is refused.


@pytest.mark.parametrize("alpha", [0, 254])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_rgba(kind: str, alpha: int) -> None:
    rgba = np.dstack([FRAME, np.full((6, 9), 255, np.uint8)])
    rgba[3, 4, 3] = alpha
    with pytest.raises(ImageError, match="no alpha"):
        read_image(_bytes(Image.fromarray(rgba), kind, lossless=True))


@pytest.mark.parametrize("transparency", [0, b"\x80\xff"])
def test_transparent_palette(transparency: object) -> None:
    image = Image.new("P", (3, 3), 0)
    image.putpalette([1, 2, 3, 4, 5, 6])
    with pytest.raises(ImageError, match="no alpha"):
        read_image(_bytes(image, transparency=transparency))


def test_transparent_grey_and_a_transparent_colour_that_pixels_have() -> None:
    key_colour = _bytes(Image.new("RGB", (3, 3), (1, 2, 3)), transparency=(1, 2, 3))
    for data in (_bytes(Image.new("LA", (3, 3), (7, 8))), key_colour):
        with pytest.raises(ImageError, match="no alpha"):
            read_image(data)


def test_16_bit_grey() -> None:
    data = _bytes(Image.fromarray(np.full((3, 3), 300, np.uint16)))
    with pytest.raises(ImageError, match="16 bits a channel; convert it to 8"):
        read_image(data)


def test_16_bit_rgb_which_pillow_would_cut_to_8() -> None:
    data = _png(1, 1, 16, 2, b"\0" + bytes(6))
    assert Image.open(io.BytesIO(data)).mode == "RGB"
    with pytest.raises(ImageError, match="16 bits a channel"):
        read_image(data)


def test_cmyk() -> None:
    with pytest.raises(ImageError, match="CMYK"):
        read_image(_bytes(Image.new("CMYK", (8, 8)), "JPEG"))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations(kind: str) -> None:
    others = [Image.fromarray(255 - FRAME)]
    data = _bytes(Image.fromarray(FRAME), kind, save_all=True, append_images=others)
    with pytest.raises(ImageError, match="animated"):
        read_image(data)


@pytest.mark.parametrize("data", [PNG, WEBP, JPEG])
def test_every_truncation(data: bytes) -> None:
    for length in range(0, len(data) - 2, 3):
        with pytest.raises(ImageError):
            read_image(data[:length])


def test_every_bit_flip_of_a_png() -> None:
    for bit in range(0, 8 * len(PNG), 5):
        data = bytearray(PNG)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ImageError):
            read_image(bytes(data))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([PNG, WEBP, JPEG]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_gives_a_frame_or_an_error_of_ours(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(data)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImageError):  # any other error fails the test
            assert read_image(bytes(damaged)).ndim == 3


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match=r"a\.png: it is empty"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("data", [b"hello\n", b"GIF89a" + bytes(20), b"BM" + bytes(60)])
def test_another_file_renamed_to_png(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match="no PNG, WebP or JPEG"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(16385, 1), (1, 16385), (16384, 5462), (2**31 - 1, 2**31 - 1)])
def test_a_huge_header_in_a_small_png(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"{size[0]}x{size[1]} pixels"):
        read_image(_png(*size))


def test_a_huge_header_in_a_small_jpeg() -> None:
    start = JPEG.index(b"\xff\xc0") + 5
    data = JPEG[:start] + b"\xff\xff\xff\xff" + JPEG[start + 4 :]
    with pytest.raises(ImageError, match="65535x65535 pixels"):
        read_image(data)


def test_a_huge_header_in_a_small_webp() -> None:
    # VP8L stores width - 1 and height - 1 in 14 bits each, after a signature byte.
    start = WEBP.index(b"VP8L") + 9
    bits = int.from_bytes(WEBP[start : start + 4], "little") | 0x0FFFFFFF
    data = WEBP[:start] + bits.to_bytes(4, "little") + WEBP[start + 4 :]
    with pytest.raises(ImageError):
        read_image(data)


@pytest.mark.parametrize("name", ["missing.png", "", "zero\0byte.png"])
def test_missing_files_and_folders(tmp_path: Path, name: str) -> None:
    for function in (read_image, is_lossless):
        with pytest.raises(MissingInputError, match="cannot open"):
            function(tmp_path / name)


def test_an_error_is_one_line_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.png"
    path.write_bytes(PNG[:50])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert "two lines.png: it is truncated" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_which_files_are_lossless() -> None:
    lossy = _bytes(Image.fromarray(FRAME), "WEBP", quality=80)
    extended = _bytes(Image.fromarray(FRAME), "WEBP", lossless=True, icc_profile=b"profile")
    assert is_lossless(PNG)
    assert is_lossless(WEBP)
    assert is_lossless(extended)
    assert not is_lossless(lossy)
    assert not is_lossless(JPEG)
    assert not is_lossless(b"RIFF\0\0\0\0WEBP")


# Writing.


@pytest.mark.parametrize("name", ["a.png", "a.webp", "A.PNG"])
def test_what_is_written_is_read_back_exactly(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, FRAME)
    np.testing.assert_array_equal(read_image(tmp_path / name), FRAME)
    assert is_lossless(tmp_path / name)


def test_a_view_with_strides_is_written(tmp_path: Path) -> None:
    view = FRAME[::-1, ::2]
    write_image(tmp_path / "a.png", view)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), view)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.bmp", "a"])
def test_lossy_and_unknown_outputs_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=r"choose \.png or \.webp"):
        write_image(tmp_path / name, FRAME)
    assert not list(tmp_path.iterdir())


def test_jpeg_is_written_on_demand(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", FRAME, jpeg_quality=100)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - FRAME).max() < 8
    for quality in (0, 101):
        with pytest.raises(OptionError):
            write_image(tmp_path / "a.jpg", FRAME, jpeg_quality=quality)


def test_a_side_that_webp_does_not_hold(tmp_path: Path) -> None:
    with pytest.raises(FrameShapeError, match=r"16384x1 .*choose \.png"):
        write_image(tmp_path / "a.webp", np.zeros((1, 16384, 3), np.uint8))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="create the folder first"):
        write_image(tmp_path / "no" / "a.png", FRAME)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.astype(np.float32),
        FRAME[:, :, 0],
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((0, 2, 3), np.uint8),
        np.zeros((1, 16385, 3), np.uint8),
        [[[1, 2, 3]]],
        None,
    ],
)
def test_what_is_no_frame(frame: object) -> None:
    with pytest.raises(FrameShapeError):
        check_frame(frame)


# Raw frames.


class _Dripping(io.RawIOBase):
    """A pipe that gives and takes at most 7 bytes at a time."""

    def __init__(self, data: bytes = b"") -> None:
        self.inner = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(min(size, 7))

    def write(self, data: Any) -> int:
        return self.inner.write(bytes(data[:7]))


def test_raw_frames_survive_a_slow_pipe() -> None:
    out: Any = _Dripping()
    write_raw(out, FRAME)
    write_raw(out, FRAME[:, ::-1])
    source: Any = _Dripping(out.inner.getvalue())
    first, second = read_raw(source, 9, 6)
    np.testing.assert_array_equal(first, FRAME)
    np.testing.assert_array_equal(second, FRAME[:, ::-1])
    assert first.flags.writeable


def test_no_raw_frame_at_all_and_a_short_last_one() -> None:
    assert list(read_raw(io.BytesIO(), 9, 6)) == []
    frames = read_raw(io.BytesIO(bytes(162 + 100)), 9, 6)
    assert next(frames).shape == (6, 9, 3)
    with pytest.raises(ImageError, match="raw frame 1 ends after 100 of 162 bytes"):
        next(frames)


def test_raw_frames_of_an_impossible_size() -> None:
    with pytest.raises(FrameShapeError):
        next(read_raw(io.BytesIO(), 0, 6))


class _Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")

    def write(self, data: Any) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_broken_pipes() -> None:
    broken: Any = _Broken()
    with pytest.raises(MissingInputError, match="Input/output error"):
        next(read_raw(broken, 9, 6))
    with pytest.raises(DiskError, match="Broken pipe"):
        write_raw(broken, FRAME)


def test_images_of_a_folder_are_sorted_and_nothing_else_is_listed(tmp_path: Path) -> None:
    for name in ("b.webp", "a.PNG", "c.jpg", "d.jpeg", ".e.png", "f.txt", ".g.png.c3d-tmp"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.PNG", "b.webp", "c.jpg", "d.jpeg"]


def test_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        with pytest.raises(MissingInputError, match="cannot list"):
            list_images(tmp_path / name)
