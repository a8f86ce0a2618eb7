"""From a bundle back to PyTorch: its integer entropy path, and its float transforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from ...core.errors import BundleGraphError
from ...models.mbt.gdn import GDN
from ...models.mbt.network import CONTEXT_KERNEL, MeanScaleHyperprior, build_network
from ...models.mbt.spec import MbtSpec
from ...quantize.post.grid import Grid, even_grid
from ...quantize.post.layer import Affine, IntegerChain, IntegerLayer
from ...quantize.post.mbt import EntropyPath
from ...runtime.bundle import Bundle
from ...runtime.hyperprior.bundle import DENSE, FLAVOUR, LARGEST, has_context
from .graphs import PART_NAMES

Arrays = Mapping[str, NDArray[Any]]
_HYPER_LAYERS = 3


def initialisers(bundle: Bundle, graph: str) -> dict[str, NDArray[Any]]:
    """The constants of a graph by name."""
    model = onnx.load_model_from_string(bundle.graphs[graph, FLAVOUR])
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def restore_path(bundle: Bundle) -> EntropyPath:
    """The integer network that the bundle's graph and arrays are; raises BundleGraphError."""
    a = bundle.arrays
    ones = np.ones(1)
    z_range = grid_of(np.append(a["z_low"], 0 * ones), np.append(a["z_high"], ones))
    try:
        h_s = _hyper_synthesis(initialisers(bundle, "h_s"), z_range)
    except (KeyError, ValueError, IndexError) as error:
        raise BundleGraphError(f"graph h_s of the bundle is none of ours: {error}") from error
    fraction = int(bundle.manifest["fraction"])
    if not has_context(bundle.manifest):
        return EntropyPath(h_s, z_range, fraction)
    seen = grid_of(a["seen_low"], a["seen_high"])
    context = _dense(a, DENSE[0], seen)
    middle = _joined(h_s.target, _target(a, DENSE[0]))
    layers, source = [], middle
    for name in DENSE[1:]:
        layers.append(_dense(a, name, source))
        source = _target(a, name)
    return EntropyPath(h_s, z_range, fraction, context, IntegerChain(layers, source))


def grid_of(low: NDArray[Any], high: NDArray[Any]) -> Grid:
    """Units are of no account for integers."""
    ends = (torch.from_numpy(np.asarray(part, np.float64)) for part in (low, high))
    return Grid(torch.ones(len(low), dtype=torch.float64), *ends)


def _target(arrays: Arrays, name: str) -> Grid:
    return grid_of(arrays[f"{name}_low"], arrays[f"{name}_high"])


def _joined(first: Grid, second: Grid) -> Grid:
    pairs = ((getattr(first, n), getattr(second, n)) for n in ("step", "low", "high"))
    return Grid(*(torch.cat(pair) for pair in pairs))


def _hyper_synthesis(constants: Arrays, source: Grid) -> IntegerChain:
    layers = []
    for number in range(_HYPER_LAYERS):
        transposed = number < _HYPER_LAYERS - 1
        layers.append(stored_layer(constants, f"h_s.{number}", source, transposed))
        source = grid_of(layers[-1].low.numpy(), layers[-1].high.numpy())
    return IntegerChain(layers, source)


def stored_layer(
    constants: Arrays, name: str, source: Grid, transposed: bool = False
) -> IntegerLayer:
    """A layer of a graph by its name; source: the range of its inputs. Raises KeyError."""
    radix = int(constants[f"{name}.radix"]) if f"{name}.radix" in constants else 1
    weight, bias = (_whole(constants, name, key, radix) for key in ("weight", "bias"))
    per_channel = ("scale", "negative", "low", "high")
    parts = {key: constants[f"{name}.{key}"].reshape(-1) for key in per_channel}
    return _layer(weight, {**parts, "bias": bias}, source, transposed, radix)


def _whole(constants: Arrays, name: str, key: str, radix: int) -> NDArray[np.float64]:
    """Weights or biases of a layer whose parts a graph may hold apart."""
    ends = PART_NAMES[radix > 1]
    # In float32 a bias of more than 24 bits would lose the last ones.
    parts = [constants[f"{name}{end}.{key}"].astype(np.float64) for end in ends]
    return parts[0] * radix + parts[1] if radix > 1 else parts[0]


def _dense(arrays: Arrays, name: str, source: Grid) -> IntegerLayer:
    parts = {key: arrays[f"{name}_{key}"] for key in ("bias", "scale", "negative", "low", "high")}
    weight = arrays[f"{name}_weight"]
    if name == DENSE[0]:
        m = len(source.low)
        full = np.zeros((len(weight), CONTEXT_KERNEL**2, m), weight.dtype)
        full[:, : CONTEXT_KERNEL**2 // 2] = weight.reshape(len(weight), -1, m)
        square = full.reshape(len(weight), CONTEXT_KERNEL, CONTEXT_KERNEL, m)
        weight = square.transpose(0, 3, 1, 2)
    else:
        weight = weight[:, :, None, None]
    return _layer(weight, parts, source, False)


def _layer(
    weight: NDArray[Any],
    parts: Mapping[str, NDArray[Any]],
    source: Grid,
    transposed: bool,
    radix: int = 1,
) -> IntegerLayer:
    tensor, size = torch.from_numpy(weight.astype(np.float64)), weight.shape[2]
    with torch.device("meta"):
        if transposed:
            shape = nn.ConvTranspose2d(weight.shape[0], weight.shape[1], size, 2, size // 2, 1)
            affine = Affine(shape)
        else:
            affine = Affine(nn.Conv2d(weight.shape[1], weight.shape[0], size, 1, size // 2))
    bias = torch.from_numpy(parts["bias"].astype(np.float64))
    taps = tensor.transpose(0, 1) if transposed else tensor
    layer = IntegerLayer(affine, taps, bias, source, radix)
    layer.requantise(torch.ones_like(bias), 1.0, even_grid(len(bias), 1.0, -LARGEST, LARGEST))
    for key in ("scale", "negative", "low", "high"):
        layer.register_buffer(key, torch.from_numpy(parts[key].astype(np.float32)))
    return layer


def restore_transforms(bundle: Bundle) -> MeanScaleHyperprior:
    """g_a, g_s and h_a as the bundle's graphs have them; the other parts are a fresh network's."""
    spec = {k: v for k, v in bundle.manifest["spec"].items() if k != "qualities"}
    network = build_network(MbtSpec.from_json(spec)).eval()
    for graph in ("g_a", "h_a", "g_s"):
        constants = initialisers(bundle, graph)
        for name, module in network.get_submodule(graph).named_children():
            _load(module, f"{graph}.{name}", constants)
    medians = torch.from_numpy(initialisers(bundle, "h_a")["medians"].copy()).reshape(-1)
    with torch.no_grad():
        network.entropy_bottleneck.quantiles[:, 0, 1] = medians
    return network


@torch.no_grad()
def _load(module: nn.Module, name: str, constants: Arrays) -> None:
    def constant(part: str) -> Tensor:
        return torch.from_numpy(constants[f"{name}.{part}"].copy())

    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        module.weight.copy_(constant("weight"))
        if module.bias is not None:
            module.bias.copy_(constant("bias"))
    elif isinstance(module, GDN):
        module.beta.copy_(module.beta_reparam.parameter(constant("beta")))
        module.gamma.copy_(module.gamma_reparam.parameter(constant("gamma")[:, :, 0, 0]))
