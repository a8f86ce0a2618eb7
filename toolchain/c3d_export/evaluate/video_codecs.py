"""Key frames of x264, x265 and SVT-AV1, as streams of games have them, by way of PyAV (ffmpeg).

Two threads each, a constant QP, and nothing that is tuned for the eye, since PSNR is measured;
low latency, so that x264 codes two slices. Encoders of streams stay open between frames, as on
a host that streams; so do the decoders. One thread at a time may use a codec.

Colours are what swscale makes of RGB, and the times include it: BT.709, 8 bits, limited range.
At 720p that takes .6 ms, and 1.4 back (2.5 from 4:2:0). No codec can pass what the conversion
leaves of a frame: on one of a game 51.9 dB in 4:4:4 and 39.0 in 4:2:0. Full range could leave
53.5, but there swscale is off by half a unit in chroma, and 48.9 are left.
"""

from __future__ import annotations

import importlib
import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np

from c3d_export.core.errors import FrameShapeError, LibraryMissingError
from c3d_export.evaluate.baseline_codec import Baseline
from c3d_export.runtime.images import Frame, check_frame

_THREADS: Final = 2

# A file: width, height, bytes of the packet that follows. Frames are padded for the encoder.
_HEADER: Final = struct.Struct("<HHI")
_MIN_SIDE: Final = 64  # of SVT-AV1's superblock; x265 wants 32
_MULTIPLE: Final = 8  # of HEVC's smallest block

# Open encoders: a curve or a bisection has six rates, three codecs have streams. At 720p one holds
# 18 MB (x264) or 46 MB (x265), at 4K eight times that.
_KEPT: Final = 18


@dataclass(frozen=True)
class VideoCodec(Baseline):
    """A codec of ffmpeg by the names of its `encoder` and `decoder`, in `colours` of ffmpeg.

    The QP is `top_qp` less the quality. `single`: the encoder is one for still images, opened
    anew for each frame, and that is part of the time.
    """

    encoder: str
    decoder: str
    colours: str
    top_qp: int
    options: tuple[tuple[str, str], ...]
    single: bool = False

    def require(self) -> None:
        av = _av(self.name)
        try:
            av.Codec(self.encoder, "w")
            av.Codec(self.decoder, "r")
        except ValueError as error:
            raise LibraryMissingError(
                f"the baseline {self.name} needs a PyAV with {self.encoder} and {self.decoder};"
                " pip install --upgrade --force-reinstall --only-binary :all: av"
            ) from error

    def encode(self, frame: Frame, quality: int) -> bytes:
        self.check_quality(quality)
        height, width = check_frame(frame).shape[:2]
        opened = _Encoder if self.single else _kept_encoder
        try:
            packet = opened(self, *_padded_size(width, height), quality).encode(frame)
        except _av(self.name).FFmpegError as error:
            message = f"{self.name} cannot encode {width}x{height}: {error}; leave this frame out"
            raise FrameShapeError(message) from error
        return _HEADER.pack(width, height, len(packet)) + packet

    def decode(self, data: bytes) -> Frame:
        if len(data) < _HEADER.size:
            raise self.unreadable("it is too short")
        width, height, size = _HEADER.unpack_from(data)
        if len(data) - _HEADER.size != size or not width or not height:
            raise self.unreadable("it is truncated or of another kind")
        try:
            picture = _kept_decoder(self).decode(data[_HEADER.size :])
        except _av(self.name).FFmpegError as error:
            raise self.unreadable(error) from error
        if picture is None or picture.shape[1::-1] != _padded_size(width, height):
            raise self.unreadable("it holds no picture of that size")
        return np.ascontiguousarray(picture[:height, :width])


class _Encoder:
    def __init__(self, codec: VideoCodec, width: int, height: int, quality: int) -> None:
        av, self.single = _av(codec.name), codec.single
        self.context = context = av.CodecContext.create(codec.encoder, "w")
        context.width, context.height, context.pix_fmt = width, height, codec.colours
        context.framerate, context.time_base = Fraction(60), Fraction(1, 60)
        context.gop_size, context.thread_count = 1, _THREADS
        context.color_range = av.video.reformatter.ColorRange.MPEG
        context.colorspace = av.video.reformatter.Colorspace.ITU709
        context.options = {**dict(codec.options), "qp": str(codec.top_qp - quality)}
        self.colours = _Colours(av)
        self.frames = 0
        if not self.single:  # x264 tells all its settings in the first packet, and never again
            self.encode(np.zeros((height, width, 3), np.uint8))

    def encode(self, frame: Frame) -> bytes:
        width, height = self.context.width, self.context.height
        picture = self.colours.from_rgb(_padded(frame, width, height), self.context.pix_fmt)
        picture.pts = self.frames
        self.frames += 1
        packets = self.context.encode(picture)
        if self.single:
            packets += self.context.encode(None)
        (packet,) = packets
        return bytes(packet)


class _Decoder:
    def __init__(self, codec: VideoCodec) -> None:
        av = _av(codec.name)
        self.packet, self.colours = av.Packet, _Colours(av)
        self.context = av.CodecContext.create(codec.decoder, "r")
        self.context.thread_count = _THREADS

    def decode(self, data: bytes) -> Frame | None:
        """The picture, or None where there is none or one with errors."""
        try:
            pictures = self.context.decode(self.packet(data)) + self.context.decode(None)
        finally:
            self.context.flush_buffers()  # from the end of a stream to the begin of the next
        if len(pictures) != 1 or pictures[0].is_corrupt:
            return None
        return self.colours.to_rgb(pictures[0])


class _Colours:
    """RGB to BT.709 and back. One for each direction: swscale keeps the tables of the last."""

    def __init__(self, av: Any) -> None:
        names = av.video.reformatter
        self.frame, self.scaler = av.VideoFrame, names.VideoReformatter()
        self.full, self.limited = names.ColorRange.JPEG, names.ColorRange.MPEG
        self.same = dict.fromkeys(("src_colorspace", "dst_colorspace"), names.Colorspace.ITU709)
        flags = names.Interpolation
        self.bicubic = flags.BICUBIC
        # Accurate: 2 dB more in 4:2:0; nothing on the way there or in 4:4:4.
        self.accurate = flags.BICUBIC | flags.ACCURATE_RND | flags.FULL_CHR_H_INT

    def from_rgb(self, frame: Frame, colours: str) -> Any:
        return self.scaler.reformat(
            self.frame.from_numpy_buffer(frame, "rgb24"),
            format=colours,
            src_color_range=self.full,
            dst_color_range=self.limited,
            interpolation=self.bicubic,
            threads=_THREADS,
            **self.same,
        )

    def to_rgb(self, picture: Any) -> Frame:
        rgb = self.scaler.reformat(
            picture,
            format="rgb24",
            src_color_range=self.limited,
            dst_color_range=self.full,
            interpolation=self.accurate,
            threads=_THREADS,
            **self.same,
        )
        return check_frame(rgb.to_ndarray())


_kept_encoder = lru_cache(_KEPT)(_Encoder)
_kept_decoder = cache(_Decoder)


def _padded_size(width: int, height: int) -> tuple[int, int]:
    columns, rows = (max(_MIN_SIDE, -(-side // _MULTIPLE) * _MULTIPLE) for side in (width, height))
    return columns, rows


def _padded(frame: Frame, width: int, height: int) -> Frame:
    rows, columns = height - frame.shape[0], width - frame.shape[1]
    if not rows and not columns:
        return np.ascontiguousarray(frame)
    return np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")


def _av(name: str) -> Any:
    # Else SVT-AV1 writes 20 lines to stderr for each encoder; errors it still tells.
    os.environ.setdefault("SVT_LOG", "1")
    try:
        return importlib.import_module("av")
    except ImportError as error:
        message = f"the baseline {name} needs PyAV: {error}"
        raise LibraryMissingError(f"{message}; pip install 'c3d-export[baselines]'") from error


def _h264(preset: str) -> VideoCodec:
    # QP 0 is another, lossless coding.
    options = ("preset", preset), ("tune", "zerolatency"), ("x264-params", "psy=0:ipratio=1")
    qualities, ladder = range(51), (12, 17, 21, 25, 29, 32)
    name = f"x264-{preset}"
    return VideoCodec(name, qualities, ladder, "libx264", "h264", "yuv444p", 51, options)


def _hevc(preset: str) -> VideoCodec:
    params = f"pools={_THREADS}:psy-rd=0:psy-rdoq=0:ipratio=1:info=0:log-level=none"
    options = ("preset", preset), ("tune", "zerolatency"), ("x265-params", params)
    qualities, ladder = range(51), (14, 19, 23, 27, 31, 34)
    name = f"x265-{preset}"
    return VideoCodec(name, qualities, ladder, "libx265", "hevc", "yuv444p", 51, options)


def _av1(preset: int) -> VideoCodec:
    # Its encoder of streams hands out no frame before the next one comes, save in a mode for low
    # delay: with preset 12 that takes 1.6 times the processor time, for 5 % less rate.
    options = ("preset", str(preset)), ("svtav1-params", f"avif=1:lp={_THREADS}")
    qualities, ladder = range(63), (21, 30, 38, 46, 52, 56)
    name = f"svtav1-{preset}"
    names = "libsvtav1", "libdav1d", "yuv420p"
    return VideoCodec(name, qualities, ladder, *names, 63, options, single=True)


# SVT-AV1 has no faster preset for still images: it takes 10 to 13 for 9.
VIDEO_CODECS: Final = (_h264("superfast"), _h264("medium"), _hevc("superfast"), _av1(9))
