"""From a bundle of a coarse-to-fine network back to PyTorch: integers, and float transforms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import BundleGraphError, BundleManifestError
from ...models.c2f.gdn import GDN, PEDESTAL
from ...models.c2f.network import CoarseToFine, build_network
from ...models.c2f.spec import C2FSpec
from ...quantize.post.c2f import EntropyPath, IntegerLevel, IntegerPredictor
from ...quantize.post.grid import Grid, joined
from ...quantize.post.layer import IntegerChain, IntegerLayer
from ...runtime.bundle import Bundle
from ...runtime.c2f.bundle import has_z1
from ...runtime.c2f.patches import PLACES
from ..hyperprior.restore import Arrays, grid_of, initialisers, stored_layer

_BEFORE = ("h_s.0", "h_s.1", "h_s.2")
_AFTER = "h_s.3"


def restore_path(bundle: Bundle) -> EntropyPath:
    """The integer networks that the bundle's graphs are; raises BundleGraphError."""
    with _typed_errors():
        fine = _level(bundle, "side3", "z2")
        coarse = _level(bundle, "side2", "z1") if has_z1(bundle.manifest) else None
    top = torch.ones(len(bundle.arrays["top_shapes"]))
    return EntropyPath(fine, coarse, int(bundle.manifest["fraction"]), top)


def _level(bundle: Bundle, graph: str, latents: str) -> IntegerLevel:
    a, constants = bundle.arrays, initialisers(bundle, graph)
    source = grid_of(a[f"{latents}_low"], a[f"{latents}_high"])
    before: list[IntegerLayer] = []
    for name in _BEFORE:
        before.append(stored_layer(constants, name, source))
        source = _made(before[-1])
    # The four positions that one becomes are alike.
    moved = Grid(*(t.reshape(4, -1)[0] for t in (source.step, source.low, source.high)))
    after = stored_layer(constants, _AFTER, moved)
    features = _made(after)
    return IntegerLevel(
        IntegerChain(before, source), after, features, _predictor(constants, features)
    )


def _predictor(constants: Arrays, source: Grid) -> IntegerPredictor:
    layers = []
    for stage in (1, 2, 3):
        layers.append(stored_layer(constants, f"predictor.conv{stage}", source))
        source = _made(layers[-1])
    heads = joined([source] * len(PLACES))
    index, mean = (stored_layer(constants, f"predictor.{n}", heads) for n in ("index", "mean"))
    return IntegerPredictor(layers, index, mean)


def _made(layer: IntegerLayer) -> Grid:
    """Range of a layer's outputs."""
    return grid_of(layer.low.numpy(), layer.high.numpy())


def restore_transforms(bundle: Bundle) -> CoarseToFine:
    """g_a, h_a and synthesis as the bundle's graphs have them; the hyper-syntheses and predictors
    have no weights. Raises BundleManifestError and BundleGraphError."""
    network = _without_weights(bundle.manifest["spec"])
    parts = {name: getattr(network, name) for name in ("g_a", "h_a2", "h_a1", "g_s")}
    layers = {f"{part}.{name}": layer for part, inner in parts.items() if inner is not None
              for name, layer in inner.named_children()}  # fmt: skip
    layers["g_s.last"] = layers.pop(f"g_s.{len(network.g_s) - 1}")
    layers |= dict(network.reconstruction.named_children())
    with _typed_errors():
        constants: dict[str, NDArray[Any]] = {}
        for graph in ("g_a", "features", "picture"):
            constants |= initialisers(bundle, graph)
        for name, layer in layers.items():
            _load(layer, name, constants)
    return network.eval()


def _without_weights(spec: dict[str, Any]) -> CoarseToFine:
    """The network of a manifest's spec, of no memory: a hostile spec may ask for all that there
    is."""
    try:
        widths = C2FSpec.from_json({k: v for k, v in spec.items() if k != "qualities"})
    except (KeyError, TypeError, ValueError) as error:
        raise BundleManifestError(
            f"the manifest's widths are none of ours ({error}); get the bundle again from its maker"
        ) from error
    with torch.device("meta"):
        return build_network(widths)


@contextmanager
def _typed_errors() -> Iterator[None]:
    """What a graph of other constants raises, as BundleGraphError."""
    try:
        yield
    except (KeyError, ValueError, IndexError, RuntimeError, TypeError, OverflowError) as error:
        raise BundleGraphError(
            f"a graph of the bundle is none of ours ({error}); get the bundle again from its maker"
        ) from error


def steps(bundle: Bundle) -> dict[str, Tensor]:
    """Units of the hyper-features h2 and h1, (1, features, 1, 1) each; raises BundleGraphError."""
    names = ("h2", "h1") if has_z1(bundle.manifest) else ("h2",)
    with _typed_errors():
        constants = initialisers(bundle, "features")
        return {name: _tensor(constants[f"{name}.step"]) for name in names}


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array))


def _load(layer: nn.Module, name: str, constants: Arrays) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        _set(layer, "weight", _tensor(constants[f"{name}.weight"]))
        _set(layer, "bias", _tensor(constants[f"{name}.bias"]))
    elif isinstance(layer, GDN):
        _set(layer, "beta", (_tensor(constants[f"{name}.beta"]) + PEDESTAL).sqrt())
        _set(layer, "gamma", (_tensor(constants[f"{name}.gamma"])[:, :, 0, 0] + PEDESTAL).sqrt())


def _set(layer: nn.Module, name: str, value: Tensor) -> None:
    """A parameter in the place of one without memory; raises ValueError for another shape."""
    wanted = getattr(layer, name)
    if value.shape != wanted.shape or value.dtype != wanted.dtype:
        raise ValueError(f"a {name} of shape {tuple(value.shape)}, {tuple(wanted.shape)} wanted")
    if value.ndim == 4:
        value = value.contiguous(memory_format=torch.channels_last)
    setattr(layer, name, nn.Parameter(value, requires_grad=False))
