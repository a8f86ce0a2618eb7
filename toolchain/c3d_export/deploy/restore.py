"""Networks back from a bundle: the integers to validate, or floats to prune and tune again.

A bundle is enough to go on from: no separate weights need to be kept or shipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from ..core.errors import BundleManifestError
from ..models.entropy import FINE_PER_TABLE
from ..models.layers import BIAS_UNIT, IntConv2d
from ..models.network import Codec, build_network
from ..models.spec import CodecSpec
from ..quantize.freeze import ExactConv2d, Parameters, freeze
from ..quantize.tables import TableBank
from ..runtime.activity import STEP_ONE
from ..runtime.bundle import GRAPHS, Bundle

# Layers whose name in a graph is not their path in the network.
_RENAMED = {
    f"{graph}.known_{part}": f"{graph}.{part}"
    for graph in ("g_cp", "g_ep")
    for part in ("features", "latents")
}

Arrays = dict[str, NDArray[Any]]


def spec_of(bundle: Bundle) -> CodecSpec:
    """Raises BundleManifestError where the manifest has no spec of this family."""
    fields = {k: v for k, v in bundle.manifest["spec"].items() if k != "planes"}
    try:
        return CodecSpec.from_json(fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleManifestError(f"the bundle's network is not of this family: {error}") from error


def _initializers(bundle: Bundle, graph: str) -> Arrays:
    model = onnx.load_from_string(bundle.graphs[graph, "qlinear"])
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def _layers(bundle: Bundle) -> dict[str, Arrays]:
    """Path in the network -> weight, bias and scale of the layer."""
    layers: dict[str, Arrays] = {}
    for graph in GRAPHS:
        for name, array in _initializers(bundle, graph).items():
            layer, _, part = name.rpartition(".")
            if part in ("weight", "bias", "scale"):
                path = f"{graph}.{layer}"
                layers.setdefault(_RENAMED.get(path, path), {})[part] = array
    for path in ("g_a.linear", "g_a.head", "g_s.pixels"):
        parts, name = layers.setdefault(path, {}), path.rpartition(".")[2]
        weight = parts.get("weight")
        if weight is None or weight.ndim != 2:
            raise BundleManifestError(f"the bundle's layer {path} has no fitting weight")
        parts["weight"] = weight.T[:, :, None, None]
        parts |= {part: bundle.arrays[f"{name}_{part}"] for part in ("scale", "bias")}
    return layers


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def parameters_from(bundle: Bundle) -> Parameters:
    a = bundle.arrays
    reciprocal = (float(STEP_ONE) / a["step"].astype(np.float64)).astype(np.float32)
    return Parameters(
        np.array(a["step"]),
        np.array(a["offset"]),
        reciprocal,
        np.array(a["planes"]),
        np.array(a["z_index"]),
        np.array(a["rounding"]),
    )


def tables_from(bundle: Bundle) -> TableBank:
    a = bundle.arrays
    return TableBank(a["frequencies"], a["shapes"])


def frozen_from_bundle(bundle: Bundle) -> Codec:
    """The integer network whose weights the bundle holds; raises BundleManifestError."""
    frozen = freeze(build_network(spec_of(bundle)))
    layers = _layers(bundle)
    for path, module in frozen.named_modules():
        if isinstance(module, ExactConv2d):
            for part in ("weight", "bias", "scale"):
                _copy(getattr(module, part), layers, path, part)
    return frozen


def _copy(target: torch.Tensor, layers: dict[str, Arrays], path: str, part: str) -> None:
    source = layers.get(path, {}).get(part)
    if source is None or tuple(source.shape) != tuple(target.shape):
        raise BundleManifestError(f"the bundle's layer {path} has no fitting {part}")
    target.copy_(_tensor(source))


@torch.no_grad()
def trainable_from_bundle(bundle: Bundle) -> Codec:
    """A float network that freezes to the bundle's integers again, to be pruned and tuned."""
    model = build_network(spec_of(bundle))
    exact = dict(frozen_from_bundle(bundle).named_modules())
    for path, module in model.named_modules():
        if isinstance(module, IntConv2d):
            source = exact[path]
            assert isinstance(source, ExactConv2d)
            assert module.bias is not None
            grid = source.scale[:, None, None, None]
            module.weight.copy_(source.weight.float() * grid)
            bias = source.bias.float() * (source.scale if source.rounding else 1.0)
            module.bias.copy_(bias / BIAS_UNIT)
    a = bundle.arrays
    model.log_step.copy_(torch.log(_tensor(a["step"]).double() / STEP_ONE))
    model.planes.copy_(_tensor(a["planes"]).float() - 128.0)
    middle = (FINE_PER_TABLE - 1) / 2
    model.z_fine.copy_(_tensor(a["z_index"]).float() * FINE_PER_TABLE + middle)
    return model
