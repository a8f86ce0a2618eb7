"""The certificates of a bundle, computed again from what its graphs hold.

Certification at export looks at the network. Here the bounds are computed from the constants that
the nodes of each graph really take, flavour by flavour and in NumPy, and are compared with those
that the manifest tells: an edit of either shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from ..core.errors import BundleFormatError, CertificateError
from ..models.network import Codec as Network
from ..quantize.freeze import ExactConv2d
from ..runtime.bundle import FLAVOURS, Bundle
from .certificate import ACTIVATION_MAX, LayerCertificate, weights_digest
from .graphs import graph_specs
from .trace import layer_paths

Array = NDArray[Any]
Models = Mapping[tuple[str, str], ModelProto]

# Where a kind of node takes its weight and its bias.

_WEIGHT_INPUT = {"QLinearConv": 3, "Conv": 1, "MatMulInteger": 1, "MatMul": 1}
_BIAS_INPUT = {"QLinearConv": 8, "Conv": 2}
_FIELDS = ("largest_sum", "largest_pair", "scale_min", "scale_max", "weights")


@dataclass(frozen=True)
class CheckedCertificate:
    """What the graphs of one flavour give for a layer. fault: "" where it holds and is the one that
    the manifest tells."""

    flavour: str
    certificate: LayerCertificate
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"flavour": self.flavour, "fault": self.fault, **asdict(self.certificate)}


def parse_graphs(bundle: Bundle) -> Models:
    """(graph, flavour) -> its model; raises BundleFormatError."""
    models = {}
    for key, data in bundle.graphs.items():
        try:
            models[key] = onnx.load_from_string(data)
        except Exception as error:  # protobuf has one class of errors in C++ and one in Python
            raise BundleFormatError(f"graph {key[0]} of the bundle is damaged: {error}") from error
    return models


def check_certificates(bundle: Bundle, net: Network) -> tuple[CheckedCertificate, ...]:
    """Every layer's certificate in both flavours, in the network's order.

    net: a frozen network of the bundle's family, for the names of its layers. Raises
    BundleFormatError for a graph that is none, CertificateError where a graph lacks a layer, has
    another one, or weights that are no 8-bit integers.
    """
    models = parse_graphs(bundle)
    told = _told(bundle)
    paths = [path for path, m in net.named_modules() if isinstance(m, ExactConv2d)]
    checked = []
    for flavour in FLAVOURS:
        found = _certificates(bundle, net, models, flavour)
        checked += [CheckedCertificate(flavour, found[p], _fault(found[p], told)) for p in paths]
    for extra in told.keys() - set(paths):
        raise CertificateError(f"the manifest certifies layer {extra}, which no graph has")
    return tuple(checked)


def require_certificates(checked: Sequence[CheckedCertificate]) -> None:
    """Raises CertificateError that names the first layer with a fault."""
    for item in checked:
        if item.fault:
            raise CertificateError(
                f"layer {item.certificate.layer}, flavour {item.flavour}: {item.fault}; this bundle"
                " was changed after its export, or must not be used: export the network again"
            )


def _told(bundle: Bundle) -> dict[str, Mapping[str, Any]]:
    """Layer -> what the manifest says of it."""
    listed = bundle.manifest.get("certificates")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise CertificateError("the manifest has no certificates; export the network again")
    told = {str(item.get("layer")): item for item in listed}
    if len(told) != len(listed):
        raise CertificateError("the manifest certifies a layer twice; export the network again")
    return told


def _fault(found: LayerCertificate, told: Mapping[str, Mapping[str, Any]]) -> str:
    if not found.holds:
        return (
            f"sums up to {found.largest_sum}, pairs up to {found.largest_pair}, scales"
            f" {found.scale_min:g} to {found.scale_max:g} are not exact everywhere"
        )
    if found.layer not in told:
        return "the manifest has no certificate of it"
    given, computed = told[found.layer], found.to_json()
    for name in _FIELDS:
        if given.get(name) != computed[name]:
            return f"{name} is {computed[name]}, but the manifest says {given.get(name)}"
    return ""


def _certificates(
    bundle: Bundle, net: Network, models: Models, flavour: str
) -> dict[str, LayerCertificate]:
    """Path in the network -> certificate; every layer once, or CertificateError."""
    found = {}
    for spec in graph_specs(net.spec):
        paths = layer_paths(net, spec)
        layers = _Layers(models[spec.name, flavour], bundle.arrays)
        for name, certificate in layers.certificates(paths):
            if name not in paths or paths[name] in found:
                text = "that the network has not" if name not in paths else "twice"
                raise CertificateError(f"graph {spec.name}, flavour {flavour}: layer {name} {text}")
            found[paths[name]] = certificate
        for name, path in paths.items():
            if path not in found:
                raise CertificateError(
                    f"graph {spec.name}, flavour {flavour}: no layer {name} with its own weights"
                )
    return found


class _Layers:
    """The convolutions and matrix products of one graph, with the constants that they take."""

    def __init__(self, model: ModelProto, arrays: Mapping[str, Array]) -> None:
        self.nodes = {name: node for node in model.graph.node for name in node.output}
        self.constants = {t.name: t for t in model.graph.initializer}
        self.arrays = arrays

    def certificates(self, paths: Mapping[str, str]) -> Iterator[tuple[str, LayerCertificate]]:
        for node in self.nodes.values():
            if node.op_type in _WEIGHT_INPUT:
                name, weight = self._constant(node, _WEIGHT_INPUT[node.op_type])
                layer = name.rpartition(".")[0]
                yield layer, self._certificate(paths.get(layer, layer), layer, node, weight)

    def _certificate(
        self, path: str, layer: str, node: NodeProto, weight: Array
    ) -> LayerCertificate:
        if weight.dtype != np.int8:
            raise CertificateError(f"layer {path} has weights of type {weight.dtype}, not int8")
        if node.op_type in _BIAS_INPUT:
            bias = self._constant(node, _BIAS_INPUT[node.op_type])[1]
            return certificate_of(path, weight, bias, self._scale(node))
        # A matrix product goes on in C, with arrays of the bundle.
        bias, scale = (self.arrays[f"{layer}_{part}"] for part in ("bias", "scale"))
        return certificate_of(path, weight.T, bias, scale)

    def _scale(self, node: NodeProto) -> Array:
        """Of a QLinearConv its own; in the float flavour that of the Mul behind the Conv."""
        if node.op_type == "QLinearConv":
            return self._constant(node, 4)[1]
        name = node.output[0]
        for _ in self.nodes:
            user = next((n for n in self.nodes.values() if name in n.input), None)
            if user is None:
                break
            if user.op_type == "Mul":
                return self._constant(user, 1 if user.input[0] == name else 0)[1]
            name = user.output[0]
        raise CertificateError(f"node {node.output[0]} has no scale behind it")

    def _constant(self, node: NodeProto, position: int) -> tuple[str, Array]:
        """Name and value of a constant input, through a Cast or Reshape of it."""
        name = node.input[position] if position < len(node.input) else ""
        while name in self.nodes and self.nodes[name].op_type in ("Cast", "Reshape"):
            name = self.nodes[name].input[0]
        if name not in self.constants:
            raise CertificateError(f"node {node.output[0]} takes {name or 'nothing'}, no constant")
        return name, numpy_helper.to_array(self.constants[name])


def certificate_of(layer: str, weight: Array, bias: Array, scale: Array) -> LayerCertificate:
    """As `certify_layer`; weight: (O, ...) int8; bias: (O,) int32, or float32, which is no part of
    the sums."""
    size = np.abs(weight.astype(np.int64))
    sums = size.reshape(len(size), -1).sum(1) * ACTIVATION_MAX
    if bias.dtype.kind == "i":
        sums = sums + np.abs(bias.astype(np.int64))
    pair = int(size.max()) * ACTIVATION_MAX * 2
    scales, digest = (float(scale.min()), float(scale.max())), weights_digest(weight, bias, scale)
    return LayerCertificate(layer, int(sums.max()), pair, *scales, digest)
