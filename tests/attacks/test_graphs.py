"""Attacks through the graphs: what ONNX Runtime would do if it were asked."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import BundleGraphError, BundleMemberError

from .conftest import Host, Refuse
from .forging import forged
from .zips import MEMBERS

onnx = pytest.importorskip("onnx")
helper = onnx.helper
Model = Any
NODES, WEIGHTS = "graphs/g_s.qlinear", "graphs/g_s.weights"


def edited(edit: Callable[[Model], object], name: str = NODES) -> bytes:
    """A bundle with a member of a graph changed, its hashes right."""
    model = onnx.load_from_string(MEMBERS[name])
    edit(model)
    return forged({name: model.SerializeToString()})


def followed_by(data: bytes, name: str = NODES) -> bytes:
    """Protobuf merges what is concatenated: fields of the model, behind it."""
    return forged({name: MEMBERS[name] + data})


def varint(value: int) -> bytes:
    """Of 64 bits, negative ones in two's complement, as protobuf has them."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(dims: list[int], data: bytes) -> bytes:
    """An initialiser of int8, in a graph, as a field of the model."""
    sizes = b"".join(b"\x08" + varint(dim) for dim in dims)
    return field(7, field(5, sizes + b"\x10\x03" + field(8, b"new") + field(9, data)))


def external(location: str) -> bytes:
    def edit(model: Model) -> None:
        found = model.graph.initializer[0]
        found.ClearField("raw_data")
        found.data_location = onnx.TensorProto.EXTERNAL
        found.external_data.add(key="location", value=location)

    return edited(edit, WEIGHTS)


def test_what_is_built_here_is_accepted_where_it_says_the_same(host: Host) -> None:
    path = host.folder / "good.c3b"
    for data in (edited(lambda _: None), followed_by(tensor([2, 3], b"123456"))):
        path.write_bytes(data)
        assert host.ask("read", path)["error"] is None


def test_data_in_a_file_beside_the_bundle(refuse: Refuse, host: Host) -> None:
    (host.folder / "weights.bin").write_bytes(bytes(1 << 20))
    refuse(external("weights.bin"), BundleGraphError, "external data")


def test_data_in_a_file_above_the_bundle(refuse: Refuse) -> None:
    for location in ("../policy.toml", "../../../../../../etc/passwd", "/etc/passwd"):
        refuse(external(location), BundleGraphError, "external data")


def test_data_in_a_file_through_a_link(refuse: Refuse, host: Host) -> None:
    (host.folder / "weights.bin").symlink_to("/etc/passwd")
    refuse(external("weights.bin"), BundleGraphError, "external data")


def test_data_in_a_file_of_the_memory(refuse: Refuse) -> None:
    """The location by which ONNX Runtime means an address in its own process."""
    location = "*/_ORT_MEM_ADDR_/*"
    refuse(external(location), BundleGraphError, "external data")


def test_a_place_of_data_without_a_location(refuse: Refuse) -> None:
    def edit(model: Model) -> None:
        model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL

    refuse(edited(edit, WEIGHTS), BundleGraphError, "a place of its data")


@pytest.mark.parametrize("domain", ["evil.custom", "ai.onnx.ml", "com.microsoft.nchwc", "."])
def test_an_operator_of_a_custom_domain(refuse: Refuse, domain: str) -> None:
    data = edited(lambda m: setattr(m.graph.node[0], "domain", domain))
    refuse(data, BundleGraphError, "operator that is not allowed")


def test_a_library_of_operators(refuse: Refuse) -> None:
    data = edited(lambda m: m.opset_import.append(helper.make_opsetid("evil.custom", 1)))
    refuse(data, BundleGraphError, "other sets of operators")


@pytest.mark.parametrize("kind", ["Loop", "If", "Scan", "PythonOp", "SequenceMap", "Einsum"])
def test_an_operator_that_runs_others(refuse: Refuse, kind: str) -> None:
    def edit(model: Model) -> None:
        node = model.graph.node[0]
        node.op_type, node.domain = kind, ""

    refuse(edited(edit), BundleGraphError, f"not allowed, '{kind}'")


def test_a_loop_without_an_end(refuse: Refuse) -> None:
    def edit(model: Model) -> None:
        body = helper.make_graph([], "body", [], [])
        model.graph.node.insert(0, helper.make_node("Loop", ["", ""], ["out"], body=body))

    refuse(edited(edit), BundleGraphError, "")


def test_a_graph_in_an_attribute(refuse: Refuse) -> None:
    def edit(model: Model) -> None:
        inner = helper.make_graph([], "inner", [], [])
        model.graph.node[0].attribute.append(helper.make_attribute("body", inner))

    refuse(edited(edit), BundleGraphError, "a subgraph in an attribute")


def test_graphs_in_graphs_a_thousand_deep(refuse: Refuse) -> None:
    """Which a reader that recurses would follow to the end of its stack."""
    inner = b""
    for _ in range(1000):
        inner = field(1, field(5, field(1, b"body") + field(6, inner)))
    refuse(followed_by(field(7, inner)), BundleGraphError, "")


def test_local_functions(refuse: Refuse) -> None:
    def edit(model: Model) -> None:
        node = helper.make_node("f", ["x"], ["y"], domain="local")
        opset = [helper.make_opsetid("", 17)]
        made = helper.make_function("local", "f", ["x"], ["y"], [node], opset)
        model.functions.append(made)

    refuse(edited(edit), BundleGraphError, "local functions")


def test_a_function_that_calls_itself_by_an_overload(refuse: Refuse) -> None:
    data = edited(lambda m: setattr(m.graph.node[0], "overload", "x"))
    refuse(data, BundleGraphError, "an overload of a function")


def test_a_cycle(refuse: Refuse) -> None:
    def edit(model: Model) -> None:
        model.graph.node[0].input.append(model.graph.node[-1].output[0])

    refuse(edited(edit), BundleGraphError, "which nothing makes")


@pytest.mark.parametrize("dims", [[1 << 40], [1 << 62], [1 << 31, 1 << 31], [65536] * 4])
def test_giant_dimensions(refuse: Refuse, dims: list[int]) -> None:
    refuse(followed_by(tensor(dims, b"1")), BundleGraphError, "initialiser")


@pytest.mark.parametrize("dims", [[-1], [-(2**63)], [-2, -3], [0], [0, 1 << 40]])
def test_negative_and_empty_dimensions(refuse: Refuse, dims: list[int]) -> None:
    refuse(followed_by(tensor(dims, b"123456")), BundleGraphError, "initialiser")


def test_dimensions_whose_product_is_right_in_64_bits_only(refuse: Refuse) -> None:
    """2^32 (2^32 + 1) is 2^32 there; with 2^16 more of them it is none."""
    refuse(followed_by(tensor([1 << 32, 1 << 32, 6], b"123456")), BundleGraphError, "initialiser")
    refuse(followed_by(tensor([1] * 5000, b"1")), BundleGraphError, "initialiser")


@pytest.mark.parametrize("name", ["pads", "strides", "kernel_shape", "group"])
@pytest.mark.parametrize("value", [-1, 2**31 - 1, 2**62])
def test_giant_and_negative_attributes(refuse: Refuse, name: str, value: int) -> None:
    """A pad of 2^31 asks for terabytes when the graph runs."""

    def edit(model: Model) -> None:
        node = next(n for n in model.graph.node if n.op_type == "QLinearConv")
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        changed = value if name == "group" else [value] * 4
        node.attribute.extend([*kept, helper.make_attribute(name, changed)])

    refuse(edited(edit), BundleGraphError, f"limits in attribute '{name}'")


def test_a_million_nodes(refuse: Refuse) -> None:
    refuse(followed_by(field(7, field(1, b"") * 1_000_000)), BundleGraphError, "")


def test_a_million_initialisers_of_nothing(refuse: Refuse) -> None:
    refuse(followed_by(field(7, field(5, b"") * 1_000_000)), BundleGraphError, "")


def test_a_million_empty_graphs(refuse: Refuse) -> None:
    refuse(followed_by(field(7, b"") * 1_000_000), BundleGraphError, "")


def test_a_tensor_of_thirty_megabytes(refuse: Refuse) -> None:
    size = 30 << 20
    refuse(followed_by(tensor([size], bytes(size))), BundleGraphError, "beyond the limits")


def test_settings_of_sessions_in_the_model(refuse: Refuse) -> None:
    """ONNX Runtime takes options, also of libraries to load, from a model's metadata."""
    text = '{"session_options": {"log_severity_level": 0}}'
    data = edited(lambda m: m.metadata_props.add(key="ort_config", value=text))
    refuse(data, BundleGraphError, "metadata")


def test_a_model_of_the_runtimes_own_format(refuse: Refuse) -> None:
    """Which is a flatbuffer, and known by four bytes behind the first four."""
    data = b"\x08\x08\0\0ORTM" + bytes(64)
    refuse(forged({NODES: data}), BundleGraphError, "format of ONNX Runtime itself")


def test_a_pickle_in_place_of_a_graph(refuse: Refuse) -> None:
    refuse(forged({NODES: pickle.dumps([1, 2])}), BundleGraphError, "")
    refuse(forged({WEIGHTS: b"PK\3\4" + bytes(64)}), BundleGraphError, "")


def test_a_program_in_place_of_a_graph(refuse: Refuse) -> None:
    for data in (b"\x7fELF" + bytes(64), b"#!/bin/sh\n", b"", b"\xff" * 64):
        refuse(forged({NODES: data}), BundleGraphError, "")


def test_numbers_that_never_end(refuse: Refuse) -> None:
    for data in (b"\x08" + b"\x80" * 64, b"\x80" * 1_000_000, b"\x08" + b"\xff" * 9 + b"\x7f"):
        refuse(followed_by(data), BundleGraphError, "")


def test_lengths_beyond_the_end(refuse: Refuse) -> None:
    for length in (100, 1 << 31, (1 << 64) - 1):
        refuse(followed_by(b"\x3a" + varint(length) + b"x"), BundleGraphError, "")


def test_a_value_twice_of_which_the_last_counts(refuse: Refuse) -> None:
    refuse(followed_by(b"\x08\x08"), BundleGraphError, "gives a single value twice")
    refuse(followed_by(field(7, field(2, b"g_s"))), BundleGraphError, "not the one")


def test_the_graph_of_another_place(refuse: Refuse) -> None:
    changes: dict[str, bytes | None] = {NODES: MEMBERS["graphs/h_s.qlinear"]}
    refuse(forged({**changes, WEIGHTS: MEMBERS["graphs/h_s.weights"]}), BundleGraphError, "")


def test_later_versions_of_the_format(refuse: Refuse) -> None:
    refuse(edited(lambda m: setattr(m, "ir_version", 99)), BundleGraphError, "another version")
    newer = edited(lambda m: setattr(m.opset_import[0], "version", 99))
    refuse(newer, BundleGraphError, "other sets of operators")


def test_strings_and_sparse_tensors(refuse: Refuse) -> None:
    text = onnx.numpy_helper.from_array(np.array(["a" * 100], object), "s")
    data = edited(lambda m: m.graph.initializer.append(text), WEIGHTS)
    refuse(data, BundleGraphError, "in an initialiser")

    def sparse(model: Model) -> None:
        values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "v")
        places = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "i")
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))

    refuse(edited(sparse), BundleGraphError, "sparse initialisers")


def test_a_name_of_a_megabyte(refuse: Refuse) -> None:
    data = edited(lambda m: setattr(m.graph.node[0], "name", "n" * 10**6))
    refuse(data, BundleGraphError, "a name of more than 128 bytes")


def test_a_graph_that_is_missing(refuse: Refuse) -> None:
    refuse(forged({NODES: None}), BundleMemberError, NODES)
