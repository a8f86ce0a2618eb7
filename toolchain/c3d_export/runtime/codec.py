"""The codec of a bundle: frames to streams and back, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ..core.errors import (
    BundleMemberError,
    LatentsChecksumError,
    OptionError,
    StreamHeaderError,
    UnknownQualityError,
)
from .bundle import Bundle
from .framestream import FrameStream
from .geometry import PLANES, Bytes, Geometry, Prior, Step, Symbols
from .images import Frame, check_frame
from .overlay import Overlay, overlay_of
from .passes import Passes
from .policy import read_admitted
from .refine import EFFORTS, check_effort
from .sessions import Refusal, SessionOptions, Sessions, session_choices
from .slices import Part, SliceDecoder, Workers, encode_slices, slice_count
from .stream import (
    Data,
    Stream,
    check_latents,
    latents_checksum,
    pack_stream,
    parse_stream,
    require_codec,
)

Latent = NDArray[np.float32]
Hyper = tuple[Bytes, Prior]
"""What h_s gives: features, and the prior of the first step."""
_NONE = np.empty((0, 0, 0), np.int16)


@dataclass(frozen=True)
class Latents:
    """z: (hz, wz, Z) int16. symbols, indexes: of the three coding steps, int16 and uint8, in
    coding order. v: (h, w, M) uint8, the decoded latents + 128."""

    z: Symbols
    symbols: tuple[Symbols, ...]
    indexes: tuple[Bytes, ...]
    v: Bytes


class Codec:
    """Encodes and decodes with one bundle; safe to share by threads.

    qualities: rate points, 1 (smallest) to N. id: identity of the bundle, 8 bytes. refused: the
    allowed flavours that `open_codec` passed over, since they compute other numbers here. effort:
    of an encoder that is told nothing else.
    """

    def __init__(self, bundle: Bundle, options: SessionOptions | None = None) -> None:
        self.bundle = bundle
        options = options or SessionOptions()
        self.sessions = Sessions(bundle, options)
        self.refused: tuple[Refusal, ...] = ()
        self.effort = EFFORTS.start
        self._workers = Workers(options.threads)
        self.passes = Passes(bundle, self._workers)
        a = bundle.arrays
        try:
            self._tables = _arith.Tables(a["frequencies"], a["shapes"])
        except _arith.ArithError as error:
            raise BundleMemberError(f"the bundle's frequency tables are wrong: {error}") from error
        self.overlay: Overlay | None = overlay_of(bundle, self._tables)

    @property
    def id(self) -> bytes:
        return self.bundle.id

    @property
    def qualities(self) -> range:
        return range(1, self.bundle.qualities + 1)

    def encode(self, frame: Frame, quality: int | None = None, effort: int | None = None) -> bytes:
        """frame: uint8 (H, W, 3) RGB -> a `.c3s` stream; quality: one of `qualities`.

        effort: one of EFFORTS (`refine.py` says what it buys), None for the codec's own. Every
        host decodes the stream alike. Raises FrameShapeError, UnknownQualityError and OptionError.
        """
        row, looks = self._row(quality), self._looks(effort)
        lifted, overlay = self.lift(frame, row + 1)
        latents = self._latents(lifted, row, looks)
        return pack_stream(
            quality=row + 1,
            width=frame.shape[1],
            height=frame.shape[0],
            codec_id=self.id,
            slices=self._code(latents, row),
            latents_crc=latents_checksum(latents.z, latents.v),
            overlay=overlay,
        )

    def lift(self, frame: Frame, quality: int) -> tuple[Frame, bytes]:
        """The frame without what the bundle's overlay has of it, and the flags for the stream.

        The frame itself and no flags where there is nothing to lift. Raises FrameShapeError.
        """
        frame = np.ascontiguousarray(check_frame(frame))
        return (frame, b"") if self.overlay is None else self.overlay.take(frame, quality - 1)

    def _code(self, latents: Latents, row: int) -> list[bytes]:
        rows, columns = latents.v.shape[:2]
        parts = [Part(latents.z, self._z_indexes(row, latents.z.shape), latents.z.shape[0])]
        for symbols, indexes in zip(latents.symbols, latents.indexes, strict=True):
            parts.append(Part(symbols, indexes, rows))
        return encode_slices(self._tables, parts, slice_count(rows * columns), self._workers)

    def latents(self, frame: Frame, quality: int, effort: int | None = None) -> Latents:
        """What `encode` codes, before the entropy coder; raises as `encode`."""
        row, looks = self._row(quality), self._looks(effort)
        kept = self._latents(self.lift(frame, row + 1)[0], row, looks)
        symbols = tuple(array.copy() for array in kept.symbols)
        indexes = tuple(array.copy() for array in kept.indexes)
        return Latents(kept.z, symbols, indexes, kept.v.copy())

    def _latents(self, frame: Frame, row: int, looks: int = 0) -> Latents:
        """As `latents`, in arrays that the next frame overwrites."""
        geometry = Geometry(frame.shape[0], frame.shape[1])
        sums = self.sessions.run("g_a", self.passes.unshuffle(frame, geometry))
        y, z = self._analyse(sums, geometry, row)
        hyper = self._hyper(z, geometry, row)
        for _ in range(looks):
            self._refine(y, sums["linear_sum"], hyper, geometry, row)
        coded, v, _ = self._quantize(y, hyper, geometry, row)
        symbols, indexes = zip(*coded, strict=True)
        return Latents(z, symbols, indexes, v)

    def _quantize(
        self, y: Latent, hyper: Hyper, g: Geometry, row: int, *, fine: bool = False
    ) -> tuple[list[tuple[Symbols, Bytes]], Bytes, Symbols]:
        """Symbols and table indexes of the three steps; v; with `fine` what g_s sees of it too."""
        features, prior = hyper
        v, coded, finer = self.passes.no_latents(g), [], _NONE
        for step in Step:
            prior = self._context(step, g, row, features, v) if step else prior
            coded.append(self.passes.quantize(step, g, row, y, prior, v))
            if fine:
                finer = self.passes.dequantize(step, g, row, coded[-1][0], prior[0], v)
        return coded, v, finer

    def _refine(self, y: Latent, sums: Latent, hyper: Hyper, g: Geometry, row: int) -> None:
        """Moves y in place to where the decoded frame is nearer to the frame (`refine.py`)."""
        _, v, fine = self._quantize(y, hyper, g, row, fine=True)
        shown = self._synthesise(v, fine, g, row)
        seen = self.sessions.run("g_a", self.passes.unshuffle(shown, g))["linear_sum"]
        self.passes.refine(v, fine, sums, seen, y, g)

    def decode(self, data: Data) -> Frame:
        """A stream of this bundle -> uint8 (H, W, 3) RGB; raises a leaf of StreamError."""
        stream = parse_stream(data)
        require_codec(stream.header, self.id)
        if stream.header.quality not in self.qualities:
            raise StreamHeaderError(f"the stream has rate point {stream.header.quality}")
        geometry = Geometry(stream.header.height, stream.header.width)
        row, flags = stream.header.quality - 1, self._flags(stream)
        v, fine = self._decode_latents(stream, geometry, row)
        shown = self._synthesise(v, fine, geometry, row)
        if self.overlay is not None and flags is not None:
            self.overlay.paste(flags, shown)
        return shown

    def _flags(self, stream: Stream) -> Bytes | None:
        """Which groups of the overlay a stream shows, None for no overlay."""
        if not stream.header.has_overlay:
            return None
        if self.overlay is None:
            raise StreamHeaderError("the stream has an overlay, and the bundle has none")
        return self.overlay.unpack(stream.overlay, stream.header.height, stream.header.width)

    def stream(self, *, decode: bool = False, workers: int = 0, depth: int = 0) -> FrameStream[Any]:
        """Many frames, several at a time, each on one thread: `submit(frame, quality)` and collect
        streams in order, or with `decode` the other way round; see `framestream.py`.

        workers, depth: as FrameStream has them. Raises OptionError.
        """
        codec = self._single
        return FrameStream(codec.decode if decode else codec.encode, workers, depth)

    def encode_batch(
        self, frames: Iterable[Frame], quality: int | None = None, effort: int | None = None
    ) -> list[bytes]:
        """The streams of many frames, of any sizes, in their order; raises as `encode`.

        Frames go side by side through `stream`: stacked into one tensor they would take as long
        (docs/performance.md), and would have to be of one size.
        """
        with self.stream() as stream:
            return list(stream.map((frame, quality, effort) for frame in frames))

    def decode_batch(self, streams: Iterable[Data]) -> list[Frame]:
        """The frames of many streams in their order; raises as `decode`."""
        with self.stream(decode=True) as stream:
            return list(stream.map((data,) for data in streams))

    @cached_property
    def _single(self) -> Codec:
        """The same codec with one thread a frame; kept, since making its sessions takes as long
        as some frames."""
        own = self.sessions.options
        # On CUDA threads of the host compute nothing, and other sessions would hold weights twice.
        if own.device == "cuda" or own.threads == 1:
            return self
        single = Codec(self.bundle, replace(own, flavour=self.sessions.flavour, threads=1))
        single.effort = self.effort
        return single

    def _row(self, quality: int | None) -> int:
        chosen = (self.bundle.qualities + 1) // 2 if quality is None else quality
        whole = isinstance(chosen, int | np.integer) and not isinstance(chosen, bool)
        if not whole or chosen not in self.qualities:
            last = self.bundle.qualities
            known = f"1 to {last}" if last > 1 else "one rate point, 1"
            raise UnknownQualityError(f"quality {chosen} does not exist; this bundle has {known}")
        return int(chosen) - 1

    def _looks(self, effort: int | None) -> int:
        """How often the encoder looks at the decoded frame."""
        return check_effort(self.effort if effort is None else effort) - EFFORTS.start

    def _analyse(
        self, sums: dict[str, NDArray[Any]], g: Geometry, row: int
    ) -> tuple[Latent, Symbols]:
        y, activity = self.passes.latents(sums, g, row)
        z = self.sessions.run("h_a", {"activity": activity})["z"]
        return y, z.astype(np.int16) - np.int16(128)

    def _hyper(self, z: Symbols, g: Geometry, row: int) -> tuple[Bytes, Prior]:
        """features, cut to the latents; mean and index of the first step, on the padded grid."""
        z_hat = np.empty((*z.shape[:2], z.shape[2] + PLANES), np.uint8)
        z_hat[..., : z.shape[2]] = z + np.int16(128)
        z_hat[..., z.shape[2] :] = self.bundle.arrays["planes"][row]
        out = self.sessions.run("h_s", {"z_hat": z_hat})
        features = np.ascontiguousarray(out["features"][: g.rows, : g.columns])
        return features, (out["mean"], out["index"])

    def _context(self, step: Step, g: Geometry, row: int, features: Bytes, v: Bytes) -> Prior:
        """mean and index of a later step, from the latents in v."""
        known = self.passes.known(v, g, row)
        graph = "g_cp" if step == Step.SECOND else "g_ep"
        out = self.sessions.run(graph, {"features": features, "known": known})
        return out["mean"], out["index"]

    def _z_indexes(self, row: int, shape: tuple[int, ...]) -> Bytes:
        return np.ascontiguousarray(np.broadcast_to(self.bundle.arrays["z_index"][row], shape))

    def _decode_latents(self, stream: Stream, g: Geometry, row: int) -> tuple[Bytes, Symbols]:
        """v (h, w, M), and the latents that have copies (h, w, F) int16 in 1/256 of a unit."""
        shape = (g.hyper_rows, g.hyper_columns, self.bundle.hyper)
        decoder = SliceDecoder(self._tables, stream.slices, self._workers)
        z = decoder.pull(self._z_indexes(row, shape), g.hyper_rows)
        if z.size and (z.min() < -128 or z.max() > 127):
            raise LatentsChecksumError("a hyper-latent of the stream is out of range")
        v = self.passes.no_latents(g)
        features, prior = self._hyper(z, g, row)
        for step in Step:
            mean, index = self._context(step, g, row, features, v) if step else prior
            symbols = decoder.pull(self.passes.indexes(step, g, row, index), g.rows)
            fine = self.passes.dequantize(step, g, row, symbols, mean, v)
        decoder.finish()
        check_latents(stream, z, v)
        return v, fine

    def _synthesise(self, v: Bytes, fine: Symbols, g: Geometry, row: int) -> Frame:
        out = self.sessions.run("g_s", self.passes.spread(v, fine, g, row))
        return self.passes.shuffle(out, g)


def open_codec(
    path: str | Path,
    device: str = "cpu",
    *,
    flavour: str | Sequence[str] | None = None,
    threads: int = 0,
    effort: int = 1,
) -> Codec:
    """Opens a bundle and checks on this host that it computes what it computed when exported.

    path: a file, the folder of a codec in a store, or the name of a codec that pip installed
    (`installed.py`). device: "cpu" or "cuda"; never another one than asked for. flavour: "qlinear"
    or "float", None for the device's default; of several, the first whose known answers hold is
    used, and each one before it is told of by a C3DWarning and in `refused`. threads: 0 for all
    cores. effort: of the encoder, see `Codec.encode`. What the policy of the host refuses is not
    opened (`policy.py`).
    Raises a leaf of BundleError, HostError (KnownAnswerError where no flavour agrees) or
    OptionError; MissingInputError for a path that cannot be opened.
    """
    from .installed import bundle_file

    session_choices(device, flavour, threads), check_effort(effort)  # before a file is read
    bundle = read_admitted(bundle_file(path))
    return codec_of(bundle, device, flavour=flavour, threads=threads, effort=effort)


def codec_of(
    bundle: Bundle,
    device: str = "cpu",
    *,
    flavour: str | Sequence[str] | None = None,
    threads: int = 0,
    effort: int = 1,
) -> Codec:
    """As `open_codec`, of a bundle that was read already."""
    from .known import open_first

    choices, effort = session_choices(device, flavour, threads), check_effort(effort)
    if bundle.family:
        from .families import flavours_of, open_family

        wanted = [None] if flavour is None else [choice.flavour for choice in choices]
        has = flavours_of(bundle, device)
        fitting = [name for name in wanted if name is None or name in has]
        if not fitting:
            raise OptionError(
                f"the bundle's transforms are {' or '.join(has)} there; choose that, or none"
            )
        codec: Codec = open_family(bundle, replace(choices[0], flavour=fitting[0]))
    else:
        codec = open_first(bundle, choices)
    codec.effort = effort
    return codec
