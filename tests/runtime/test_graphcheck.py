"""The graph check: what we write passes; a test for each thing that a foreign graph may try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import BundleGraphError
from c3d_export.core.limits import (
    MAX_ATTRIBUTE_VALUE,
    MAX_GRAPH_INITIALIZERS,
    MAX_GRAPH_NODES,
    MAX_TENSOR_BYTES,
)
from c3d_export.runtime.bundle import FLAVOURS, GRAPHS, Bundle, parse_bundle
from c3d_export.runtime.graphcheck import check_graph
from c3d_export.runtime.graphlists import OPERATORS, OPTIONAL, PORTS

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

Model = Any
Edit = Callable[[Model], object]
Repack = Callable[..., bytes]
GRAPH, FLAVOUR = "g_s", "qlinear"


@pytest.fixture(scope="module")
def data(tiny_bundle: Bundle) -> bytes:
    return tiny_bundle.graphs[GRAPH, FLAVOUR]


def edited(data: bytes, edit: Edit) -> bytes:
    model = onnx.load_from_string(data)
    edit(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_what_we_write_passes(tiny_bundle: Bundle, graph: str, flavour: str) -> None:
    check_graph(tiny_bundle.graphs[graph, flavour], graph, flavour)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_lists_hold_what_is_written_and_nothing_more(tiny_bundle: Bundle, flavour: str) -> None:
    written: dict[tuple[bytes, bytes], dict[bytes, int]] = {}
    for graph in GRAPHS:
        for node in onnx.load_from_string(tiny_bundle.graphs[graph, flavour]).graph.node:
            attributes = {a.name.encode(): a.type for a in node.attribute}
            kind = node.op_type.encode(), node.domain.encode()
            known = written.setdefault(kind, attributes)
            assert known.keys() ^ attributes.keys() <= OPTIONAL
            written[kind] = known | attributes
    assert written == OPERATORS[flavour]


def test_the_ports_are_those_that_are_written(tiny_bundle: Bundle) -> None:
    assert tuple(PORTS) == GRAPHS
    for graph in GRAPHS:
        model = onnx.load_from_string(tiny_bundle.graphs[graph, "float"]).graph
        for ports, wanted in zip((model.input, model.output), PORTS[graph], strict=True):
            kinds = {p.name.encode(): p.type.tensor_type.elem_type for p in ports}
            assert kinds == wanted


def test_a_bundle_is_refused_when_it_is_read(tiny_bytes: bytes, repack: Repack) -> None:
    """Hashes and sizes are right."""
    from c3d_export.runtime.archive import unpack_archive

    member = "graphs/g_s.float"
    nodes = unpack_archive(tiny_bytes)[member]
    forged = edited(nodes, lambda m: setattr(m.graph.node[0], "op_type", "If"))
    with pytest.raises(BundleGraphError, match=r"g_s \(float\) of the bundle") as caught:
        parse_bundle(repack(tiny_bytes, {member: forged}))
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


def _subgraph(model: Model) -> None:
    empty = helper.make_graph([], "inner", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("then_branch", empty))


def _external(model: Model) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _function(model: Model) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("local", "f", ["x"], ["y"], [node], opset))


def _add(array: np.ndarray[Any, Any], name: str = "new") -> Edit:
    return lambda m: m.graph.initializer.append(numpy_helper.from_array(array, name))


def _node(**fields: Any) -> Edit:
    def edit(model: Model) -> None:
        for name, value in fields.items():
            setattr(model.graph.node[0], name, value)

    return edit


def _attribute(name: str, value: Any) -> Edit:
    """Replaces an attribute of the first convolution."""

    def edit(model: Model) -> None:
        node = next(n for n in model.graph.node if n.op_type == "QLinearConv")
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return edit


def _drop_attribute(model: Model) -> None:
    node = next(n for n in model.graph.node if n.op_type == "QLinearConv")
    del node.attribute[0]


def _twice_attribute(model: Model) -> None:
    node = next(n for n in model.graph.node if n.op_type == "QLinearConv")
    node.attribute.append(node.attribute[0])


def _shape(model: Model) -> None:
    model.graph.initializer[0].dims[:] = [*model.graph.initializer[0].dims, 2]


def _double_name(model: Model) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


def _typed_data(model: Model) -> None:
    tensor = helper.make_tensor("new", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    model.graph.initializer.append(tensor)


def _sparse(model: Model) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


def _rank(model: Model) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=1)


ATTACKS: dict[str, tuple[Edit, str]] = {
    "operator": (_node(op_type="Loop"), r"not allowed, 'com\.microsoft'\.'Loop'"),
    "operator of the other flavour": (_node(op_type="Conv", domain=""), "not allowed, 'Conv'"),
    "operator of another domain": (_node(domain="ai.onnx.ml"), "not allowed, 'ai.onnx.ml'"),
    "operator in the domain of onnx": (_node(domain=""), "operator that is not allowed"),
    "operator without a name": (_node(op_type=""), "operator that is not allowed"),
    "overload": (_node(overload="x"), "an overload of a function"),
    "text in a node": (_node(doc_string="x"), "field 6 of type 2 in a node"),
    "subgraph": (_subgraph, "a subgraph in an attribute"),
    "local function": (_function, "local functions"),
    "training": (lambda m: m.training_info.add(), "training information"),
    "metadata": (lambda m: m.metadata_props.add(key="ort_config", value="{}"), "metadata"),
    "external data": (_external, "external data|a place of its data"),
    "sparse initialiser": (_sparse, "sparse initialisers"),
    "double": (_add(np.ones(2)), "type that is not allowed"),
    "half": (_add(np.ones(2, np.float16)), "type that is not allowed"),
    "strings": (_add(np.array(["a"], object)), "field 6 of type 2 in an initialiser"),
    "data in another field": (_typed_data, "field 4 of type 2"),
    "no elements": (_add(np.ones((0, 3), np.float32)), "beyond the limits"),
    "rank": (_add(np.ones((1, 1, 1, 1, 1), np.uint8)), "beyond the limits"),
    "large": (_add(np.zeros(MAX_TENSOR_BYTES + 1, np.uint8)), "beyond the limits"),
    "shape": (_shape, "do not fill its shape"),
    "name twice": (_double_name, "two initialisers of one name"),
    "long name": (_add(np.ones(1, np.uint8), "n" * 200), "a name of more than"),
    "ir version": (lambda m: setattr(m, "ir_version", 9), "version of ONNX's format"),
    "opset": (lambda m: setattr(m.opset_import[0], "version", 21), "sets of operators"),
    "more opsets": (
        lambda m: m.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3)),
        "sets of operators",
    ),
    "an opset twice": (lambda m: m.opset_import.append(m.opset_import[0]), "sets of operators"),
    "producer": (lambda m: setattr(m, "producer_name", "pytorch"), "another program"),
    "text in the model": (
        lambda m: setattr(m, "doc_string", "x"),
        "field 6 of type 2 in the model",
    ),
    "graph's name": (lambda m: setattr(m.graph, "name", "g_a"), "not the one"),
    "no nodes": (lambda m: m.graph.ClearField("node"), "no nodes"),
    "input's name": (lambda m: setattr(m.graph.input[0], "name", "x"), "other inputs or outputs"),
    "input's type": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 1),
        "other inputs or outputs",
    ),
    "an input more": (lambda m: m.graph.input.append(m.graph.input[0]), "number of inputs"),
    "an output less": (lambda m: m.graph.output.pop(), "number of inputs or outputs"),
    "an output twice": (
        lambda m: m.graph.output[1].CopyFrom(m.graph.output[0]),
        "other inputs or outputs",
    ),
    "rank of an input": (_rank, r"not \(1, h, w, C\)"),
    "a sequence as input": (
        lambda m: m.graph.input[0].type.sequence_type.elem_type.SetInParent(),
        "a sequence",
    ),
    "value info": (
        lambda m: m.graph.value_info.append(m.graph.input[0]),
        "field 13 of type 2 in the graph",
    ),
    "attribute": (_attribute("auto_pad", "SAME_UPPER"), "attribute that is not allowed"),
    "attribute's type": (_attribute("pads", [0.5]), "which none of ours has"),
    "tensor attribute": (
        _attribute("pads", numpy_helper.from_array(np.ones(1), "t")),
        "a tensor in an attribute",
    ),
    "padding": (_attribute("pads", [2**31] * 4), "beyond the limits in attribute 'pads'"),
    "groups": (_attribute("group", 2**31), "beyond the limits in attribute 'group'"),
    "negative padding": (_attribute("pads", [-1] * 4), "beyond the limits"),
    "many pads": (_attribute("pads", [1] * 9), "beyond the limits"),
    "no attribute": (_drop_attribute, "other attributes than ours"),
    "attribute twice": (_twice_attribute, "other attributes than ours"),
    "an input that nothing makes": (
        lambda m: m.graph.node[0].input.append("x"),
        "needs 'x', which nothing makes",
    ),
    "a cycle": (
        lambda m: m.graph.node[0].input.append(m.graph.node[3].output[0]),
        "which nothing makes",
    ),
    "an input with a default": (_add(np.ones(1, np.uint8), "v"), "a value of its own"),
    "a value made twice": (
        lambda m: m.graph.node[1].output.append(m.graph.node[0].output[0]),
        "makes .* twice",
    ),
    "an initialiser less": (lambda m: m.graph.initializer.pop(), "which nothing makes"),
    "a node less": (lambda m: m.graph.node.pop(), "no node makes"),
    "many inputs": (
        lambda m: m.graph.node[0].input.extend([m.graph.node[0].input[0]] * 16),
        "more than 16 inputs and outputs",
    ),
    "long input": (lambda m: m.graph.node[0].input.append("x" * 200), "a name of more than"),
    "many nodes": (
        lambda m: m.graph.node.extend([m.graph.node[0]] * MAX_GRAPH_NODES),
        f"no nodes or more than {MAX_GRAPH_NODES}",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack(data: bytes, attack: str) -> None:
    edit, message = ATTACKS[attack]
    with pytest.raises(BundleGraphError, match=message):
        check_graph(edited(data, edit), GRAPH, FLAVOUR)


def test_many_initialisers(data: bytes) -> None:
    one = np.ones(1, np.uint8)
    tensors = [numpy_helper.from_array(one, f"t{i}") for i in range(MAX_GRAPH_INITIALIZERS)]
    with pytest.raises(BundleGraphError, match=f"more than {MAX_GRAPH_INITIALIZERS} init"):
        check_graph(edited(data, lambda m: m.graph.initializer.extend(tensors)), GRAPH, FLAVOUR)


def test_the_largest_allowed_values_pass(data: bytes) -> None:
    """Controls of the limits: up to them, nothing is refused."""
    check_graph(edited(data, _attribute("pads", [MAX_ATTRIBUTE_VALUE] * 4)), GRAPH, FLAVOUR)
    check_graph(edited(data, _add(np.zeros(MAX_TENSOR_BYTES, np.uint8))), GRAPH, FLAVOUR)
    check_graph(edited(data, _add(np.array(3, np.int64))), GRAPH, FLAVOUR)


def test_parts_in_any_order_are_one_model(tiny_bytes: bytes) -> None:
    """As protobuf merges them; bundles hold nodes and weights as two members."""
    from c3d_export.runtime.archive import unpack_archive

    members = unpack_archive(tiny_bytes)
    nodes, weights = (members[f"graphs/{GRAPH}.{part}"] for part in (FLAVOUR, "weights"))
    check_graph(weights + nodes, GRAPH, FLAVOUR)
    with pytest.raises(BundleGraphError):
        check_graph(weights, GRAPH, FLAVOUR)
    with pytest.raises(BundleGraphError, match="two initialisers of one name"):
        check_graph(nodes + weights + weights, GRAPH, FLAVOUR)
    with pytest.raises(BundleGraphError, match="a single value twice"):
        check_graph(nodes + weights + nodes, GRAPH, FLAVOUR)
