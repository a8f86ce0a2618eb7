"""The ONNX files: nothing foreign in them, and the same numbers however they are run."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from c3d_export.deploy.bundle import Export
from c3d_export.deploy.graphs import IR_VERSION, OPSET, GraphSpec, graph_specs
from c3d_export.models.spec import SIZES
from c3d_export.runtime.bundle import Bundle
from c3d_export.runtime.sessions import SessionOptions, Sessions

SPECS = {spec.name: spec for spec in graph_specs(SIZES["xsmall"])}

# A new kind of node needs a proof of exactness in each provider; add it here with that.
ALLOWED = {
    "qlinear": {
        *("QLinearConv", "QLinearAdd", "MatMulInteger", "Concat", "Slice", "Identity"),
        *("Reshape", "Transpose", "Shape", "Mul", "Add"),
    },
    "float": {
        *("Conv", "Round", "Mul", "Clip", "Add", "Sub", "MatMul", "Cast", "DepthToSpace"),
        *("Concat", "Slice", "Reshape", "Transpose"),
    },
}
INTEGER_ARITHMETIC = {"Mul", "Add"}

each_graph = pytest.mark.parametrize("flavour", ["qlinear", "float"])
each_name = pytest.mark.parametrize("name", SPECS)


def _complete(bundle: Bundle, name: str, flavour: str) -> onnx.ModelProto:
    return onnx.load_from_string(bundle.graphs[name, flavour])


def _feed(spec: GraphSpec) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(len(spec.name))
    return {
        p.name: rng.integers(0, 256, (2 * p.scale, 3 * p.scale, p.channels), dtype=np.uint8)
        for p in spec.inputs
    }


@each_graph
@each_name
def test_only_known_kinds_of_nodes(tiny_bundle: Bundle, name: str, flavour: str) -> None:
    graph = _complete(tiny_bundle, name, flavour).graph
    assert {node.op_type for node in graph.node} <= ALLOWED[flavour]
    assert {node.domain for node in graph.node} <= {"", "com.microsoft"}
    if flavour == "qlinear":
        # Arithmetic in the open only happens on shapes.
        shapes = {n.output[0] for n in graph.node if n.op_type in {"Shape", *INTEGER_ARITHMETIC}}
        for node in graph.node:
            if node.op_type in INTEGER_ARITHMETIC:
                assert node.input[0] in shapes


@each_name
def test_a_round_stands_between_each_float_convolution_and_its_scale(
    tiny_bundle: Bundle, name: str
) -> None:
    nodes = _complete(tiny_bundle, name, "float").graph.node
    for total in (n for n in nodes if n.op_type in {"Conv", "MatMul"}):
        users = [n.op_type for n in nodes if total.output[0] in n.input]
        assert users == ["Round"]


@each_graph
@each_name
def test_nothing_points_outside_or_tells_where_it_was_made(
    tiny_bundle: Bundle, name: str, flavour: str
) -> None:
    model = _complete(tiny_bundle, name, flavour)
    graph = model.graph
    assert not any(t.external_data for t in graph.initializer)
    assert all(t.data_location == TensorProto.DEFAULT for t in graph.initializer)
    assert not model.functions
    assert not model.metadata_props
    described = [model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output]
    assert not any(item.doc_string for item in described)
    assert (model.ir_version, model.producer_name) == (IR_VERSION, "c3d-export")
    assert {o.domain: o.version for o in model.opset_import} == {"": OPSET, "com.microsoft": 1}
    data = model.SerializeToString()
    for trace in (b".py", b"site-packages", b"/home/", b"/root/", b"torch"):
        assert trace not in data


@each_graph
@each_name
def test_every_tensor_is_defined_once_and_used(
    tiny_bundle: Bundle, name: str, flavour: str
) -> None:
    graph = _complete(tiny_bundle, name, flavour).graph
    made = [t.name for t in graph.initializer] + [i.name for i in graph.input]
    made += [output for node in graph.node for output in node.output]
    assert len(made) == len(set(made))
    wanted = {i for node in graph.node for i in node.input} | {o.name for o in graph.output}
    unused = set(made) - wanted
    # Weights are shared by the flavours, and the scale and bias of a raw layer are arrays.
    assert not unused
    assert wanted <= set(made)


@each_name
def test_ports_are_those_of_the_specification(tiny_bundle: Bundle, name: str) -> None:
    spec = SPECS[name]
    for flavour in ("qlinear", "float"):
        graph = _complete(tiny_bundle, name, flavour).graph
        for ports, infos in ((spec.inputs, graph.input), (spec.outputs, graph.output)):
            assert [i.name for i in infos] == [p.name for p in ports]
            assert [i.type.tensor_type.elem_type for i in infos] == [p.kind for p in ports]


@each_name
def test_nodes_and_weights_are_the_whole_model_only_together(
    tiny_export: Export, name: str
) -> None:
    weights = onnx.load_from_string(tiny_export.graphs[f"graphs/{name}.weights"])
    assert not weights.graph.node
    assert not weights.graph.input
    for flavour in ("qlinear", "float"):
        nodes = onnx.load_from_string(tiny_export.graphs[f"graphs/{name}.{flavour}"])
        shared = {t.name for t in weights.graph.initializer}
        own = {t.name for t in nodes.graph.initializer}
        assert not shared & own
        assert sum(len(t.raw_data) for t in nodes.graph.initializer) < 1024
        needed = {i for node in nodes.graph.node for i in node.input}
        assert shared <= needed


@each_name
def test_flavours_and_optimisation_give_the_same_outputs(tiny_bundle: Bundle, name: str) -> None:
    spec = SPECS[name]
    feed = _feed(spec)
    results = []
    for flavour in ("qlinear", "float"):
        for level in ("none", "all"):
            one = {key: tiny_bundle.graphs[key] for key in tiny_bundle.graphs}
            sessions = Sessions(
                Bundle(tiny_bundle.id, tiny_bundle.manifest, tiny_bundle.arrays, one),
                SessionOptions(flavour=flavour, threads=1, level=level),
            )
            results.append(sessions.run(name, feed))
    wanted = results[0]
    assert list(wanted) == [p.name for p in spec.outputs]
    for port in spec.outputs:
        shape = (2 * port.scale, 3 * port.scale, port.channels)
        # The hyper-analysis shrinks its input by four, which its port tells by a scale of 1.
        assert wanted[port.name].shape == shape
        assert len(np.unique(wanted[port.name])) > 2
        assert all(np.array_equal(r[port.name], wanted[port.name]) for r in results)
