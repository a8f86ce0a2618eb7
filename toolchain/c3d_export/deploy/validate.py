"""Bit for bit: a bundle's graphs, streams and pixels against the PyTorch integer network.

The proof that a user runs, in four parts, the first of which can end it:
1. certificates: bounds of every layer, computed from the graphs and held against the manifest;
2. known answers: the graphs compute here what they computed at export;
3. graphs: every output of every graph on random inputs;
4. frames: hyper-latents, latents and streams of whole frames, and the pixels that are decoded from
   the reference's stream.

The reference is PyTorch in float64, where integers are exact. Of a workspace model it is the model
itself; of a bundle it is rebuilt from the bundle's own weights, so that a weight which was changed
there shows in the certificates or known answers only. What ran in which configurations:
`matrix.py`. Where a bit differs, `locate.py` names the first node that computes something else.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BitMismatchError
from ..models.network import Codec as Network
from ..runtime.bundle import GRAPHS, Bundle
from ..runtime.codec import Codec
from ..runtime.sessions import Feed, SessionOptions, Sessions
from .analysis import FloatComparison
from .compare import KNOWN, ValidationRow, frame_row, graph_row, known_row
from .graph_certificates import CheckedCertificate, check_certificates, require_certificates
from .graphs import GraphSpec, graph_specs
from .locate import Divergence, locate
from .matrix import FrameJob, Grid, Plan
from .reference_stream import FrameReference, Outputs, Wanted, reference_outputs
from .restore import frozen_from_bundle
from .trace import trace

_HYPER = ("h_a", "h_s")
"""Graphs whose smallest tensor is z, at a quarter of the latents' grid."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ValidationReport:
    """All that was found. divergence: of the first row that differs. seconds: of the whole run."""

    name: str
    codec_id: str
    certificates: tuple[CheckedCertificate, ...]
    rows: tuple[ValidationRow, ...]
    plan: Plan
    divergence: Divergence | None
    seconds: float
    floats: FloatComparison | None = None

    @property
    def differing(self) -> int:
        return sum(row.differing for row in self.rows)

    @property
    def compared(self) -> int:
        return sum(row.compared for row in self.rows)

    @property
    def exact(self) -> bool:
        """Whether every certificate holds and no value differs."""
        return (
            bool(self.rows) and not self.differing and not any(c.fault for c in self.certificates)
        )

    def with_floats(self, floats: FloatComparison, seconds: float) -> ValidationReport:
        return replace(self, floats=floats, seconds=seconds)

    def to_json(self) -> dict[str, Any]:
        return {
            "bundle": self.name,
            "codec_id": self.codec_id,
            "exact": self.exact,
            "compared": self.compared,
            "differing": self.differing,
            "seconds": round(self.seconds, 2),
            "skipped": list(self.plan.skipped),
            "certificates": [item.to_json() for item in self.certificates],
            "divergence": self.divergence.to_json() if self.divergence else None,
            "float": self.floats.to_json() if self.floats else None,
            "rows": [row.to_json() for row in self.rows],
        }

    def require_exact(self) -> None:
        """Raises CertificateError or BitMismatchError, naming the layer, row and node."""
        require_certificates(self.certificates)
        row = next((row for row in self.rows if row.differing), None)
        if row is not None:
            raise BitMismatchError(f"{_verdict(row)}{_advice(row, self.divergence)}")


def _verdict(row: ValidationRow) -> str:
    differs, values = ("differ", "answers") if row.what == KNOWN else ("differs", "values")
    return (
        f"{row} {differs} in {row.differing} of {row.compared} {values} ({row.first}) with"
        f" {row.configuration}"
    )


def _advice(row: ValidationRow, divergence: Divergence | None) -> str:
    if divergence is not None:
        return f"; first {divergence}; do not use this runtime for this bundle"
    if row.what == KNOWN:
        return "; this host, or a change of the weights, gives other numbers than the export did"
    return "; no graph differs on this input, so look at the passes and the entropy coder"


Report = Callable[[ValidationRow], None]


def validate_bundle(
    bundle: Bundle, plan: Plan, *, network: Network | None = None, report: Report | None = None
) -> ValidationReport:
    """Runs a plan; nothing is raised for what differs, see `require_exact`.

    network: the frozen network that the bundle was made from, None to restore it from the bundle.
    report: called with every row. Raises a leaf of BundleError, HostError, or CertificateError
    where a graph lacks a layer.
    """
    started = time.monotonic()
    net = network or frozen_from_bundle(bundle)
    certificates = check_certificates(bundle, net)
    rows: list[ValidationRow] = []
    divergence = None
    if not any(item.fault for item in certificates):
        validation = _Validation(bundle, net, plan)
        for row in validation.rows():
            rows.append(row)
            if report is not None:
                report(row)
        first = next((row for row in rows if row.differing and row.what != KNOWN), None)
        divergence = validation.divergence(first) if first else None
    seconds = time.monotonic() - started
    return ValidationReport(
        bundle.name, bundle.id.hex(), certificates, tuple(rows), plan, divergence, seconds
    )


def count_rows(plan: Plan) -> int:
    """How many rows a plan gives."""
    each = len(GRAPHS) * len(plan.grids) + plan.known_answers
    return each * len(plan.configurations) + sum(len(job.configurations) for job in plan.jobs)


class _Validation:
    def __init__(self, bundle: Bundle, net: Network, plan: Plan) -> None:
        self.bundle, self.net, self.plan = bundle, net, plan
        self.specs = {spec.name: spec for spec in graph_specs(net.spec)}
        self.frames = FrameReference(net, bundle)

    def rows(self) -> Iterator[ValidationRow]:
        """One configuration after the other, so that the sessions of one are open at a time."""
        graphs = self._graph_references() if self.plan.configurations else {}
        everywhere, dealt = self._jobs()
        for c in self.plan.configurations:
            codec = Codec(self.bundle, c.options())
            if self.plan.known_answers:
                yield known_row(codec, c)
            for (graph, grid), (feed, wanted) in graphs.items():
                yield graph_row(codec, c, graph, grid, feed, wanted)
            for job, wanted_frame in everywhere:
                yield frame_row(codec, job, wanted_frame, c)
        for job in dealt:
            wanted_frame = self._wanted(job)
            for c in job.configurations:
                yield frame_row(Codec(self.bundle, c.options()), job, wanted_frame, c)

    def _jobs(self) -> tuple[list[tuple[FrameJob, Wanted]], list[FrameJob]]:
        """The frames that run in every configuration, with what is wanted; and the others."""
        everywhere = [j for j in self.plan.jobs if j.configurations == self.plan.configurations]
        others = [j for j in self.plan.jobs if j.configurations != self.plan.configurations]
        return [(job, self._wanted(job)) for job in everywhere], others

    def _wanted(self, job: FrameJob) -> Wanted:
        return self.frames.wanted(job.frame.pixels, job.quality)

    def _graph_references(self) -> dict[tuple[str, Grid], tuple[dict[str, Bytes], Outputs]]:
        references = {}
        for graph, spec in self.specs.items():
            for grid in self.plan.grids:
                feed = random_feed(spec, grid)
                references[graph, grid] = feed, reference_outputs(self.net, graph, feed)
        return references

    def divergence(self, row: ValidationRow) -> Divergence | None:
        """The node behind a row that differs; None where no graph does."""
        for graph, feed in self._feeds(row):
            traced = trace(self.net, self.specs[graph], row.configuration.flavour, feed)
            found = locate(self.bundle, graph, traced, feed, row.configuration.options())
            if found is not None:
                return found
        return None

    def _feeds(self, row: ValidationRow) -> Iterator[tuple[str, Feed]]:
        """The graphs that a row ran, in order, with their inputs."""
        if row.what in self.specs:
            columns, rows = (int(n) for n in row.size.split("x"))
            yield row.what, random_feed(self.specs[row.what], (rows, columns))
            return
        named = (row.name, row.size, row.quality)
        jobs = ((j.frame.name, j.frame.size, j.quality) == named and j for j in self.plan.jobs)
        frame = next(job.frame.pixels for job in jobs if job)
        recorder = _Recorder(self.bundle, row.configuration.options())
        codec = Codec(self.bundle, row.configuration.options())
        codec.sessions = recorder
        # What ran so far is what matters; the row has told of the failure.
        with contextlib.suppress(Exception):
            codec.decode(codec.encode(frame, row.quality))
        yield from recorder.feeds


class _Recorder(Sessions):
    """Sessions that keep their inputs."""

    def __init__(self, bundle: Bundle, options: SessionOptions) -> None:
        super().__init__(bundle, options)
        self.feeds: list[tuple[str, Feed]] = []

    def run(self, graph: str, feed: Feed) -> dict[str, NDArray[Any]]:
        self.feeds.append((graph, dict(feed)))
        return super().run(graph, feed)


def random_feed(spec: GraphSpec, grid: Grid) -> dict[str, Bytes]:
    """Random bytes for a graph at a grid of latents (rows, columns), the same in every process."""
    rows, columns = (-(-n // 4) for n in grid) if spec.name in _HYPER else grid
    rng = np.random.default_rng([GRAPHS.index(spec.name), *grid])
    return {
        p.name: rng.integers(0, 256, (rows * p.scale, columns * p.scale, p.channels), np.uint8)
        for p in spec.inputs
    }
