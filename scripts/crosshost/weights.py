"""Negative control: weights up to 127 give other numbers on AVX2, so the certificate refuses them.

AVX2 without VNNI adds pairs of products of a byte in 16 bits, with saturation: 2 * 255 * 127 does
not fit, 2 * 255 * 64 does. Two things are made with such weights and run on this machine and on a
Haswell: one layer of +-127 (beside one of +-64, which must be exact), and the whole codec, each
layer's weights and scale times 127/64 and its inverse.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from c3d_export.core.errors import CertificateError
from c3d_export.deploy.bundle import Export, Provenance
from c3d_export.deploy.certificate import SUM_LIMIT, certify, certify_layer
from c3d_export.deploy.graphs import FLAVOURS, build_graph, graph_specs
from c3d_export.deploy.restore import frozen_from_bundle, parameters_from
from c3d_export.models.layers import WEIGHT_LIMIT
from c3d_export.models.network import Codec as Network
from c3d_export.quantize.freeze import ExactConv2d
from c3d_export.quantize.tables import TableBank
from c3d_export.runtime.bundle import parse_bundle, read_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.known import compute_known_answers
from c3d_export.runtime.sessions import SessionOptions
from crosshost.hosts import Host
from crosshost.run import Result, Runner

WIDE = 127
INPUTS, OUTPUTS, SIDE = 64, 32, 12
LAYER_SCALE = np.float32(1 / 4096)


class ControlError(Exception):
    """A negative control did not fail, so that this test would not see what it is there for."""


def _widen_layer(conv: ExactConv2d) -> None:
    """The same layer but for rounding, unless its sums would leave what float32 holds."""
    before = conv.weight.clone(), conv.scale.clone(), conv.bias.clone()
    factor = WIDE / WEIGHT_LIMIT
    conv.weight = (conv.weight.double() * factor).round().clamp(-WIDE, WIDE).to(torch.int8)
    conv.scale = (conv.scale.double() / factor).float()
    if conv.rounding:
        conv.bias = (conv.bias.double() * factor).round().to(torch.int32)
    if certify_layer("", conv).largest_sum >= SUM_LIMIT:
        conv.weight, conv.scale, conv.bias = before


def widened(frozen: Network) -> Network:
    """A copy whose weights go to +-127 where the network's go to +-64."""
    wide = copy.deepcopy(frozen)
    for module in wide.modules():
        if isinstance(module, ExactConv2d):
            _widen_layer(module)
    return wide


def _require_refusal(wide: Network) -> str:
    try:
        certify(wide)
    except CertificateError as error:
        return str(error)
    raise ControlError("the certificate accepts weights up to 127")


def wide_bundle(path: Path, wide: Network) -> bytes:
    """The codec with these weights, made past the certificate. Its known answers are those of the
    float flavour, where nothing saturates."""
    bundle = read_bundle(path)
    graphs: dict[str, bytes] = {}
    for spec in graph_specs(wide.spec):
        for flavour in FLAVOURS:
            graph = build_graph(wide, spec, flavour)
            graphs[f"graphs/{spec.name}.{flavour}"] = graph.nodes
            graphs[f"graphs/{spec.name}.weights"] = graph.weights
    bank = TableBank(np.array(bundle.arrays["frequencies"]), np.array(bundle.arrays["shapes"]))
    export = Export(wide, parameters_from(bundle), bank, graphs, [])
    provenance = replace(Provenance("weights up to 127"), licence="none: a negative control")
    codec = Codec(parse_bundle(export.bundle(provenance, [])), SessionOptions(flavour="float"))
    return export.bundle(provenance, compute_known_answers(codec))


def _layer_weights(largest: int) -> NDArray[np.int8]:
    """(OUTPUTS, INPUTS, 1, 1): every weight +-largest, the signs at random."""
    signs = np.random.default_rng(1).integers(0, 2, (OUTPUTS, INPUTS, 1, 1)) * 2 - 1
    return (signs * largest).astype(np.int8)


def layer_model(largest: int) -> bytes:
    """ONNX: one 1x1 QLinearConv, channels last, uint8 (1, h, w, INPUTS) -> (1, h, w, OUTPUTS)."""
    constants = {
        "one": np.float32(1),
        "zero": np.uint8(0),
        "middle": np.uint8(128),
        "zero_weight": np.int8(0),
        "weight": _layer_weights(largest),
        "scale": np.full(OUTPUTS, LAYER_SCALE),
        "bias": np.zeros(OUTPUTS, np.int32),
    }
    inputs = ["x", "one", "zero", "weight", "scale", "zero_weight", "one", "middle", "bias"]
    node = helper.make_node(
        "QLinearConv",
        inputs,
        ["y"],
        domain="com.microsoft",
        channels_last=1,
        kernel_shape=[1, 1],
        pads=[0, 0, 0, 0],
        strides=[1, 1],
    )
    ports = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [1, SIDE, SIDE, channels])
        for name, channels in (("x", INPUTS), ("y", OUTPUTS))
    ]
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph([node], "layer", ports[:1], ports[1:], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def layer_answer(x: NDArray[np.uint8], largest: int) -> NDArray[np.uint8]:
    """What integers give: the sum, times the scale in float32, halves to even, 128 added."""
    sums = x.astype(np.int64) @ _layer_weights(largest)[:, :, 0, 0].T.astype(np.int64)
    scaled = np.rint(sums.astype(np.float32) * LAYER_SCALE) + 128
    answer: NDArray[np.uint8] = scaled.clip(0, 255).astype(np.uint8)
    return answer


def _write_inputs(folder: Path, path: Path, wide: Network) -> dict[str, Any]:
    """The probe's job but for the outputs of the layers, which differ by host."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wide.c3b").write_bytes(wide_bundle(path, wide))
    x = np.random.default_rng(2).integers(0, 256, (1, SIDE, SIDE, INPUTS), dtype=np.uint8)
    np.save(folder / "x.npy", x)
    for largest in (WEIGHT_LIMIT, WIDE):
        (folder / f"layer-{largest}.onnx").write_bytes(layer_model(largest))
    return {
        "bundle": str(folder / "wide.c3b"),
        "flavours": list(FLAVOURS),
        "threads": 0,
        "encode": [],
        "decode": [],
        "store": str(folder),
        "graphs": True,
    }


def _layers(folder: Path, host: str) -> list[dict[str, str]]:
    return [
        {
            "model": str(folder / f"layer-{largest}.onnx"),
            "input": str(folder / "x.npy"),
            "output": str(folder / f"layer-{largest}-{host}.npy"),
        }
        for largest in (WEIGHT_LIMIT, WIDE)
    ]


def _wrong_values(folder: Path, host: str, largest: int) -> int:
    got = np.load(folder / f"layer-{largest}-{host}.npy")
    return int(np.count_nonzero(got != layer_answer(np.load(folder / "x.npy"), largest)))


def _wrong_graphs(result: Result) -> list[str]:
    """Graphs with an output that is not that of the float flavour."""
    by_flavour: dict[str, dict[str, Any]] = {}
    for row in result["answers"]:
        by_flavour.setdefault(row["flavour"], {})[row["graph"]] = row["outputs"]
    exact, got = by_flavour["float"], by_flavour["qlinear"]
    return [graph for graph in exact if got[graph] != exact[graph]]


def _errors(result: Result) -> dict[str, str]:
    return {row["flavour"]: row["error"] for row in result["opened"]}


def _require_wrong(folder: Path, result: Result) -> None:
    """What must be seen on a Haswell."""
    errors = _errors(result)
    if _wrong_values(folder, "haswell", WEIGHT_LIMIT):
        raise ControlError("a layer of +-64 is not exact on a Haswell")
    if not _wrong_values(folder, "haswell", WIDE):
        raise ControlError("a layer of +-127 is exact on a Haswell")
    if not _wrong_graphs(result):
        raise ControlError("every graph with weights up to 127 is exact on a Haswell")
    if not errors["qlinear"].startswith("KnownAnswerError"):
        raise ControlError(f"a Haswell opens weights up to 127: {errors['qlinear'] or 'no error'}")
    if errors["float"]:
        raise ControlError(f"a Haswell refuses the float flavour too: {errors['float']}")


def control_weights(runner: Runner, bundle: Path, hosts: dict[str, Host]) -> list[str]:
    """Lines that tell what was seen; raises ControlError, HostFailedError."""
    folder = runner.launcher.work / "control-weights"
    wide = widened(frozen_from_bundle(read_bundle(bundle)))
    lines = [f"control-weights: certificate: {_require_refusal(wide)}"]
    job = _write_inputs(folder, bundle, wide)
    results = {}
    for name, host in (("native", hosts["native"]), ("haswell", hosts["control-weights"])):
        layers = _layers(folder, name)
        results[name] = runner.run(host, "control", {**job, "layers": layers})
        wrong = {k: _wrong_values(folder, name, k) for k in (WEIGHT_LIMIT, WIDE)}
        graphs = ", ".join(_wrong_graphs(results[name])) or "none"
        lines.append(
            f"control-weights: {name}: wrong of {SIDE * SIDE * OUTPUTS} outputs of a layer:"
            f" {wrong[WEIGHT_LIMIT]} with +-64, {wrong[WIDE]} with +-127; wrong graphs of the"
            f" codec: {graphs}; opened: {_errors(results[name])['qlinear'] or 'known answers hold'}"
        )
    _require_wrong(folder, results["haswell"])
    return lines
