"""Adam whose learning rate is relative to each layer's own size.

The linear paths start from a KLT in integer units, with weights 100 times smaller than those of
the trunks. One absolute learning rate would either destroy the former or freeze the latter.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LINEAR_FACTOR = 0.06
"""The linear paths start near their optimum."""
FACTORS = {"log_step": 0.1, "planes": 5.0, "z_fine": 10.0}
"""Absolute learning rates of the per-quality parameters, in units of the relative one."""
ANALYSIS_FACTOR = 0.5
"""What g_a's trunk and h_a add is noise before it is signal: faster, their ReLUs die early."""
FAN_IN = 96
"""Fan-in at which a layer's learning rate is the relative one."""
BIAS_FACTOR = 0.1
ZERO_FACTOR = 0.05
"""Layers that begin at zero see activations of about 50, all positive: Adam's first steps, equal
in size for all weights, add up, and at 1 the trunk of g_a drowns the latents in noise."""


def _factor(name: str, parameter: Tensor) -> float:
    if name in FACTORS:
        return FACTORS[name]
    return BIAS_FACTOR if name.endswith("bias") else _weight_factor(name, parameter)


def _weight_factor(name: str, parameter: Tensor) -> float:
    fan_in = float(parameter[0].numel())
    rms = float(parameter.detach().square().mean().sqrt())
    size = rms if rms > 0 else ZERO_FACTOR / math.sqrt(fan_in)
    # Adam moves all weights of a unit alike, so its output moves with the fan-in, not with the
    # root of it as the weights' size does (Yang et al., Tensor Programs V, table 3).
    size *= math.sqrt(FAN_IN / fan_in)
    if name in ("g_a.linear.weight", "g_s.base.weight", "g_s.detail.weight"):
        return size * LINEAR_FACTOR
    return size * (ANALYSIS_FACTOR if name.startswith(("g_a.", "h_a.")) else 1.0)


def layer_factors(model: nn.Module) -> dict[str, float]:
    """Learning rate factor of each parameter, from its size now (take it once, at the start)."""
    return {name: _factor(name, p) for name, p in model.named_parameters()}


def make_optimizer(model: nn.Module, factors: dict[str, float]) -> torch.optim.Adam:
    groups = [
        {"params": [p], "factor": factors[name], "lr": 0.0, "name": name}
        for name, p in model.named_parameters()
    ]
    return torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.99), foreach=False, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, relative: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = relative * group["factor"]
