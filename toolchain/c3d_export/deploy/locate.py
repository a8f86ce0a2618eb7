"""The first node of a graph that computes something else than the network.

One intermediate value is exposed at a time: all at once would keep the optimiser from the very
fusions that may be at fault. A bisection in topological order finds a node that differs behind one
that agrees. Where one of its inputs differs too, the differences are not monotone (branches run
side by side), and a walk from the start finds the first node that differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from ..runtime.bundle import Bundle
from ..runtime.providers import import_runtime, open_session
from ..runtime.sessions import SessionOptions
from .trace import Trace

Array = NDArray[Any]
Feed = Mapping[str, Array]


@dataclass(frozen=True)
class Divergence:
    """node: its output's name. layer: path in the network, "" for none. index: of the first value
    that differs, batch axis included (NHWC in qlinear graphs, NCHW in float ones). got, wanted:
    that value. reasons: how the node differs from the one that the network asks for, if it does.
    output: the graph output where the difference was seen."""

    graph: str
    node: str
    kind: str
    layer: str
    index: tuple[int, ...]
    got: str
    wanted: str
    reasons: tuple[str, ...]
    output: str
    device: str
    flavour: str
    level: str
    threads: int

    def __str__(self) -> str:
        layer = f" of layer {self.layer}" if self.layer else ""
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return (
            f"node {self.node} ({self.kind}){layer} in graph {self.graph} gives {self.got} instead"
            f" of {self.wanted} at {list(self.index)}{why}"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def locate(
    bundle: Bundle, graph: str, trace: Trace, feed: Feed, options: SessionOptions
) -> Divergence | None:
    """Where a graph leaves its trace; None where all outputs agree.

    trace: of the same graph, flavour and feed (inputs by name, (h, w, C) uint8).
    """
    probe = _Probe(bundle, graph, trace, feed, options)
    output = next((name for name in probe.outputs if probe.differs(name)), None)
    if output is None:
        return None
    order = probe.ancestors(output)
    found = _bisect(probe, [name for name in order if probe.depends_on_input(name)])
    if any(probe.differs(name) for name in probe.inputs(found) if name in order):
        found = next(name for name in order if probe.differs(name))
    return probe.describe(found, output)


def _bisect(probe: _Probe, order: Sequence[str]) -> str:
    """A name that differs, the one before it (if any) not; the last one is known to differ."""
    agrees, differs = -1, len(order) - 1
    while differs - agrees > 1:
        middle = (agrees + differs) // 2
        if probe.differs(order[middle]):
            differs = middle
        else:
            agrees = middle
    return order[differs]


class _Probe:
    """Looks at single values of one graph, in one configuration, on one input."""

    def __init__(
        self, bundle: Bundle, graph: str, trace: Trace, feed: Feed, options: SessionOptions
    ) -> None:
        self.bundle, self.graph, self.trace, self.feed = bundle, graph, trace, feed
        self.options = replace(options, flavour=trace.flavour)
        self.model = onnx.load_from_string(bundle.graphs[graph, trace.flavour])
        self.nodes = {name: node for node in self.model.graph.node for name in node.output}
        self.outputs = [output.name for output in self.model.graph.output]
        self.constants = {t.name: t for t in self.model.graph.initializer}
        self.differs = cache(self._differs)
        self.depends_on_input = cache(self._depends_on_input)

    def inputs(self, name: str) -> list[str]:
        """The nodes whose values a node takes."""
        return [i for i in self.nodes[name].input if i in self.nodes]

    def ancestors(self, name: str) -> list[str]:
        """The nodes behind a value, and its own, in the graph's order; those of the trace."""
        behind = self._behind(name)
        return [n for n in self.nodes if n in behind and n in self.trace.nodes]

    def _behind(self, name: str) -> set[str]:
        seen, waiting = set[str](), [name]
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                waiting += self.inputs(current)
        return seen

    def _depends_on_input(self, name: str) -> bool:
        taken = self.nodes[name].input
        return any(i in self.feed for i in taken) or any(
            self.depends_on_input(i) for i in self.inputs(name)
        )

    def value(self, name: str) -> Array | None:
        """None where the graph does not run as far as this node."""
        for keep in (True, False):
            try:
                return self._run(self._exposed(name, keep=keep), name)
            except Exception:  # a damaged graph fails in as many ways as there are kernels
                continue
        return None

    def _exposed(self, name: str, *, keep: bool) -> bytes:
        """The graph with this value among its outputs; keep: besides its own ones, else only the
        nodes behind it are left, for what fails elsewhere would fail the whole run."""
        model = ModelProto()
        model.CopyFrom(self.model)
        if not keep:
            behind = self._behind(name)
            del model.graph.output[:], model.graph.node[:]
            model.graph.node.extend(self.nodes[n] for n in self.nodes if n in behind)
        if not keep or name not in self.outputs:
            model.graph.output.append(ValueInfoProto(name=name))
        data: bytes = model.SerializeToString()
        return data

    def _run(self, model: bytes, name: str) -> Array:
        o = self.options
        session = open_session(import_runtime(), model, o.device, threads=o.threads, level=o.level)
        (value,) = session.run([name], {n: x[np.newaxis] for n, x in self.feed.items()})
        array: Array = value
        return array

    def _differs(self, name: str) -> bool:
        return not _equal(self.value(name), self.trace.values[name])

    def describe(self, name: str, output: str) -> Divergence:
        index, got, wanted = _first(self.value(name), self.trace.values[name])
        options = self.options
        return Divergence(
            self.graph,
            name,
            self.nodes[name].op_type,
            self.trace.layer_of(name),
            index,
            got,
            wanted,
            tuple(self._reasons(self.nodes[name], self.trace.nodes[name])),
            output,
            options.device,
            self.trace.flavour,
            options.level,
            options.threads,
        )

    def _reasons(self, node: NodeProto, wanted: NodeProto) -> list[str]:
        """How a node and its constants differ from those of the network."""
        reasons = []
        if (node.domain, node.op_type) != (wanted.domain, wanted.op_type):
            reasons.append(f"it is a {node.op_type} instead of a {wanted.op_type}")
        for took, should in zip(node.input, wanted.input, strict=False):
            if took != should:
                missing = "" if should in self.nodes or should in self.constants else " (missing)"
                reasons.append(f"it takes {took} instead of {should}{missing}")
        reasons += _attribute_reasons(node, wanted)
        for name in node.input:
            if name in self.constants and name in self.trace.values:
                reasons += _constant_reasons(self.constants[name], self.trace.values[name])
        return reasons


def _attribute_reasons(node: NodeProto, wanted: NodeProto) -> list[str]:
    got, should = (
        {a.name: helper.get_attribute_value(a) for a in n.attribute} for n in (node, wanted)
    )
    names = sorted(got.keys() | should.keys())
    return [
        f"{name} is {got.get(name)} instead of {should.get(name)}"
        for name in names
        if got.get(name) != should.get(name)
    ]


def _constant_reasons(tensor: TensorProto, wanted: Array) -> list[str]:
    array = numpy_helper.to_array(tensor)
    if _equal(array, wanted):
        return []
    index, got, should = _first(array, wanted)
    return [f"{tensor.name}{list(index)} is {got} instead of {should}"]


def _equal(got: Array | None, wanted: Array) -> bool:
    return (
        got is not None
        and got.shape == wanted.shape
        and got.dtype == wanted.dtype
        and bool((got == wanted).all())
    )


def _first(got: Array | None, wanted: Array) -> tuple[tuple[int, ...], str, str]:
    """Where two arrays differ first, and the values there; shapes where these differ."""
    if got is None:
        return (), "nothing (the graph does not run)", f"{wanted.dtype} {list(wanted.shape)}"
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return (), f"{got.dtype} {list(got.shape)}", f"{wanted.dtype} {list(wanted.shape)}"
    where = np.argwhere(got != wanted)
    index = tuple(int(i) for i in where[0]) if len(where) else ()
    return index, _text(got[index]), _text(wanted[index])


def _text(value: Any) -> str:
    """Nine digits tell any two float32 apart."""
    return f"{value:.9g}" if isinstance(value, np.floating) else str(value)
