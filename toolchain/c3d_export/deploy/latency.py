"""How long operations take on this host, in the flavour that will run.

An operation alone cannot be timed: a call costs more than most of them. A probe is a graph of
COPIES branches, each a narrow layer (so that the operation finds its input as fresh in the cache
as in a network), the operation, and a `Shape` that needs its result and costs nothing. The time
of an operation is that of its probe less that of the same graph without it, over the copies.
All probes and the whole graphs of the network take turns, so that a slow spell of the host hits all
alike, and of each the lower quartile counts: what else runs only adds time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ..models.layers import IntConv2d
from ..models.network import Codec
from ..prune.latency import Shape
from ..quantize.freeze import ExactConv2d, freeze
from ..runtime.providers import import_runtime, open_session
from .emit import CONTRIB, Emitter, Value
from .graphs import FLAVOURS, IR_VERSION, OPSET, GraphSpec, build_graph, graph_specs

Feed = Mapping[str, NDArray[Any]]
Run = Callable[[], object]
Tell = Callable[[int, str], None]

COPIES: Final = 6
LEAD: Final = 16
"""Channels that the narrow layers see."""
BARE: Final = "bare"
"""Kind of the probe without an operation."""
ROUNDS: Final = 20
WARM: Final = 2
"""Rounds that fill caches and are not counted."""
BATCH: Final = 128
"""Shapes whose sessions are open at a time: each has threads of its own."""


@dataclass(frozen=True)
class Bench:
    """Where and on what to measure. flavour: "qlinear" or "float". threads: 0 for all cores.
    size: width and height of the frames."""

    size: tuple[int, int]
    flavour: str = "qlinear"
    threads: int = 0

    def run(self, model: bytes, feed: Feed) -> Run:
        """A run of a serialised model, in a session as the codec opens them."""
        session = open_session(import_runtime(), model, "cpu", threads=self.threads)
        return lambda: session.run(None, feed)


@dataclass(frozen=True)
class Measured:
    """Milliseconds of shapes, and of the graphs of a network by their names."""

    points: Mapping[Shape, float]
    graphs: Mapping[str, float]


def measure(
    shapes: Sequence[Shape],
    network: Codec | None,
    bench: Bench,
    rounds: int = ROUNDS,
    tell: Tell | None = None,
) -> Measured:
    """Measures shapes and the graphs of a network together; of shapes alone without a network.

    tell(done, text): of how many shapes.
    """
    points: dict[Shape, float] = {}
    graphs: dict[str, float] = {}
    whole = {} if network is None else _graph_runs(network, bench)
    shapes = sorted(set(shapes))
    for first in range(0, max(1, len(shapes)), BATCH):
        some = shapes[first : first + BATCH]
        probes = list(dict.fromkeys([*some, *map(_bare, some)]))
        runs = [*whole.values(), *(_probe_run(shape, bench) for shape in probes)]
        times = in_turns(runs, rounds)
        seen = dict(zip(probes, times[len(whole) :], strict=True))
        points |= {s: max(0.0, seen[s] - seen[_bare(s)]) / COPIES for s in some}
        for name, ms in zip(whole, times, strict=False):
            graphs[name] = min(ms, graphs.get(name, ms))
        if tell is not None:
            tell(len(points), "")
    return Measured(points, graphs)


def in_turns(runs: Sequence[Run], rounds: int) -> list[float]:
    """The lower quartile of the milliseconds of each."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(rounds + WARM):
        for run, kept in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            if turn >= WARM:
                kept.append(1000.0 * (time.perf_counter() - begin))
    return [float(np.quantile(kept, 0.25)) for kept in times]


def _bare(shape: Shape) -> Shape:
    channels = _seen(shape)
    return Shape(BARE, 1, 1, shape.rows, shape.columns, channels, channels)


def _seen(shape: Shape) -> int:
    """Channels of the tensor that the operation reads."""
    return 4 * shape.outputs if shape.kind == "shuffle" else shape.inputs


def _probe_run(shape: Shape, bench: Bench) -> Run:
    x = _random((1, shape.rows, shape.columns, LEAD))
    return bench.run(probe(shape, bench.flavour), {"x": x})


def probe(shape: Shape, flavour: str) -> bytes:
    """A serialised model; input x: (1, rows, columns, LEAD) uint8."""
    e = FLAVOURS[flavour]()
    x = e.enter("x", False)
    leads: list[Value] = []
    outputs = []
    # Weights of layers that are made here come from torch's own generator.
    with torch.random.fork_rng():
        for i in range(COPIES):
            leads.append(e.conv(f"lead{i}", _layer(LEAD, _seen(shape), 1), x))
            name = _write(e, shape, f"op{i}", leads)
            outputs.append(e.node("Shape", [name], f"out{i}"))
    return _model(e, outputs)


def _write(e: Emitter, shape: Shape, name: str, leads: list[Value]) -> str:
    """The operation on the last lead; the name of its result."""
    x = leads[-1]
    if shape.kind == "product":
        e.product(name, _layer(shape.inputs, shape.outputs, 1, rounding=False), x, f"{name}.out")
        return f"{name}.out"
    if shape.kind == "add":
        # A trunk is written long before the branch that is added to it.
        return e.add(name, leads[0], x).name
    if shape.kind == "shuffle":
        return e.depth_to_space(name, x, shape.outputs).name
    if shape.kind == BARE:
        return x.name
    depthwise = shape.kind == "depthwise"
    layer = _layer(
        shape.inputs, shape.outputs, shape.kernel, stride=shape.stride, depthwise=depthwise
    )
    return e.conv(name, layer, x).name


def _layer(inputs: int, outputs: int, kernel: int, **options: Any) -> ExactConv2d:
    return ExactConv2d(IntConv2d(inputs, outputs, kernel, **options))


def _model(e: Emitter, outputs: list[str]) -> bytes:
    port = helper.make_tensor_value_info
    ends = [port(name, TensorProto.INT64, [None]) for name in outputs]
    x = port("x", TensorProto.UINT8, [1, "h", "w", LEAD])
    weights = [*e.own.values(), *e.shared.values()]
    graph = helper.make_graph(e.nodes, "probe", [x], ends, weights)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def _graph_runs(network: Codec, bench: Bench) -> dict[str, Run]:
    frozen = freeze(network)
    runs = {}
    for spec in graph_specs(network.spec):
        built = build_graph(frozen, spec, bench.flavour)
        runs[spec.name] = bench.run(built.nodes + built.weights, _feed(spec, bench.size))
    return runs


def _feed(spec: GraphSpec, size: tuple[int, int]) -> Feed:
    # The positions of a graph whose scale is 1: latents, or the hyper-latents that pad them.
    side = 64 if spec.name.startswith("h_") else 16
    columns, rows = (-(-pixels // side) for pixels in size)
    return {
        p.name: _random((1, rows * p.scale, columns * p.scale, p.channels)) for p in spec.inputs
    }


def _random(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
