"""Graphs that were damaged on purpose: the node that is named must be the damaged one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, numpy_helper

from c3d_export.deploy.bundle import Export
from c3d_export.deploy.graphs import FLAVOURS, build_graph, graph_specs
from c3d_export.deploy.locate import Divergence, locate
from c3d_export.deploy.trace import trace
from c3d_export.deploy.validate import random_feed
from c3d_export.models.network import Codec as Network
from c3d_export.models.spec import SIZES
from c3d_export.quantize.freeze import ExactConv2d
from c3d_export.runtime.bundle import GRAPHS, Bundle
from c3d_export.runtime.sessions import LEVELS, SessionOptions

SPECS = {spec.name: spec for spec in graph_specs(SIZES["xsmall"])}
GRID = (5, 7)
Damage = Callable[[GraphProto], None]

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


def _damaged(bundle: Bundle, graph: str, flavour: str, damage: Damage) -> Bundle:
    model = onnx.load_from_string(bundle.graphs[graph, flavour])
    damage(model.graph)
    changed = model.SerializeToString()
    assert changed != bundle.graphs[graph, flavour]
    return replace(bundle, graphs={**bundle.graphs, (graph, flavour): changed})


def _locate(
    bundle: Bundle, net: Network, graph: str, flavour: str, level: str = "all", threads: int = 1
) -> Divergence | None:
    feed = random_feed(SPECS[graph], GRID)
    traced = trace(net, SPECS[graph], flavour, feed)
    return locate(bundle, graph, traced, feed, SessionOptions("cpu", flavour, threads, level))


def _found(
    bundle: Bundle, export: Export, graph: str, flavour: str, damage: Damage, level: str = "all"
) -> Divergence:
    found = _locate(_damaged(bundle, graph, flavour, damage), export.frozen, graph, flavour, level)
    assert found is not None
    assert (found.graph, found.flavour, found.level) == (graph, flavour, level)
    assert (found.device, found.threads) == ("cpu", 1)
    assert found.node in str(found)
    return found


def _constant(name: str, change: Callable[[NDArray[Any]], None]) -> Damage:
    """Changes an initialiser in place."""

    def damage(graph: GraphProto) -> None:
        (tensor,) = (t for t in graph.initializer if t.name == name)
        array = np.array(numpy_helper.to_array(tensor))
        change(array)
        tensor.CopyFrom(numpy_helper.from_array(array, name))

    return damage


def _node(graph: GraphProto, name: str) -> NodeProto:
    (node,) = (n for n in graph.node if n.output[0] == name)
    return node


def _without(name: str) -> Damage:
    """Takes a node away; its users take what it took."""

    def damage(graph: GraphProto) -> None:
        node = _node(graph, name)
        for user in graph.node:
            for position, taken in enumerate(user.input):
                if taken == name:
                    user.input[position] = node.input[0]
        graph.node.remove(node)

    return damage


def _padded(layer: str, flavour: str, pads: list[int]) -> Damage:
    def damage(graph: GraphProto) -> None:
        node = _node(graph, f"{layer}.{'out' if flavour == 'qlinear' else 'sum'}")
        (attribute,) = (a for a in node.attribute if a.name == "pads")
        attribute.ints[:] = pads

    return damage


@each_flavour
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_in_a_sound_graph_there_is_nothing_to_find(
    tiny_bundle: Bundle, tiny_export: Export, graph: str, level: str, flavour: str
) -> None:
    assert _locate(tiny_bundle, tiny_export.frozen, graph, flavour, level) is None


def _one_less(output: int) -> Callable[[NDArray[Any]], None]:
    """Takes one unit from the largest weight of an output."""

    def change(weight: NDArray[Any]) -> None:
        row = weight[output].reshape(-1)
        largest = int(np.abs(row.astype(np.int64)).argmax())
        row[largest] -= np.sign(row[largest])

    return change


@each_flavour
@pytest.mark.parametrize(
    ("graph", "layer"),
    [
        ("g_a", "patch"),
        ("g_a", "low.0.conv1"),
        ("h_a", "conv1"),
        ("h_s", "conv2"),
        ("g_cp", "known_features"),  # beside a branch that agrees
        ("g_ep", "conv1"),
        ("g_s", "enter"),
        ("g_s", "high.0.conv1"),
        ("g_s", "pixels"),  # which goes on in C: its node is the graph's output
    ],
)
def test_a_weight_changed_by_one(
    tiny_bundle: Bundle, tiny_export: Export, graph: str, layer: str, flavour: str
) -> None:
    # Rounding and clipping may hide one unit, so that some outputs are tried.
    feed = random_feed(SPECS[graph], GRID)
    traced = trace(tiny_export.frozen, SPECS[graph], flavour, feed)
    options = SessionOptions("cpu", flavour, 1)
    damages = (_constant(f"{layer}.weight", _one_less(output)) for output in range(32))
    bundles = (_damaged(tiny_bundle, graph, flavour, damage) for damage in damages)
    tried = (locate(bundle, graph, traced, feed, options) for bundle in bundles)
    found = next(divergence for divergence in tried if divergence)
    # In the float flavour the bytes of the weights become float32 in a node of their own.
    output = "pixels_sum" if layer == "pixels" else f"{layer}.out"
    assert found.node == (output if flavour == "qlinear" else f"{layer}.weight.float")
    assert found.layer.startswith(f"{graph}.")
    (reason,) = found.reasons
    assert reason.startswith(f"{layer}.weight[")
    assert found.got != found.wanted


@each_flavour
def test_a_bias(tiny_bundle: Bundle, tiny_export: Export, flavour: str) -> None:
    def change(bias: NDArray[Any]) -> None:
        bias[2] += 4000

    damage = _constant("low.0.conv1.bias", change)
    found = _found(tiny_bundle, tiny_export, "g_s", flavour, damage)
    assert found.node == f"low.0.conv1.{'out' if flavour == 'qlinear' else 'bias.float'}"
    assert found.layer == "g_s.low.0.conv1"
    assert found.reasons[0].startswith("low.0.conv1.bias[2] is ")


def _at_the_edge(net: Network, sums: NDArray[Any]) -> tuple[int, np.float32, np.float32]:
    """A channel, and two neighbouring float32 scales for it that round one of its sums apart."""
    shape = (-1, *sums.shape[2:])
    for channel in range(sums.shape[1]):
        positive = np.unique(sums[0, channel].reshape(-1))
        for total in positive[positive > 0][:50].astype(np.float32):
            scale = np.float32(20.5) / total
            for low in (np.nextafter(scale, np.float32(0)), scale):
                high = np.nextafter(low, np.float32(np.inf))
                if np.rint(total * low) != np.rint(total * high):
                    return channel, low, high
    raise AssertionError(f"no sum of {net.spec.name} {shape} will do")


@each_flavour
@pytest.mark.parametrize("level", ["none", "all"])
def test_a_scale_by_one_unit_in_the_last_place(
    tiny_bundle: Bundle, tiny_export: Export, flavour: str, level: str
) -> None:
    """The least that a graph can be wrong by: one scale, its last bit, in a layer at the end."""
    net, spec = copy.deepcopy(tiny_export.frozen), SPECS["g_s"]
    feed = random_feed(spec, GRID)
    sums = trace(net, spec, "float", feed).values["correction.barrier"]
    channel, scale, next_scale = _at_the_edge(net, sums)
    layer = net.get_submodule("g_s.correction")
    assert isinstance(layer, ExactConv2d)
    layer.scale[channel] = torch.tensor(scale)
    graph = build_graph(net, spec, flavour)
    sound = replace(
        tiny_bundle,
        graphs={**tiny_bundle.graphs, ("g_s", flavour): graph.nodes + graph.weights},
    )
    assert _locate(sound, net, "g_s", flavour, level) is None

    def change(scales: NDArray[Any]) -> None:
        scales[channel] = next_scale

    wrong = _damaged(sound, "g_s", flavour, _constant("correction.scale", change))
    found = _locate(wrong, net, "g_s", flavour, level)
    assert found is not None
    assert found.node == f"correction.{'out' if flavour == 'qlinear' else 'column'}"
    assert (found.layer, found.output) == ("g_s.correction", "correction_out")
    assert found.reasons[0].startswith(f"correction.scale[{channel}] is ")


@pytest.mark.parametrize("level", LEVELS)
def test_a_round_that_is_missing(tiny_bundle: Bundle, tiny_export: Export, level: str) -> None:
    damage = _without("high.0.conv1.rounded")
    found = _found(tiny_bundle, tiny_export, "g_s", "float", damage, level)
    assert (found.node, found.layer) == ("high.0.conv1.out", "g_s.high.0.conv1")
    assert found.reasons == (
        "it takes high.0.conv1.scaled instead of high.0.conv1.rounded (missing)",
    )


@each_flavour
@pytest.mark.parametrize(
    ("graph", "layer", "pads"), [("g_a", "down", [0, 1, 2, 1]), ("h_s", "conv3", [2, 1, 0, 1])]
)
def test_another_pad(
    tiny_bundle: Bundle,
    tiny_export: Export,
    graph: str,
    layer: str,
    pads: list[int],
    flavour: str,
) -> None:
    found = _found(tiny_bundle, tiny_export, graph, flavour, _padded(layer, flavour, pads))
    assert found.node == f"{layer}.{'out' if flavour == 'qlinear' else 'sum'}"
    assert found.layer == f"{graph}.{layer}"
    assert found.reasons == (f"pads is {pads} instead of [1, 1, 1, 1]",)


@each_flavour
def test_a_pad_with_which_the_graph_no_longer_runs(
    tiny_bundle: Bundle, tiny_export: Export, flavour: str
) -> None:
    """The sum behind the layer fails, so that no output can be had; its values still can."""
    damage = _padded("high.0.spatial", flavour, [0, 0, 0, 0])
    found = _found(tiny_bundle, tiny_export, "g_s", flavour, damage, "none")
    assert found.node == f"high.0.spatial.{'out' if flavour == 'qlinear' else 'sum'}"
    assert found.reasons == ("pads is [0, 0, 0, 0] instead of [1, 1, 1, 1]",)
    assert "[1, " in found.got
    assert found.got != found.wanted


def test_two_branches_that_are_exchanged(tiny_bundle: Bundle, tiny_export: Export) -> None:
    def damage(graph: GraphProto) -> None:
        node = _node(graph, "inputs.out")
        node.input[:] = list(reversed(node.input))

    found = _found(tiny_bundle, tiny_export, "g_cp", "qlinear", damage)
    assert found.node == "inputs.out"
    assert found.reasons[0] == "it takes known_latents.out instead of known_features.out"


def test_another_kind_of_node(tiny_bundle: Bundle, tiny_export: Export) -> None:
    def damage(graph: GraphProto) -> None:
        _node(graph, "high.0.add.sum").op_type = "Mul"

    found = _found(tiny_bundle, tiny_export, "g_s", "float", damage)
    assert (found.node, found.kind) == ("high.0.add.sum", "Mul")
    assert found.reasons == ("it is a Mul instead of a Add",)


def test_the_index_and_the_values_are_those_of_the_node(
    tiny_bundle: Bundle, tiny_export: Export
) -> None:
    def change(bias: NDArray[Any]) -> None:
        bias[5] += 1 << 19

    found = _found(tiny_bundle, tiny_export, "h_a", "qlinear", _constant("conv1.bias", change))
    feed = random_feed(SPECS["h_a"], GRID)
    traced = trace(tiny_export.frozen, SPECS["h_a"], "qlinear", feed)
    assert found.node == "conv1.out"
    assert found.index[0] == 0
    assert found.index[3] == 5
    assert found.wanted == str(traced.values["conv1.out"][found.index])
