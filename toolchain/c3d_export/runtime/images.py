"""Images and raw frames: files to uint8 (height, width, 3) RGB and back.

What is read, by content and never by suffix: PNG, WebP, JPEG. A codec for 8-bit RGB must not lose
anything silently, so what does not fit is refused with the reason:

- greyscale is replicated to RGB, palettes are expanded;
- alpha that is opaque everywhere is dropped, any other transparency is refused;
- more than 8 bits a channel, CMYK and animations are refused;
- the EXIF orientation is applied; colour profiles and gamma are ignored, numbers stay as stored;
- a PNG's checksums are verified, which Pillow does not do for the pixels.
"""

from __future__ import annotations

import io
import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.errors import (
    C3DError,
    DiskError,
    FrameShapeError,
    ImageError,
    MissingInputError,
    OptionError,
)
from c3d_export.core.limits import MAX_IMAGE_BYTES, size_fault

Frame = NDArray[np.uint8]
Source = str | os.PathLike[str] | bytes

SUFFIXES: Final = frozenset({".png", ".webp", ".jpg", ".jpeg"})

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

# On 720p game frames 3 is three times as fast as 6 and 3 % larger.
_PNG_LEVEL = 3
# On 720p game frames effort 0 is twice as fast as 75 and 0.5 % larger.
_WEBP_EFFORT = 0


def read_image(source: Source) -> Frame:
    """The pixels of a PNG, WebP or JPEG file, or of its bytes: uint8, (height, width, 3), RGB.

    Raises MissingInputError where the file cannot be opened, and ImageError where it is damaged,
    beyond the limits of size, or of a kind that is refused (see the head of this module).
    """
    data, name = _load(source)
    try:
        return _decode(data)
    except C3DError as error:
        raise ImageError(f"cannot read {name}: {error}") from error
    except Exception as error:  # Pillow raises nearly anything on hostile files
        reason = str(error) or type(error).__name__
        raise ImageError(f"cannot read {name}: {reason}; replace the file") from error


def is_lossless(source: Source) -> bool:
    """Whether the file is of a lossless kind: PNG, or WebP whose pixels are coded losslessly.

    Looks at the container only. Raises MissingInputError where the file cannot be opened.
    """
    data, _ = _load(source)
    if data.startswith(_PNG_MAGIC):
        return True
    return _is_webp(data) and _webp_pixels(data) == b"VP8L"


def write_image(
    path: str | os.PathLike[str], frame: Frame, *, jpeg_quality: int | None = None
) -> None:
    """Writes a frame, uint8 (height, width, 3) RGB, atomically as its suffix says.

    `.png` and `.webp` are lossless. `.jpg` and `.jpeg` lose pixels, so that they need a
    `jpeg_quality` in 1..100 (4:4:4). Raises OptionError for other suffixes, FrameShapeError for
    other arrays or a side that the format does not hold, DiskError where writing fails.
    """
    image = Image.fromarray(check_frame(frame))
    buffer = io.BytesIO()
    kind, options = _writer(Path(path), jpeg_quality)
    try:
        image.save(buffer, kind, **options)
    except Exception as error:  # WebP holds 16383 a side, one less than we allow
        height, width = frame.shape[:2]
        message = f"cannot write {width}x{height} as {kind}: {error}; choose .png"
        raise FrameShapeError(message) from error
    write_bytes_atomic(path, buffer.getvalue())


def check_frame(frame: object) -> Frame:
    """The frame itself where it is uint8, (height, width, 3), within the limits of size.

    Raises FrameShapeError otherwise.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise FrameShapeError(f"a frame must be an array of uint8, not {kind}; convert it")
    if frame.ndim != 3 or frame.shape[2] != 3:
        message = f"a frame must have the shape (height, width, 3), not {frame.shape}; reshape it"
        raise FrameShapeError(message)
    if fault := size_fault(frame.shape[1], frame.shape[0]):
        raise FrameShapeError(f"a frame has {fault}; cut it into smaller ones")
    return frame


def read_raw(stream: BinaryIO, width: int, height: int) -> Iterator[Frame]:
    """The frames of a raw RGB stream (3 bytes a pixel, no header), one after the other.

    Raises FrameShapeError for a size beyond the limits, ImageError where the last frame is
    short, MissingInputError where reading fails. Memory: one frame.
    """
    if fault := size_fault(width, height):
        raise FrameShapeError(f"raw frames have {fault}; give the size of the frames")
    size = width * height * 3
    for index in itertools.count():
        data = _read_up_to(stream, size)
        if not data:
            return
        if len(data) < size:
            message = f"raw frame {index} ends after {len(data)} of {size} bytes; check the size"
            raise ImageError(message)
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def write_raw(stream: BinaryIO, frame: Frame) -> None:
    """Writes a frame, uint8 (height, width, 3), as raw RGB. Raises DiskError, FrameShapeError."""
    data = np.ascontiguousarray(check_frame(frame)).data.cast("B")
    try:
        while data:
            data = data[stream.write(data) :]
    except OSError as error:
        raise DiskError(f"cannot write raw frames: {error}; check the output") from error


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The images directly in a folder, by suffix, sorted by name; hidden files are left out.

    Raises MissingInputError where the folder cannot be listed.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES]
        return sorted(path for path in paths if path.name[0] != "." and path.is_file())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot list {os.fspath(folder)}: {reason}; check the path"
        raise MissingInputError(message) from error


def _load(source: Source) -> tuple[bytes, str]:
    """The bytes of a file, and what to call it in a message."""
    if isinstance(source, bytes):
        return source, "the image"
    try:
        with open(source, "rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot open {os.fspath(source)}: {reason}; check the path"
        raise MissingInputError(message) from error
    return data, os.fspath(source)


def _decode(data: bytes) -> Frame:
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"it has more than {MAX_IMAGE_BYTES} bytes; replace the file")
    with _open(data) as image:
        if fault := size_fault(*image.size):
            raise ImageError(f"it has {fault}; cut it into smaller ones")
        if getattr(image, "is_animated", False):
            raise ImageError("it is animated; extract its frames first")
        if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
            raise ImageError(f"its colours are {image.mode}; convert it to 8-bit RGB")
        upright = ImageOps.exif_transpose(image)
    return np.array(_without_alpha(upright).convert("RGB"))


def _open(data: bytes) -> ImageFile:
    """Reads the header only. Not Image.open, which would warn or raise by limits of its own."""
    if not data:
        raise ImageError("it is empty; replace the file")
    if data.startswith(_PNG_MAGIC):
        _check_png(data)
        return PngImageFile(io.BytesIO(data))
    if _is_webp(data):
        return WebPImageFile(io.BytesIO(data))
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile(io.BytesIO(data))
    raise ImageError("it is no PNG, WebP or JPEG; convert it")


def _check_png(data: bytes) -> None:
    """Checks every chunk's CRC up to IEND, and the bit depth, of which Pillow cuts 16 to 8."""
    view, position, kind = memoryview(data), len(_PNG_MAGIC), b""
    while kind != b"IEND":
        head = view[position : position + 8]
        if len(head) < 8:
            raise ImageError("it is truncated; replace the file")
        length, kind = int.from_bytes(head[:4], "big"), bytes(head[4:])
        end = position + 8 + length
        if len(data) < end + 4:
            raise ImageError("it is truncated; replace the file")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ImageError(f"its {kind.decode('latin-1')} chunk is damaged; replace the file")
        if kind == b"IHDR" and length == 13 and view[position + 16] > 8:
            raise ImageError("it has 16 bits a channel; convert it to 8")
        position = end + 4


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _webp_pixels(data: bytes) -> bytes:
    """The name of the first chunk that holds pixels, or an empty one."""
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        if name in (b"VP8 ", b"VP8L", b"ANIM"):
            return bytes(name)
        position += 8 + length + length % 2
    return b""


def _without_alpha(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    # Through RGBA in any case: a transparent palette entry or key colour may be used nowhere.
    opaque = image.convert("RGBA")
    lowest = opaque.getchannel("A").getextrema()[0]
    if lowest != 255:
        raise ImageError("it is transparent, and the codec has no alpha; flatten it first")
    return opaque


def _writer(path: Path, jpeg_quality: int | None) -> tuple[str, dict[str, int | bool]]:
    suffix = path.suffix.lower()
    if suffix == ".png":
        return "PNG", {"compress_level": _PNG_LEVEL}
    if suffix == ".webp":
        return "WEBP", {"lossless": True, "method": 4, "quality": _WEBP_EFFORT}
    if suffix not in SUFFIXES:
        raise OptionError(f"cannot write {path}: unknown suffix; choose .png or .webp")
    if jpeg_quality is None:
        raise OptionError(f"cannot write {path}: JPEG would lose pixels; choose .png or .webp")
    if not 1 <= jpeg_quality <= 100:
        raise OptionError(f"no JPEG quality {jpeg_quality}; choose one in 1..100")
    return "JPEG", {"quality": jpeg_quality, "subsampling": 0}


def _read_up_to(stream: BinaryIO, size: int) -> bytearray:
    """Up to `size` bytes, writable: less only at the end, although a pipe gives less at a time."""
    parts: list[bytes] = []
    try:
        while size > 0 and (part := stream.read(size)):
            parts.append(part)
            size -= len(part)
    except OSError as error:
        message = f"cannot read raw frames: {error}; check the input"
        raise MissingInputError(message) from error
    return bytearray().join(parts)
