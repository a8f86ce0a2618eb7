"""The codec of a bundle of mbt2018 or mbt2018-mean: frames to streams and back, without torch.

    frame -> g_a -> y -> h_a -> z -> round ---> h_s -> params -> means, table indexes
                     |                                                 |
                     +---------------- round(y - means) ---------------+--> symbols, y_hat -> g_s

g_a, h_a and g_s are float; all between z and y_hat is integers, so that every host decodes the
same latents. h_s is computed in C on hosts' processors, and as a graph, with the same numbers, on
GPUs. Where a bundle has g_s in integers, too, hosts' processors decode the same pixels; float ones
may differ by a grey level from host to host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import LatentsChecksumError
from ..bundle import Bundle
from ..floatcodec import FloatCodec
from ..floatsessions import FLAVOUR, FloatSessions
from ..images import Frame
from ..sessions import SessionOptions
from ..slices import Part, SliceDecoder, encode_slices, slice_count
from ..stream import Stream, latents_checksum
from .bundle import GRAPHS, has_integer_synthesis
from .context import Bytes, EntropyPath, Ints, Wave
from .hyper import HyperSynthesis
from .synthesis import IntegerSynthesis

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


@dataclass(frozen=True)
class Pulled:
    """What a stream has, as in HyperpriorLatents."""

    z: Ints
    y_hat: Ints


class HyperpriorCodec(FloatCodec):
    """The codec of an mbt bundle; safe to share by threads."""

    def __init__(
        self, bundle: Bundle, options: SessionOptions | None = None, *, native: bool = True
    ) -> None:
        """options: flavour float for float synthesis where the bundle has both. native: h_s in C
        where the device is cpu; else, as on GPUs, in ONNX Runtime (`validate` compares both).
        Raises BundleMemberError, BundleGraphError and what sessions raise."""
        options = options or SessionOptions()
        native = native and options.device == "cpu"
        integer = native and options.flavour != FLAVOUR and has_integer_synthesis(bundle.manifest)
        if not integer:
            options = replace(options, flavour=FLAVOUR)
        absent = ["h_s"] * native + ["g_s"] * integer
        graphs = [name for name in GRAPHS if name not in absent]
        super().__init__(bundle, options, FloatSessions(bundle, options, graphs))
        self._h_s = HyperSynthesis(bundle, self._workers) if native else None
        # By their graph; a stopwatch may stand in their place.
        self.native: dict[str, Callable[..., NDArray[Any]]] = {}
        if self._h_s is not None:
            self.native["h_s"] = self._h_s
        self.exact_pixels, self._g_s = integer, None
        if integer:
            self._g_s = IntegerSynthesis(bundle.arrays, bundle.latents, self._workers)
            self.native["g_s"] = self._g_s
        self.path = EntropyPath(bundle)
        self._tables, self._z_tables = self.tables_of(), self.tables_of("z_")

    def reopened(self, options: SessionOptions) -> HyperpriorCodec:
        return HyperpriorCodec(self.bundle, options, native=bool(self.native))

    def latents_of(self, frame: Frame) -> HyperpriorLatents:
        return self.code(*self.analyse(frame))

    def checksum(self, latents: Any) -> int:
        """latents: HyperpriorLatents or Pulled."""
        return latents_checksum(latents.z, latents.y_hat.view(np.uint8))

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
        if self._g_s is not None:
            self._g_s.use_kernel(kernel)

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

    def decode_latents(self, stream: Stream) -> Ints:
        """y_hat (h, w, M) in 1/2^fraction; raises LatentsChecksumError."""
        latents: Pulled = super().decode_latents(stream)
        return latents.y_hat

    def pull(self, stream: Stream) -> Pulled:
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
        return Pulled(z, y_hat)

    def synthesise(self, latents: Ints, height: int, width: int) -> Frame:
        """y_hat -> the picture: exact, or float and a grey level more or less from host to host."""
        if "g_s" in self.native:
            pixels: Frame = self.native["g_s"](latents)
        else:
            given = latents.astype(np.float32) / np.float32(1 << self.path.fraction)
            pixels = self.sessions.run("g_s", {"y_hat": given})["pixels"]
        return np.ascontiguousarray(pixels[:height, :width])


def _channels(shape: tuple[int, ...]) -> Bytes:
    """The table of each hyper-latent: that of its channel."""
    return np.ascontiguousarray(np.broadcast_to(np.arange(shape[2], dtype=np.uint8), shape))
