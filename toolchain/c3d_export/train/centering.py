"""Centred activations: what keeps ReLU trunks alive at useful learning rates.

Activations of 0..255 have a large mean, so Adam's equal steps on a unit's hundreds of weights add
up to a shift of its whole output: at a relative learning rate of 0.02 most of a 3x3 layer's units
were switched off for good within some hundred steps (measured: 99 % of g_a's strided convolution,
89 % of h_s's features). Subtracting each input channel's mean (a change of the bias, no more)
leaves the function as it is and takes that shift out of the weights' gradient; cf. Wiesler et
al., "Mean-normalized stochastic gradient for large-scale deep learning", ICASSP 2014.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..models.layers import BIAS_UNIT, IntConv2d, weight_scale
from ..models.network import Codec


@torch.no_grad()
def input_means(model: nn.Module, run: Any) -> dict[str, Tensor]:
    """Mean of every input channel of every convolution while `run()` runs the model."""
    means: dict[str, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, IntConv2d):

            def keep(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                means[name] = inputs[0].detach().float().mean((0, 2, 3))

            hooks.append(module.register_forward_pre_hook(keep))
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return means


def _moved_bias(layer: IntConv2d, weight: Tensor, shift: Tensor) -> Tensor:
    return layer.response(weight, shift) / BIAS_UNIT


def _seen(layer: IntConv2d, weight: Tensor, bias: Tensor) -> Tensor:
    """A layer's weights (or their average) as the forward pass sees them, in training's units.

    In the integer simulation they are rounded, and it is the rounded ones that meet the centre:
    what the float weights make of it would shift every output (docs/models.md).
    """
    if not layer.quantized:
        return weight
    gain = torch.ones_like(bias) if layer.gain is None else layer.gain
    inside = weight * gain[:, None, None, None]
    grid = weight_scale(inside, bias * BIAS_UNIT * gain)[:, None, None, None]
    return layer.steps(inside, grid) * grid / gain[:, None, None, None]


@torch.no_grad()
def recenter(model: nn.Module, means: dict[str, Tensor], average: dict[str, Tensor]) -> None:
    """Moves every layer's centre to the present mean; functions of both weights stay the same.

    means: from `input_means` on typical frames. average: the moving average of the state.
    """
    for name, module in model.named_modules():
        if name in means and isinstance(module, IntConv2d):
            # The gain multiplies bias and weight alike, so it has no part in this.
            shift = means[name] - module.center
            assert module.bias is not None
            for weight, bias in (
                (module.weight, module.bias),
                (average[f"{name}.weight"], average[f"{name}.bias"]),
            ):
                bias += _moved_bias(module, _seen(module, weight, bias), shift)
            module.center.copy_(means[name])
            average[f"{name}.center"].copy_(means[name])


@torch.no_grad()
def unfold_gains(model: Codec, frame: Tensor) -> None:
    """Puts the heads of the means in units of a tenth of the quantiser step, in place.

    Means are in units of v, of which a step has 1 (mean brightness) to 50 (fine detail): moved
    alike, the weights of one channel would jump while those of another stand still. A tenth,
    since activations are some tens. Where latents spread over many steps, as mean colours do, the
    unit is a thirtieth of their deviation on `frame` (B, 3, H, W), 0..255: weights hardly grow
    beyond their start, and a head that cannot reach them predicts nothing. A network whose gains
    are set already is left as it is.
    """
    spread = model.g_a(frame - 128.0).std((0, 2, 3))
    gain = torch.maximum(0.1 * model.log_step.mean(0).exp(), spread / 30.0)
    base = model.spec.base
    parts = ((model.h_s, gain[:base]), (model.g_cp, gain[:base]), (model.g_ep, gain[base:]))
    for part, own in parts:
        head = part.mean
        assert head.gain is not None
        assert head.bias is not None
        if (head.gain == 1).all():
            head.gain.copy_(own)
            head.weight /= own[:, None, None, None]
            head.bias /= own


@torch.no_grad()
def fold_centers(model: nn.Module) -> None:
    """Puts centres and gains into weights and biases, in place: how networks are kept."""
    for module in model.modules():
        if isinstance(module, IntConv2d):
            assert module.bias is not None
            moved = _moved_bias(module, _seen(module, module.weight, module.bias), module.center)
            module.bias -= moved
            weight, bias = module.in_units()
            module.weight.copy_(weight)
            module.bias.copy_(bias / BIAS_UNIT)
            module.center.zero_()
            if module.gain is not None:
                module.gain.fill_(1.0)
