"""The traced reference: it ends where the network ends, and is right at every node before."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from c3d_export.deploy.bundle import Export
from c3d_export.deploy.graphs import FLAVOURS, build_graph, graph_specs
from c3d_export.deploy.reference_stream import reference_outputs
from c3d_export.deploy.trace import OPERATIONS, Trace, layer_paths, trace
from c3d_export.deploy.validate import random_feed
from c3d_export.models.spec import SIZES
from c3d_export.quantize.freeze import ExactConv2d
from c3d_export.runtime.bundle import GRAPHS, Bundle

SPECS = {spec.name: spec for spec in graph_specs(SIZES["xsmall"])}
GRID = (5, 7)

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)
each_graph = pytest.mark.parametrize("graph", GRAPHS)


def _trace(export: Export, graph: str, flavour: str) -> tuple[Trace, dict[str, NDArray[np.uint8]]]:
    feed = random_feed(SPECS[graph], GRID)
    return trace(export.frozen, SPECS[graph], flavour, feed), feed


def _all_values(model: bytes, feed: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
    """Every node's value from ONNX Runtime, unoptimised: then nothing is fused that is exposed."""
    parsed = onnx.load_from_string(model)
    own = {output.name for output in parsed.graph.output}
    names = [name for node in parsed.graph.node for name in node.output]
    parsed.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in own)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        parsed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values = session.run(names, {name: x[np.newaxis] for name, x in feed.items()})
    return dict(zip(names, values, strict=True))


@each_flavour
@each_graph
def test_a_trace_ends_where_the_network_ends(tiny_export: Export, graph: str, flavour: str) -> None:
    traced, feed = _trace(tiny_export, graph, flavour)
    for name, wanted in reference_outputs(tiny_export.frozen, graph, feed).items():
        assert np.array_equal(traced.values[name][0], wanted)
        assert len(np.unique(wanted)) > 2


@each_flavour
@each_graph
def test_every_node_is_what_the_runtime_computes(
    tiny_export: Export, tiny_bundle: Bundle, graph: str, flavour: str
) -> None:
    traced, feed = _trace(tiny_export, graph, flavour)
    got = _all_values(tiny_bundle.graphs[graph, flavour], feed)
    assert list(got) == list(traced.nodes)
    for name, value in got.items():
        wanted = traced.values[name]
        assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape), name
        assert np.array_equal(value, wanted), name


def test_another_network_has_another_trace(tiny_export: Export) -> None:
    """The control of the tests above: one weight shows at its node and not before."""
    before, _ = _trace(tiny_export, "g_s", "qlinear")
    layer = tiny_export.frozen.get_submodule("g_s.pixels")
    assert isinstance(layer, ExactConv2d)
    kept = layer.weight.clone()
    layer.weight[0, 0] = -layer.weight[0, 0]
    try:
        after, _ = _trace(tiny_export, "g_s", "qlinear")
    finally:
        layer.weight.copy_(kept)
    changed = [n for n in before.nodes if not np.array_equal(before.values[n], after.values[n])]
    assert changed == ["pixels_sum"]


@each_flavour
def test_each_kind_of_node_that_is_written_is_known(tiny_export: Export, flavour: str) -> None:
    kinds = set()
    for spec in SPECS.values():
        graph = build_graph(tiny_export.frozen, spec, flavour)
        kinds |= {node.op_type for node in onnx.load_from_string(graph.nodes).graph.node}
    assert kinds <= OPERATIONS.keys()
    assert len(kinds) > 8


@each_graph
def test_layers_have_their_path_in_the_network(tiny_export: Export, graph: str) -> None:
    paths = layer_paths(tiny_export.frozen, SPECS[graph])
    layers = [
        path
        for path, module in tiny_export.frozen.named_modules()
        if isinstance(module, ExactConv2d) and path.startswith(f"{graph}.")
    ]
    assert sorted(paths.values()) == sorted(layers)


@pytest.mark.parametrize(
    ("graph", "flavour", "node", "layer"),
    [
        ("g_s", "float", "low.0.conv1.barrier", "g_s.low.0.conv1"),
        ("g_s", "float", "low.0.conv1.weight.float", "g_s.low.0.conv1"),
        ("g_s", "qlinear", "low.0.add.out", ""),
        ("g_cp", "qlinear", "known_latents.out", "g_cp.latents"),
        ("g_a", "qlinear", "head_sum", "g_a.head"),
        ("g_a", "float", "linear.sum", "g_a.linear"),
    ],
)
def test_a_node_knows_its_layer(
    tiny_export: Export, graph: str, flavour: str, node: str, layer: str
) -> None:
    traced, _ = _trace(tiny_export, graph, flavour)
    assert traced.layer_of(node) == layer
