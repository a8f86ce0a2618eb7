"""The codec of a bundle of mbt2018 or mbt2018-mean: frames to streams and back, without torch.

    frame -> g_a -> y -> h_a -> z -> round ---> h_s -> params -> means, table indexes
                     |                                                 |
                     +---------------- round(y - means) ---------------+--> symbols, y_hat -> g_s

g_a, h_a and g_s are float; all between z and y_hat is integers, so that every host decodes the
same latents. Pixels may differ by a grey level from host to host. h_s is computed in C on hosts'
processors, and as a graph, with the same numbers, on GPUs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ...core.errors import BundleMemberError, LatentsChecksumError, StreamHeaderError
from ..bundle import Bundle
from ..codec import Codec
from ..images import Frame, check_frame
from ..refine import EFFORTS
from ..sessions import Refusal, SessionOptions
from ..slices import Part, SliceDecoder, Workers, encode_slices, slice_count
from ..stream import (
    Data,
    Stream,
    check_latents,
    latents_checksum,
    pack_stream,
    parse_stream,
    require_codec,
)
from .bundle import GRAPHS
from .context import Bytes, EntropyPath, Ints, Wave
from .hyper import HyperSynthesis
from .sessions import HyperpriorSessions

BLOCK = 16
"""Pixels a side of one latent position; z has one for 4 x 4 of them."""
HYPER = 4


@dataclass(frozen=True)
class HyperpriorLatents:
    """z: (hz, wz, N) int16, distances from the medians. waves: symbols and table indexes in coding
    order. y_hat: (h, w, M) int16 in 1/2^fraction."""

    z: Ints
    waves: tuple[Wave, ...]
    y_hat: Ints


class HyperpriorCodec(Codec):
    """As Codec, with one rate point: every network of these families has its own bundle."""

    def __init__(
        self, bundle: Bundle, options: SessionOptions | None = None, *, native: bool = True
    ) -> None:
        """native: h_s in C where the device is cpu; else, as on GPUs, in ONNX Runtime (`validate`
        compares both). Raises BundleMemberError, BundleGraphError and what sessions raise."""
        self.bundle = bundle
        options = options or SessionOptions(flavour="float")
        native = native and options.device == "cpu"
        graphs = [name for name in GRAPHS if name != "h_s" or not native]
        self.sessions = HyperpriorSessions(bundle, options, graphs)
        self.refused: tuple[Refusal, ...] = ()
        self.effort = EFFORTS.start
        self.overlay = None
        self._workers = Workers(options.threads)
        self._h_s = HyperSynthesis(bundle, self._workers) if native else None
        # By their graph; a stopwatch may stand in their place.
        self.native: dict[str, Callable[..., NDArray[Any]]] = {}
        if self._h_s is not None:
            self.native["h_s"] = self._h_s
        self.path = EntropyPath(bundle)
        a = bundle.arrays
        try:
            self._tables = _arith.Tables(a["frequencies"], a["shapes"])
            self._z_tables = _arith.Tables(a["z_frequencies"], a["z_shapes"])
        except _arith.ArithError as error:
            raise BundleMemberError(f"the bundle's frequency tables are wrong: {error}") from error

    def encode(self, frame: Frame, quality: int | None = None, effort: int | None = None) -> bytes:
        """frame: uint8 (H, W, 3) RGB -> a `.c3s` stream. quality: 1 or None. effort: has no use
        here. Raises FrameShapeError, UnknownQualityError and OptionError."""
        self._row(quality), self._looks(effort)
        frame = np.ascontiguousarray(check_frame(frame))
        y, z = self.analyse(frame)
        latents = self.code(y, z)
        return pack_stream(
            quality=1,
            width=frame.shape[1],
            height=frame.shape[0],
            codec_id=self.id,
            slices=self.packed(latents),
            latents_crc=latents_checksum(latents.z, latents.y_hat.view(np.uint8)),
        )

    def analyse(self, frame: Frame) -> tuple[NDArray[np.float32], Ints]:
        """y (h, w, M) float32, and z (hz, wz, N) rounded to its range."""
        height, width = frame.shape[:2]
        edges = ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
        y = self.sessions.run("g_a", {"pixels": np.pad(frame, edges, "edge")})["y"]
        edges = ((0, -y.shape[0] % HYPER), (0, -y.shape[1] % HYPER), (0, 0))
        z = self.sessions.run("h_a", {"y": np.pad(y, edges, "edge")})["z"]
        a = self.bundle.arrays
        return y, np.rint(z).clip(a["z_low"], a["z_high"]).astype(np.int16)

    def code(self, y: NDArray[np.float32], z: Ints) -> HyperpriorLatents:
        """What a stream of these latents has, exact on every host."""
        out = self.hyper(z, y.shape[0], y.shape[1])
        if not self.path.context:
            index, mean = self.path.heads(out)
            symbols = self.path.quantised(y, mean)
            return HyperpriorLatents(z, ((symbols, index),), self.path.decoded(symbols, mean))
        made: list[Wave] = []

        def choose(index: Bytes, mean: Ints, places: Any) -> Ints:
            made.append((self.path.quantised(y[places], mean), index))
            return made[-1][0]

        y_hat = self.path.by_waves(out.astype(np.int16), choose)
        return HyperpriorLatents(z, tuple(made), y_hat)

    def use_kernel(self, kernel: int) -> None:
        """Of the layers in C (`packing.py`), for comparisons of one with another."""
        self.path.use_kernel(kernel)
        if self._h_s is not None:
            self._h_s.use_kernel(kernel)

    def hyper(self, z: Ints, rows: int, columns: int) -> NDArray[Any]:
        """What h_s gives (rows, columns, 2 M): whole numbers."""
        if "h_s" in self.native:
            return self.native["h_s"](z, rows, columns)
        ones = np.ones((*z.shape[:2], 1), np.float32)
        given = np.concatenate([z.astype(np.float32), ones], 2)
        out: NDArray[np.float32] = self.sessions.run("h_s", {"z": given})["out"]
        return out[:rows, :columns]

    def packed(self, latents: HyperpriorLatents) -> list[bytes]:
        """Payloads of the slices; one with a context model, whose waves cross the whole frame."""
        z, waves = latents.z, latents.waves
        parts = [Part(z, _channels(z.shape), z.shape[0], self._z_tables)]
        count = 1 if self.path.context else slice_count(latents.y_hat[..., 0].size)
        parts += [Part(s, i, 1 if self.path.context else len(s)) for s, i in waves]
        return encode_slices(self._tables, parts, count, self._workers)

    def decode(self, data: Data) -> Frame:
        """A stream of this bundle -> uint8 (H, W, 3) RGB; raises a leaf of StreamError."""
        stream = parse_stream(data)
        require_codec(stream.header, self.id)
        if stream.header.quality != 1 or stream.header.has_overlay:
            raise StreamHeaderError(
                "the stream has a rate point or an overlay that the bundle lacks"
            )
        return self.synthesise(
            self.decode_latents(stream), stream.header.height, stream.header.width
        )

    def decode_latents(self, stream: Stream) -> Ints:
        """y_hat (h, w, M) in 1/2^fraction; raises LatentsChecksumError."""
        rows, columns = (-(-n // BLOCK) for n in (stream.header.height, stream.header.width))
        shape = (-(-rows // HYPER), -(-columns // HYPER), self.bundle.hyper)
        decoder = SliceDecoder(self._tables, stream.slices, self._workers)
        z = decoder.pull(_channels(shape), shape[0], self._z_tables)
        a = self.bundle.arrays
        if (z < a["z_low"]).any() or (z > a["z_high"]).any():
            raise LatentsChecksumError("a hyper-latent of the stream is out of range")
        out = self.hyper(z, rows, columns)
        if self.path.context:
            y_hat = self.path.by_waves(
                out.astype(np.int16), lambda index, mean, places: decoder.pull(index, 1)
            )
        else:
            index, mean = self.path.heads(out)
            y_hat = self.path.decoded(decoder.pull(index, rows), mean)
        decoder.finish()
        check_latents(stream, z, y_hat.view(np.uint8))
        return y_hat

    def synthesise(self, y_hat: Ints, height: int, width: int) -> Frame:
        """The picture, float: a grey level more or less from host to host."""
        given = y_hat.astype(np.float32) / np.float32(1 << self.path.fraction)
        pixels: Frame = self.sessions.run("g_s", {"y_hat": given})["pixels"]
        return np.ascontiguousarray(pixels[:height, :width])

    @cached_property
    def _single(self) -> Codec:
        own = self.sessions.options
        if own.device == "cuda" or own.threads == 1:
            return self
        return HyperpriorCodec(self.bundle, replace(own, threads=1), native=bool(self.native))


def _channels(shape: tuple[int, ...]) -> Bytes:
    """The table of each hyper-latent: that of its channel."""
    return np.ascontiguousarray(np.broadcast_to(np.arange(shape[2], dtype=np.uint8), shape))
