"""The codec of a bundle of a coarse-to-fine network: frames to streams and back, without torch.

    frame -> g_a -> z3, z2, z1 rounded      z1 -> side2 -> h1, tables of z2
                                            z2 -> side3 -> h2, tables of z3
    z3, h2, h1 -> features -> picture, a band of rows at a time
               or synthesis in integers (`synthesis.py`)

g_a, features and picture are float; side2, side3 and the other synthesis are integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ...core.errors import BundleGraphError, LatentsChecksumError
from ..bundle import TABLES, Bundle
from ..floatcodec import FloatCodec
from ..floatsessions import FloatSessions
from ..hyperprior.bundle import has_integer_synthesis
from ..images import Frame
from ..sessions import SessionOptions
from ..slices import Part, SliceDecoder, Workers, encode_slices, slice_count
from ..stream import Stream
from .bundle import FLAVOUR, LARGEST, has_z1
from .level import Level, moved
from .prior import Bytes, Ints, Prior
from .synthesis import IntegerSynthesis

MULTIPLE: Final = 64
"""Pixels a side of one position of z1; frames are centred in black, as published."""
BAND: Final = 160_000
"""Positions at half resolution that the last layers work on at once: what they need is the most
memory of all."""
HALO: Final = 5
"""Rows beyond a band that its pixels see: 3 by the residual block, 2 by the last two layers."""


@dataclass(frozen=True)
class C2FLatents:
    """z3 (h, w, C), z2 (h/2, w/2, c2), z1 (h/4, w/4, c1), int16; z1 None where there is none."""

    z3: Ints
    z2: Ints
    z1: Ints | None

    def arrays(self) -> list[Ints]:
        """In the order of decoding."""
        return [z for z in (self.z1, self.z2, self.z3) if z is not None]


@dataclass(frozen=True)
class Side:
    """What one level says. h: (h, w, features), whole numbers, for synthesis. table: of
    each latent below. centre, sign: as `Prior.tables` has them."""

    h: NDArray[Any]
    table: Bytes
    centre: Ints
    sign: Ints

    def symbols(self, z: Ints) -> Ints:
        """Of latents of the level below."""
        return (z - self.centre) * self.sign

    def latents(self, symbols: Ints) -> Ints:
        """The inverse; raises LatentsChecksumError for what no encoder writes."""
        z = self.centre.astype(np.int32) + symbols * self.sign.astype(np.int32)
        if np.abs(z).max(initial=0) > LARGEST:
            raise _out_of_range()
        return z.astype(np.int16)


@dataclass(frozen=True)
class Decoded:
    """All that synthesis needs. h1: None without z1."""

    latents: C2FLatents
    h2: NDArray[Any]
    h1: NDArray[Any] | None


class CoarseToFineCodec(FloatCodec):
    """The codec of a c2f bundle; safe to share by threads."""

    def __init__(
        self, bundle: Bundle, options: SessionOptions | None = None, *, native: bool = True
    ) -> None:
        """options: flavour float for float synthesis where the bundle has both. native: the levels
        in C where the device is cpu; else, as on GPUs, in ONNX Runtime (`validate` compares both).
        Raises BundleMemberError, BundleGraphError and what sessions raise."""
        options = options or SessionOptions()
        native = native and options.device == "cpu"
        integer = native and options.flavour != FLAVOUR and has_integer_synthesis(bundle.manifest)
        if not integer:
            options = replace(options, flavour=FLAVOUR)
        self.has_z1 = has_z1(bundle.manifest)
        sides = {"side2": "z1", "side3": "z2"} if self.has_z1 else {"side3": "z2"}
        absent = [*sides] * native + ["features", "picture"] * integer
        graphs = [name for name, _ in bundle.graphs if name not in absent]
        super().__init__(bundle, options, FloatSessions(bundle, options, graphs))
        # By their graph; a stopwatch may stand in their place.
        self.native: dict[str, Callable[..., Any]] = {}
        self._levels: dict[str, Level] = {}
        if native:
            self._levels = {g: _open_level(bundle, g, z, self._workers) for g, z in sides.items()}
        self.native.update(self._levels)
        self.exact_pixels, self._synthesis = integer, None
        if integer:
            self._synthesis = IntegerSynthesis(bundle.arrays, self._features(), self._workers)
            self.native["g_s"] = self._synthesis
        self.prior = Prior(bundle.arrays["bins"], int(bundle.manifest["fraction"]))
        self._tables, self._top = self.tables_of(), self.tables_of("top_")

    def reopened(self, options: SessionOptions) -> CoarseToFineCodec:
        return CoarseToFineCodec(self.bundle, options, native=bool(self.native))

    def analyse(self, frame: Frame) -> C2FLatents:
        """The rounded latents of a frame, within their ranges; raises BundleGraphError where g_a
        does not make them."""
        rows, columns = (_margins(n) for n in frame.shape[:2])
        padded = np.pad(frame, (rows, columns, (0, 0)))
        out = self.sessions.run("g_a", {"pixels": padded})
        a = self.bundle.arrays
        for name, shape in self._shapes(*frame.shape[:2]).items():
            if out[name].shape != shape or np.isnan(out[name]).any():
                raise _foreign(f"g_a of the bundle makes no latents {name} of shape {shape}")
        z3 = out["z3"].clip(-LARGEST, LARGEST).astype(np.int16)
        z2 = out["z2"].clip(a["z2_low"], a["z2_high"]).astype(np.int16)
        if not self.has_z1:
            return C2FLatents(z3, z2, None)
        return C2FLatents(z3, z2, out["z1"].clip(a["z1_low"], a["z1_high"]).astype(np.int16))

    latents_of = analyse

    def _shapes(self, height: int, width: int) -> dict[str, tuple[int, int, int]]:
        """Of the latents of a frame of this size."""
        spec = self.bundle.manifest["spec"]
        rows, columns = (-(-n // MULTIPLE) for n in (height, width))
        shapes = {
            "z3": (4 * rows, 4 * columns, spec["latents"]),
            "z2": (2 * rows, 2 * columns, spec["fine"]["latents"]),
        }
        return shapes | ({"z1": (rows, columns, spec["coarse"]["latents"])} if self.has_z1 else {})

    def _features(self) -> NDArray[np.int64]:
        """Magnitudes of what synthesis reads: h2, and h1 of which four channels become one."""
        made = [self._levels["side3"].magnitude]
        if self.has_z1:
            made.append(self._levels["side2"].magnitude.reshape(4, -1).max(0))
        return np.concatenate(made)

    def level(self, graph: str, z: Ints) -> tuple[NDArray[Any], Bytes, Ints]:
        """h, index of the scale, and mean of the level below; h is int16, or float32 from a graph.
        graph: side2 for z1, side3 for z2."""
        if graph in self.native:
            made: tuple[Ints, Bytes, Ints] = self.native[graph](z)
            return made
        out = self.sessions.run(graph, {"z": z.astype(np.float32)})
        # A graph from outside might give anything.
        index, mean = out["index"].clip(0, TABLES - 1), out["mean"].clip(-LARGEST, LARGEST)
        return out["h"], index.astype(np.uint8), mean.astype(np.int16)

    def use_kernel(self, kernel: int) -> None:
        """Of the levels in C, for comparisons of one with another."""
        for level in self._levels.values():
            level.use_kernel(kernel)
        if self._synthesis is not None:
            self._synthesis.use_kernel(kernel)

    def side(self, graph: str, z: Ints) -> Side:
        """The same as tables and symbols."""
        h, index, mean = self.level(graph, z)
        return Side(h, *self.prior.tables(index, mean))

    def parts(self, latents: C2FLatents) -> list[Part]:
        """What is coded: the coarsest level first."""
        top, *others = latents.arrays()
        parts = [Part(top, _channels(top.shape), top.shape[0], self._top)]
        above = top
        for z in others:
            said = self.side("side3" if z is latents.z3 else "side2", above)
            parts.append(Part(said.symbols(z), said.table, z.shape[0]))
            above = z
        return parts

    def packed(self, latents: C2FLatents) -> list[bytes]:
        """Payloads of the slices."""
        count = slice_count(latents.z3[..., 0].size)
        return encode_slices(self._tables, self.parts(latents), count, self._workers)

    def checksum(self, latents: Any) -> int:
        """latents: C2FLatents or Decoded."""
        known = latents.latents if isinstance(latents, Decoded) else latents
        first, *others = (np.ascontiguousarray(z) for z in known.arrays())
        crc = _arith.checksum(first)
        for z in others:
            crc = _arith.crc32c(z.reshape(-1).view(np.uint8).data, crc)
        return crc

    def pull(self, stream: Stream) -> Decoded:
        """Latents and hyper-features of a sound stream."""
        shapes = self._shapes(stream.header.height, stream.header.width)
        decoder = SliceDecoder(self._tables, stream.slices, self._workers)
        z1, h1 = None, None
        if self.has_z1:
            symbols = decoder.pull(_channels(shapes["z1"]), shapes["z1"][0], self._top)
            z1 = self._within("z1", symbols)
            below = self.side("side2", z1)
            h1 = below.h
            z2 = below.latents(decoder.pull(below.table, shapes["z2"][0]))
        else:
            z2 = decoder.pull(_channels(shapes["z2"]), shapes["z2"][0], self._top)
        said = self.side("side3", self._within("z2", z2))
        z3 = said.latents(decoder.pull(said.table, shapes["z3"][0]))
        decoder.finish()
        return Decoded(C2FLatents(z3, z2, z1), said.h, h1)

    def _within(self, name: str, z: Ints) -> Ints:
        a = self.bundle.arrays
        if (z < a[f"{name}_low"]).any() or (z > a[f"{name}_high"]).any():
            raise _out_of_range()
        return z

    def synthesise(self, latents: Decoded, height: int, width: int) -> Frame:
        """The picture: exact, or float and a grey level more or less from host to host."""
        made = self._float_picture if self._synthesis is None else self._integer_picture
        pixels = made(latents)
        (top, _), (left, _) = _margins(height), _margins(width)
        shown = np.ascontiguousarray(pixels[top : top + height, left : left + width])
        if shown.shape != (height, width, 3):
            raise _foreign(f"the bundle makes a picture of shape {shown.shape}")
        return shown

    def _integer_picture(self, latents: Decoded) -> Frame:
        features = [latents.h2] + ([] if latents.h1 is None else [moved(latents.h1)])
        pixels: Frame = self.native["g_s"](latents.latents.z3, np.concatenate(features, 2))
        return pixels

    def _float_picture(self, latents: Decoded) -> Frame:
        feed = {"z3": latents.latents.z3, "h2": latents.h2}
        if latents.h1 is not None:
            feed["h1"] = latents.h1
        feed = {name: value.astype(np.float32) for name, value in feed.items()}
        made = self.sessions.run("features", feed)
        rows, columns = made["y"].shape[1:]
        count = 1 if self.sessions.options.device == "cuda" else -(-rows * columns // BAND)
        edges = [rows * band // count for band in range(count + 1)]
        bands = [self._band(made, *edges[i : i + 2]) for i in range(count)]
        return np.concatenate(bands) if count > 1 else bands[0]

    def _band(self, made: dict[str, Any], top: int, bottom: int) -> Frame:
        """Pixels of some rows at half resolution."""
        rows = made["y"].shape[1]
        first, last = max(0, top - HALO), min(rows, bottom + HALO)
        limits = {"first": np.array(first), "last": np.array(last)}
        pixels: Frame = self.sessions.run("picture", {**made, **limits})["pixels"]
        return pixels[2 * (top - first) : 2 * (bottom - first)]


def _open_level(bundle: Bundle, graph: str, latents: str, workers: Workers) -> Level:
    """latents: z1 or z2. Raises BundleGraphError where sizes are not those of the manifest."""
    low, high = (bundle.arrays[f"{latents}_{end}"].astype(np.int64) for end in ("low", "high"))
    level = Level(bundle.graphs[graph, FLAVOUR], graph, np.maximum(-low, high), workers)
    spec = bundle.manifest["spec"]
    below = spec["latents"] if latents == "z2" else spec["fine"]["latents"]
    if level.outputs != below:
        raise _foreign(f"{graph} of the bundle has {level.outputs} outputs for {below} latents")
    return level


def _out_of_range() -> LatentsChecksumError:
    return LatentsChecksumError(
        "a latent of the stream is out of range: this host computes other numbers; run c3d-export"
        " doctor"
    )


def _foreign(fault: str) -> BundleGraphError:
    return BundleGraphError(f"{fault}; get the bundle again from its maker")


def _margins(size: int) -> tuple[int, int]:
    """Pixels before and after, of an odd sum more after."""
    missing = -size % MULTIPLE
    return missing // 2, missing - missing // 2


def _channels(shape: tuple[int, ...]) -> Bytes:
    """The table of each of the coarsest latents: that of its channel."""
    return np.ascontiguousarray(np.broadcast_to(np.arange(shape[2], dtype=np.uint8), shape))
