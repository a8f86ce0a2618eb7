"""Certificates from the graphs: an edit of a graph or of the manifest does not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from c3d_export.core.errors import BundleError, CertificateError
from c3d_export.deploy import validate
from c3d_export.deploy.bundle import Export
from c3d_export.deploy.certificate import certify
from c3d_export.deploy.graph_certificates import (
    certificate_of,
    check_certificates,
    require_certificates,
)
from c3d_export.deploy.matrix import Plan
from c3d_export.deploy.validate import ValidationReport, validate_bundle
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.bundle import FLAVOURS, Bundle, parse_bundle

Repack = Callable[..., bytes]
Change = Callable[[NDArray[Any]], None]

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


def _edited(data: bytes, repack: Repack, member: str, name: str, change: Change) -> Bundle:
    """The bundle with one initialiser changed in place, its hashes right."""
    model = onnx.load_from_string(unpack_archive(data)[member])
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    array = np.array(numpy_helper.to_array(tensor))
    change(array)
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    return parse_bundle(repack(data, {member: model.SerializeToString()}))


@pytest.fixture(autouse=True)
def _network(tiny_export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    """To restore a network for every bundle takes seconds, and only its names are needed."""
    monkeypatch.setattr(validate, "frozen_from_bundle", lambda _: tiny_export.frozen)


def _validate(bundle: Bundle) -> ValidationReport:
    return validate_bundle(bundle, Plan((), ()))


def _refused(bundle: Bundle, named: str) -> None:
    """Nothing runs, and the layer is named."""
    report = _validate(bundle)
    assert not report.exact
    assert not report.rows
    assert any(item.fault for item in report.certificates)
    with pytest.raises(CertificateError, match=named) as caught:
        report.require_exact()
    assert caught.value.exit_code == 3


@each_flavour
def test_the_graphs_give_what_the_export_certified(
    tiny_bundle: Bundle, tiny_export: Export, flavour: str
) -> None:
    checked = check_certificates(tiny_bundle, tiny_export.frozen)
    own = [item.certificate for item in checked if item.flavour == flavour]
    assert own == certify(tiny_export.frozen)
    assert not any(item.fault for item in checked)
    require_certificates(checked)


def _all_ones(weight: NDArray[Any]) -> None:
    weight.reshape(-1)[:] = 1


@pytest.mark.parametrize(
    ("graph", "layer"),
    [("g_s", "up"), ("h_s", "mean"), ("g_ep", "known_features"), ("g_a", "linear")],
)
def test_weights_edited_after_certification(
    tiny_bytes: bytes, repack: Repack, graph: str, layer: str
) -> None:
    member = f"graphs/{graph}.weights"
    bundle = _edited(tiny_bytes, repack, member, f"{layer}.weight", _all_ones)
    path = f"{graph}.{layer.removeprefix('known_')}"
    _refused(bundle, rf"layer {path}, flavour qlinear: largest_sum is \d+, but the manifest says")


def test_one_unit_of_one_weight_edited_after_certification(
    tiny_bytes: bytes, repack: Repack
) -> None:
    """No bound moves: the weights themselves are certified."""

    def change(weight: NDArray[Any]) -> None:
        flat = weight.reshape(-1)
        at = int((np.abs(flat.astype(np.int64)) == 7).argmax())
        flat[at] = -flat[at]

    bundle = _edited(tiny_bytes, repack, "graphs/g_s.weights", "up.weight", change)
    _refused(bundle, r"layer g_s\.up, flavour qlinear: weights is [0-9a-f]{16}, but the manifest")


@pytest.mark.parametrize(
    ("name", "layer"), [("linear_bias", "g_a.linear"), ("pixels_bias", "g_s.pixels")]
)
def test_an_array_of_a_layer_that_goes_on_in_c_edited_after_certification(
    tiny_bytes: bytes, repack: Repack, name: str, layer: str
) -> None:
    member = f"arrays/{name}.npy"
    data = bytearray(unpack_archive(tiny_bytes)[member])
    data[-4] ^= 1
    bundle = parse_bundle(repack(tiny_bytes, {member: bytes(data)}))
    _refused(bundle, rf"layer {layer}, flavour qlinear: weights is ")


def test_a_bias_edited_after_certification(tiny_bytes: bytes, repack: Repack) -> None:
    def change(bias: NDArray[Any]) -> None:
        bias[:] = 1 << 22

    bundle = _edited(tiny_bytes, repack, "graphs/h_a.weights", "conv2.bias", change)
    _refused(bundle, r"layer h_a\.conv2, .*largest_sum")


@pytest.mark.parametrize("end", ["min", "max"])
def test_the_last_bit_of_a_scale_edited_after_certification(
    tiny_bytes: bytes, repack: Repack, end: str
) -> None:
    def change(scale: NDArray[Any]) -> None:
        index = scale.argmin() if end == "min" else scale.argmax()
        scale[index] = np.nextafter(scale[index], np.float32(0 if end == "min" else 1))

    bundle = _edited(tiny_bytes, repack, "graphs/g_s.weights", "enter.scale", change)
    _refused(bundle, rf"layer g_s\.enter, .*scale_{end} is ")


def test_weights_that_the_certificate_forbids(tiny_bytes: bytes, repack: Repack) -> None:
    def change(weight: NDArray[Any]) -> None:
        weight.fill(127)

    bundle = _edited(tiny_bytes, repack, "graphs/h_s.weights", "conv2.weight", change)
    _refused(bundle, r"h_s\.conv2.*pairs up to 64770.* not exact everywhere")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_positive_number(
    tiny_bytes: bytes, repack: Repack, value: float
) -> None:
    def change(scale: NDArray[Any]) -> None:
        scale[1] = value

    bundle = _edited(tiny_bytes, repack, "graphs/g_s.weights", "enter.scale", change)
    _refused(bundle, r"g_s\.enter.* not exact everywhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [("largest_sum", 1), ("largest_pair", 32766), ("scale_min", 1e-30), ("scale_max", None)],
)
def test_a_certificate_edited_in_the_manifest(
    tiny_bytes: bytes, repack: Repack, field: str, value: object
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        assert manifest["certificates"][4][field] != value
        manifest["certificates"][4][field] = value

    bundle = parse_bundle(repack(tiny_bytes, None, edit))
    layer = bundle.manifest["certificates"][4]["layer"]
    _refused(bundle, rf"layer {layer}, .*{field} is .*, but the manifest says {value}")


def test_a_certificate_that_is_missing(tiny_bytes: bytes, repack: Repack) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["certificates"] = manifest["certificates"][1:]

    bundle = parse_bundle(repack(tiny_bytes, None, edit))
    _refused(bundle, r"layer g_a\.patch, .*the manifest has no certificate of it")


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (None, "no certificates"),
        ("all", "no certificates"),
        ([1, 2], "no certificates"),
        ([{"layer": "a"}, {"layer": "a"}], "twice"),
        ([{"layer": "g_x.conv"}], "g_x.conv, which no graph has"),
    ],
)
def test_a_list_of_certificates_that_is_none(
    tiny_bytes: bytes, repack: Repack, listed: object, said: str
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["certificates"] = listed

    bundle = parse_bundle(repack(tiny_bytes, None, edit))
    with pytest.raises(CertificateError, match=said):
        _validate(bundle)


def _own_weights(data: bytes, flavour: str, layer: str, array: NDArray[Any]) -> bytes:
    """The nodes of g_s in one flavour, a layer of them with weights of its own."""
    model = onnx.load_from_string(unpack_archive(data)[f"graphs/g_s.{flavour}"])
    model.graph.initializer.append(numpy_helper.from_array(array, f"{layer}.weight.own"))
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name == f"{layer}.weight":
                node.input[position] = f"{layer}.weight.own"
    changed: bytes = model.SerializeToString()
    return changed


def _layer_weight(data: bytes, layer: str) -> NDArray[Any]:
    model = onnx.load_from_string(unpack_archive(data)["graphs/g_s.weights"])
    (tensor,) = (t for t in model.graph.initializer if t.name == f"{layer}.weight")
    return numpy_helper.to_array(tensor)


@each_flavour
def test_a_flavour_that_takes_other_weights_than_the_shared_ones(
    tiny_bytes: bytes, repack: Repack, flavour: str
) -> None:
    """The shared weights are those of the certificate, and one graph does not use them."""
    own = np.full_like(_layer_weight(tiny_bytes, "enter"), 2)
    changed = _own_weights(tiny_bytes, flavour, "enter", own)
    bundle = parse_bundle(repack(tiny_bytes, {f"graphs/g_s.{flavour}": changed}))
    with pytest.raises(CertificateError, match=rf"g_s, flavour {flavour}: layer enter\.weight"):
        _validate(bundle)


def test_a_layer_that_is_there_twice(tiny_bytes: bytes, repack: Repack) -> None:
    member = "graphs/h_a.qlinear"
    model = onnx.load_from_string(unpack_archive(tiny_bytes)[member])
    (node,) = (n for n in model.graph.node if n.output[0] == "conv2.out")
    again = NodeProto()
    again.CopyFrom(node)
    again.output[0] = again.name = "conv2.again"
    model.graph.node.append(again)
    bundle = parse_bundle(repack(tiny_bytes, {member: model.SerializeToString()}))
    with pytest.raises(CertificateError, match="layer conv2 twice"):
        _validate(bundle)


def test_weights_that_are_no_bytes(tiny_bytes: bytes, repack: Repack) -> None:
    member = "graphs/g_s.weights"
    model = onnx.load_from_string(unpack_archive(tiny_bytes)[member])
    (tensor,) = (t for t in model.graph.initializer if t.name == "pixels.weight")
    wider = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(wider, "pixels.weight"))
    bundle = parse_bundle(repack(tiny_bytes, {member: model.SerializeToString()}))
    with pytest.raises(CertificateError, match=r"g_s\.pixels has weights of type float32"):
        _validate(bundle)


def test_bytes_that_are_no_graph(tiny_bundle: Bundle, tiny_export: Export) -> None:
    graphs = {**tiny_bundle.graphs, ("h_a", "float"): b"\xff\xff\xff"}
    bundle = Bundle(tiny_bundle.id, tiny_bundle.manifest, tiny_bundle.arrays, graphs)
    with pytest.raises(BundleError, match="graph h_a"):
        check_certificates(bundle, tiny_export.frozen)


def test_the_widest_bytes_do_not_overflow() -> None:
    """-128 has no positive int8, and its sums must not wrap."""
    weight = np.full((2, 4096, 5, 5), -128, np.int8)
    found = certificate_of("a", weight, np.full(2, -(1 << 31), np.int32), np.ones(2, np.float32))
    assert found.largest_sum == 128 * 255 * 4096 * 25 + (1 << 31)
    assert found.largest_pair == 128 * 255 * 2
    assert not found.holds
