"""Layers of a bundle's graph in C: the numbers of the integer network, or a typed error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from c3d_export.core.errors import BundleGraphError
from c3d_export.quantize.post.layer import IntegerLayer
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.graphtensors import Constants, graph_constants
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec
from c3d_export.runtime.hyperprior.layers import integer_convolution, largest_outputs
from c3d_export.runtime.sessions import SessionOptions

from .conftest import Made

UP = {"transposed": True, "stride": 2, "padding": 2, "output_padding": 1}


def constants_of(made: Made) -> Constants:
    return dict(graph_constants(made.export.graphs["h_s"], "h_s"))


def magnitude_of(layer: IntegerLayer) -> np.ndarray:
    return layer.source.magnitude.numpy().astype(np.int64)


def test_constants_are_those_that_onnx_reads(made: Made) -> None:
    for name, data in made.export.graphs.items():
        model = onnx.load_model_from_string(data)
        wanted = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        got = graph_constants(data, name)
        assert got.keys() == wanted.keys()
        for key, array in wanted.items():
            assert got[key].dtype == array.dtype
            assert np.array_equal(got[key], array)
            assert not got[key].flags.writeable


def test_damaged_graphs_are_typed_errors(made: Made) -> None:
    """All before the weights, and then some; a cut between two fields leaves a model of nothing."""
    data, refused = made.export.graphs["h_s"], 0
    cuts = range(0, 4000, 13)
    for cut in cuts:
        try:
            assert not graph_constants(data[:cut] + b"\xff", "h_s")
        except BundleGraphError:
            refused += 1
    assert refused > 0.98 * len(cuts)


def test_layers_are_those_of_the_integer_network(made: Made) -> None:
    """Noise over the whole range of each layer's inputs."""
    constants, layers = constants_of(made), made.export.path.h_s.layers()
    rng = np.random.default_rng(3)
    for number, layer in enumerate(layers):
        magnitude = magnitude_of(layer)
        geometry = UP if layer.transposed else {"padding": 1}
        native = integer_convolution(constants, f"h_s.{number}", magnitude, **geometry)
        x = rng.integers(-magnitude, magnitude + 1, (5, 6, len(magnitude))).astype(np.int16)
        with torch.no_grad():
            wanted = layer(torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None])[0]
        got = native(x)
        assert np.array_equal(got, wanted.permute(1, 2, 0).numpy())
        assert len(np.unique(got)) > 20
        if number + 1 < len(layers):
            following = magnitude_of(layers[number + 1])
            assert np.array_equal(largest_outputs(constants, f"h_s.{number}"), following)


def test_split_weights_are_put_together(made: Made) -> None:
    constants = constants_of(made)
    assert "h_s.0.radix" in constants, "nothing is split: the test compares nothing"
    integer_convolution(constants, "h_s.0", np.full(17, 1), **UP)


Edit = Callable[[Constants], object]


def _set(name: str, change: Callable[[np.ndarray], object]) -> Edit:
    def edit(constants: Constants) -> None:
        array = constants[name].copy()
        made = change(array)
        constants[name] = array if made is None else np.asarray(made)

    return edit


ATTACKS: dict[str, Edit] = {
    "no weights": lambda c: c.pop("h_s.0.lower.weight"),
    "no bias": lambda c: c.pop("h_s.0.upper.bias"),
    "no scale": lambda c: c.pop("h_s.0.scale"),
    "weights of float": _set("h_s.0.upper.weight", lambda a: a.astype(np.float32)),
    "three axes": _set("h_s.0.upper.weight", lambda a: a[0]),
    "halves of two shapes": _set("h_s.0.lower.weight", lambda a: a[:, :, :3]),
    "halves of other inputs": _set("h_s.0.lower.weight", lambda a: a[:-1]),
    "weights beyond int16": _set("h_s.0.upper.weight", lambda a: a.fill(4000)),
    "bias beyond int32": _set("h_s.0.upper.bias", lambda a: a.fill(2.0**28)),
    "bias with a fraction": _set("h_s.0.lower.bias", lambda a: a.fill(0.5)),
    "bias that is no number": _set("h_s.0.lower.bias", lambda a: a.fill(np.nan)),
    "radix that is no number": _set("h_s.0.radix", lambda a: np.float32(np.inf)),
    "large radix": _set("h_s.0.radix", lambda a: np.float32(2.0**20)),
    "two radixes": _set("h_s.0.radix", lambda a: np.float32([16, 16])),
    "scale that is no number": _set("h_s.0.scale", lambda a: a.fill(np.nan)),
    "infinite scale": _set("h_s.0.negative", lambda a: a.fill(np.inf)),
    "scale of another shape": _set("h_s.0.scale", lambda a: a.reshape(-1)),
    "scales for others": _set("h_s.0.scale", lambda a: a[:, 1:]),
    "range with a fraction": _set("h_s.0.low", lambda a: a.fill(-0.5)),
    "range turned round": _set("h_s.0.low", lambda a: a.fill(40000)),
    "range too wide": _set("h_s.0.high", lambda a: a.fill(70000)),
    "sums beyond int32": _set("h_s.0.upper.weight", lambda a: a.fill(2000)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_layers_are_refused(attack: str, made: Made) -> None:
    constants = constants_of(made)
    ATTACKS[attack](constants)
    magnitude = np.full(17, 32767 if attack.startswith("sums") else 1)
    with pytest.raises(BundleGraphError, match=r"layer h_s\.0 of the bundle"):
        integer_convolution(constants, "h_s.0", magnitude, **UP)


def test_a_layer_of_other_inputs_is_refused(made: Made) -> None:
    with pytest.raises(BundleGraphError, match="17 inputs where 16 come in"):
        integer_convolution(constants_of(made), "h_s.0", np.full(16, 1), **UP)


def _edited(data: bytes, name: str, change: Callable[[np.ndarray], object]) -> bytes:
    """The graph with another initialiser, which `change` makes or alters."""
    model = onnx.load_model_from_string(data)
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    array = numpy_helper.to_array(tensor).copy()
    made = change(array)
    tensor.CopyFrom(numpy_helper.from_array(array if made is None else made, name))
    return bytes(model.SerializeToString(deterministic=True))


GRAPHS: dict[str, tuple[str, Callable[[np.ndarray], object]]] = {
    "scale that is no number": ("h_s.2.scale", lambda a: a.fill(np.nan)),
    "weights beyond int16": ("h_s.1.upper.weight", lambda a: np.full(a.shape, 32767, np.int16)),
    "sums beyond int32": ("h_s.2.upper.weight", lambda a: np.full(a.shape, 2047, np.int16)),
    "range of outputs": ("h_s.0.high", lambda a: a.fill(1e9)),
    "another kernel": ("h_s.2.upper.weight", lambda a: np.ascontiguousarray(a[:, :, 1:])),
}


@pytest.mark.parametrize("fault", GRAPHS)
def test_a_bundle_with_a_hostile_h_s_does_not_open(
    fault: str, made: Made, repack: Callable[..., bytes]
) -> None:
    graph = _edited(made.bundle.graphs["h_s", "float"], *GRAPHS[fault])
    bundle = parse_bundle(repack(made.data, {"graphs/h_s.float": graph}))
    with pytest.raises(BundleGraphError, match="of the bundle"):
        HyperpriorCodec(bundle, SessionOptions(flavour="float"))


def test_a_last_layer_of_other_latents_does_not_open(
    made: Made, repack: Callable[..., bytes]
) -> None:
    """All its constants cut to fewer outputs."""
    graph = made.bundle.graphs["h_s", "float"]
    for part in ("weight", "bias"):
        for half in ("upper", "lower"):
            name = f"h_s.2.{half}.{part}"
            graph = _edited(graph, name, lambda a: np.ascontiguousarray(a[2:]))
    for part in ("scale", "negative", "low", "high"):
        graph = _edited(graph, f"h_s.2.{part}", lambda a: np.ascontiguousarray(a[:, 2:]))
    bundle = parse_bundle(repack(made.data, {"graphs/h_s.float": graph}))
    with pytest.raises(BundleGraphError, match="46 outputs for 24 latents"):
        HyperpriorCodec(bundle, SessionOptions(flavour="float"))
