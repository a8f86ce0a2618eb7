"""Torch-Pruning's dependency graph of mbt2018 and mbt2018-mean.

What it does not know by itself is taught to it: the factorised prior has parameters for each
channel of z and reshapes z on its way, so that it is traced as one operation; the masked
convolution is traced as a plain one, for the same channels.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

from torch import Tensor

from ...models.mbt.entropy import EntropyBottleneck
from ...models.mbt.network import JointAutoregressive, MaskedConv2d, MeanScaleHyperprior
from ..published.graph import Graph, WholePruner, build


def trace(model: MeanScaleHyperprior) -> Graph:
    """The graph of `model`, which it then owns, and which computes no likelihoods any more."""
    model.requires_grad_(True).eval()
    prior = model.entropy_bottleneck
    prior.forward = MethodType(_one_operation, prior)  # type: ignore[method-assign]
    if isinstance(model, JointAutoregressive):
        context = model.context_prediction
        context.forward = MethodType(_without_mask, context)  # type: ignore[method-assign]
    pruner = WholePruner(_cut_prior, lambda layer: len(layer.quantiles))
    return build(model, _forward, {EntropyBottleneck: pruner}, [])


def _forward(model: MeanScaleHyperprior, x: Tensor) -> list[Tensor]:
    """Everything that ties channels together, as maps."""
    y = model.g_a(x)
    z_hat = model.entropy_bottleneck(model.h_a(y))
    scales, means = model.gaussians(y, model.h_s(z_hat)).chunk(2, 1)
    return [model.g_s(y), (y - means) / scales]


def _one_operation(prior: EntropyBottleneck, z: Tensor) -> Tensor:
    return z + 0.0


def _without_mask(context: MaskedConv2d, x: Tensor) -> Tensor:
    result: Tensor = context._conv_forward(x, context.weight, context.bias)
    return result


def _cut_prior(pruner: WholePruner, layer: Any, kept: list[int]) -> None:
    layer.quantiles = pruner.kept(layer.quantiles, kept, 0)
    for parameters in (layer.matrices, layer.biases, layer.factors):
        for i, parameter in enumerate(parameters):
            parameters[i] = pruner.kept(parameter, kept, 0)
