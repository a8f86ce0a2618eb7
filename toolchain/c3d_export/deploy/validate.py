"""Bit for bit: a bundle's graphs, streams and pixels against the PyTorch integer network.

The reference is rebuilt from the bundle's own weights and runs in float64; what is compared are
the raw outputs of every graph, then hyper-latents, latents, pixels and streams of whole frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import BitMismatchError
from ..models.layers import depth_to_space
from ..models.network import Codec as Network
from ..quantize.freeze import exact
from ..quantize.reference import Coded, ReferenceCodec
from ..runtime.bundle import GRAPHS, Bundle
from ..runtime.codec import Codec
from ..runtime.images import Frame
from ..runtime.sessions import SessionOptions
from .certificate import certify
from .graphs import GraphSpec, graph_specs
from .restore import frozen_from_bundle, parameters_from

Outputs = dict[str, Tensor]
GRID = (5, 7)
"""Positions of the smallest tensor of the random inputs: odd, so that borders count."""


@dataclass(frozen=True)
class Configuration:
    """One way to run the graphs."""

    flavour: str
    level: str
    threads: int

    def options(self) -> SessionOptions:
        return SessionOptions("cpu", self.flavour, self.threads, self.level)


CONFIGURATIONS = tuple(
    Configuration(flavour, level, threads)
    for flavour in ("qlinear", "float")
    for level in ("none", "all")
    for threads in (1, 2)
)


@dataclass(frozen=True)
class ValidationRow:
    """what: a graph, or "frame HxW qQ". compared, differing: numbers of values."""

    what: str
    flavour: str
    level: str
    threads: int
    compared: int
    differing: int
    first: str = ""


@dataclass(frozen=True)
class ValidationReport:
    rows: tuple[ValidationRow, ...]

    @property
    def differing(self) -> int:
        return sum(row.differing for row in self.rows)

    @property
    def compared(self) -> int:
        return sum(row.compared for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        rows = [asdict(row) for row in self.rows]
        return {"compared": self.compared, "differing": self.differing, "rows": rows}

    def require_exact(self) -> None:
        """Raises BitMismatchError naming the first row that differs."""
        for row in self.rows:
            if row.differing:
                raise BitMismatchError(
                    f"{row.what} differs in {row.differing} of {row.compared} values ({row.first})"
                    f" with flavour {row.flavour}, optimisation {row.level}, {row.threads}"
                    " threads; this runtime must not be used for this bundle"
                )


def reference_outputs(net: Network, graph: str, feed: dict[str, Tensor]) -> Outputs:
    """Raw outputs of one graph (1, C, h, w) float64, signed ones + 128 as in the graphs."""
    if graph == "g_a":
        g = net.g_a
        trunk = g.low(g.down(g.high(g.patch(feed["patches"] - 128))))
        head = exact(g.head).accumulate(trunk)
        linear = exact(g.linear).accumulate(feed["blocks"] - 128)
        return {"head_sum": head, "linear_sum": linear}
    if graph == "h_a":
        return {"z": net.h_a(feed["activity"] - 128) + 128}
    if graph == "h_s":
        features, mean, index = net.h_s(feed["z_hat"] - 128)
        return {"features": features, "mean": mean + 128, "index": index}
    if graph in ("g_cp", "g_ep"):
        part = net.g_cp if graph == "g_cp" else net.g_ep
        mean, index = part(feed["features"], feed["known"] - 128)
        return {"mean": mean + 128, "index": index}
    return _synthesis_outputs(net, feed["v"] - 128)


def _synthesis_outputs(net: Network, v: Tensor) -> Outputs:
    g = net.g_s
    trunk = g.high(depth_to_space(g.up(g.low(g.enter(v))), 2))
    return {
        "base_out": g.base(v[:, : g.split]) + 128,
        "detail_out": g.detail(v[:, g.split : g.latents]) + 128,
        "correction_out": g.correction(trunk) + 128,
    }


def _random_feed(spec: GraphSpec, seed: int) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return {
        port.name: rng.integers(
            0, 256, (GRID[0] * port.scale, GRID[1] * port.scale, port.channels), dtype=np.uint8
        )
        for port in spec.inputs
    }


def _as_tensor(x: NDArray[Any]) -> Tensor:
    return torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None]


def _first_difference(name: str, got: NDArray[Any], wanted: NDArray[Any]) -> str:
    where = np.argwhere(got != wanted)
    if not len(where):
        return ""
    index = tuple(int(i) for i in where[0])
    return f"{name}{list(index)}: {got[index]} instead of {wanted[index]}"


def _compare(what: str, c: Configuration, pairs: dict[str, tuple[Any, Any]]) -> ValidationRow:
    compared = sum(int(np.asarray(wanted).size) for _, wanted in pairs.values())
    differing = sum(int((got != wanted).sum()) for got, wanted in pairs.values())
    firsts = (_first_difference(name, *pair) for name, pair in pairs.items())
    first = next((text for text in firsts if text), "")
    return ValidationRow(what, c.flavour, c.level, c.threads, compared, differing, first)


@torch.no_grad()
def _graph_references(net: Network) -> dict[str, tuple[dict[str, NDArray[np.uint8]], Outputs]]:
    references = {}
    for seed, spec in enumerate(graph_specs(net.spec)):
        feed = _random_feed(spec, seed)
        tensors = {name: _as_tensor(x) for name, x in feed.items()}
        references[spec.name] = feed, reference_outputs(net, spec.name, tensors)
    return references


def _frame_row(
    codec: Codec, frame: Frame, quality: int, wanted: Coded, c: Configuration, stream: bytes
) -> ValidationRow:
    latents = codec.latents(frame, quality)
    coded = codec.encode(frame, quality)
    pairs = {
        "z": (latents.z, wanted.z),
        "v": (latents.v[..., : codec.bundle.latents], wanted.v),
        "pixels": (codec.decode(coded), wanted.frame),
        "stream": (np.array([coded == stream]), np.array([True])),
    }
    what = f"frame {frame.shape[1]}x{frame.shape[0]} quality {quality}"
    return _compare(what, c, pairs)


def validate_bundle(
    bundle: Bundle,
    frames: Sequence[Frame],
    qualities: Sequence[int] | None = None,
    configurations: Sequence[Configuration] = CONFIGURATIONS,
    report: Callable[[ValidationRow], None] | None = None,
) -> ValidationReport:
    """Compares every configuration with the reference; recomputes the certificates first.

    qualities: rate points of the frames, None for all. Raises CertificateError.
    """
    net = frozen_from_bundle(bundle)
    certify(net)
    rows: list[ValidationRow] = []

    def add(row: ValidationRow) -> None:
        rows.append(row)
        if report is not None:
            report(row)

    codecs = {c: Codec(bundle, c.options()) for c in configurations}
    references = _graph_references(net)
    for c, codec in codecs.items():
        for graph in GRAPHS:
            feed, wanted = references[graph]
            got = codec.sessions.run(graph, feed)
            pairs = {n: (got[n], w[0].permute(1, 2, 0).numpy()) for n, w in wanted.items()}
            add(_compare(graph, c, pairs))
    reference = ReferenceCodec(net, parameters_from(bundle))
    for frame in frames:
        for quality in qualities or range(1, bundle.qualities + 1):
            wanted_frame = reference.encode(frame, quality - 1)
            stream = next(iter(codecs.values())).encode(frame, quality)
            for c, codec in codecs.items():
                add(_frame_row(codec, frame, quality, wanted_frame, c, stream))
    return ValidationReport(tuple(rows))
