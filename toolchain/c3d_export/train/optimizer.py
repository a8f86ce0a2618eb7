"""Muon for the trunks, Adam for the rest, at learning rates relative to each layer's own size.

A convolution's gradient is nearly of rank one: activations of 0..255 share a large mean, and the
few strong latents outweigh the hundreds of weak ones. Adam equalises elements, not directions, so
the weak ones learn last. Muon (Jordan et al. 2024) replaces the momentum of a weight matrix by the
nearest orthogonal one, which moves all directions alike: after 600 steps +.8 dB at equal rate
against Adam (docs/models.md).

The linear paths start from a KLT in integer units, with weights 100 times smaller than those of
the trunks. One absolute learning rate would either destroy the former or freeze the latter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

LINEAR_FACTOR = 0.06
"""The linear paths start near their optimum."""
FACTORS = {"log_step": 0.1, "planes": 5.0, "z_fine": 10.0}
"""Absolute learning rates of the per-quality parameters, in units of the relative one."""
ANALYSIS_FACTOR = 0.5
"""What g_a's trunk and h_a add is noise before it is signal."""
BIAS_FACTOR = 0.1
ZERO_FACTOR = 0.05
"""Size of a layer that begins at zero, in units of the root of its fan-in: what it may become."""
LINEAR_PATHS = ("g_a.linear.weight", "g_s.pixels.weight")
FAN_IN = 96
"""Fan-in at which a linear path's learning rate under Adam is the relative one."""
MOMENTUM = 0.95
DECAY = 0.2
"""Share of a trunk's weights that decays while the relative learning rate adds up to one. Updates
keep their size however little they mean, so without it weights walk away: ten times as large after
5,000 steps at .04, and nine tenths of some layers' units beyond their clips for good."""
BETAS = (0.9, 0.99)
EPSILON = 1e-10
"""Far below the gradients of the weights that make eighths of a grey level."""
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration of Jordan et al. 2024: singular values go to about 1."""
ITERATIONS = 5


def _factor(name: str, parameter: Tensor) -> float:
    if name in FACTORS:
        return FACTORS[name]
    return BIAS_FACTOR if name.endswith("bias") else _weight_factor(name, parameter)


def _weight_factor(name: str, parameter: Tensor) -> float:
    fan_in = float(parameter[0].numel())
    rms = float(parameter.detach().square().mean().sqrt())
    size = rms if rms > 0 else ZERO_FACTOR / math.sqrt(fan_in)
    if name in LINEAR_PATHS:
        # Adam moves all weights of a unit alike, so its output moves with the fan-in, not with
        # the root of it as the weights' size does (Yang et al., Tensor Programs V, table 3).
        return size * LINEAR_FACTOR * math.sqrt(FAN_IN / fan_in)
    return size * (ANALYSIS_FACTOR if name.startswith(("g_a.", "h_a.")) else 1.0)


def layer_factors(model: nn.Module) -> dict[str, float]:
    """Learning rate factor of each parameter, from its size now (take it once, at the start)."""
    return {name: _factor(name, p) for name, p in model.named_parameters()}


def orthogonalized(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """(m, n) float32: about the nearest matrix with orthonormal rows (or columns, if m > n).

    dtype: of the iteration; bfloat16 is accurate enough, since singular values between .7 and 1.2
    are as good as ones.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = (matrix.T if tall else matrix).to(dtype)
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return (x.T if tall else x).float()


class MuonAdam(torch.optim.Optimizer):
    """One parameter per group; group["muon"] says by which rule it moves.

    An update's root mean square is about the group's learning rate under both rules. dtype: of
    the orthogonalisation.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], dtype: torch.dtype) -> None:
        super().__init__(groups, {"lr": 0.0})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            (parameter,) = group["params"]
            if parameter.grad is not None:
                move = self._muon if group["muon"] else self._adam
                if group["muon"]:
                    parameter.mul_(1 - DECAY * group["lr"] / group["factor"])
                move(parameter, parameter.grad, group["lr"])

    def _muon(self, parameter: Tensor, grad: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(grad, 1 - MOMENTUM)
        ahead = grad.lerp(state["momentum"], MOMENTUM).permute(0, 2, 3, 1)
        matrix = ahead.reshape(len(ahead), -1)
        moved = orthogonalized(matrix, self.dtype) * math.sqrt(max(matrix.shape))
        parameter.add_(moved.reshape(ahead.shape).permute(0, 3, 1, 2), alpha=-rate)

    def _adam(self, parameter: Tensor, grad: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        state["exp_avg"].lerp_(grad, 1 - BETAS[0])
        state["exp_avg_sq"].lerp_(grad.square(), 1 - BETAS[1])
        first, second = (1 - beta ** float(state["step"]) for beta in BETAS)
        size = (state["exp_avg_sq"] / second).sqrt_().add_(EPSILON)
        parameter.addcdiv_(state["exp_avg"], size, value=-rate / first)


def make_optimizer(
    model: nn.Module, factors: dict[str, float], dtype: torch.dtype = torch.float32
) -> MuonAdam:
    groups = [
        {
            "params": [p],
            "factor": factors[name],
            "name": name,
            # A depthwise kernel is no matrix: there are no directions to equalise.
            "muon": p.ndim == 4 and p.shape[1] > 1 and name not in LINEAR_PATHS,
        }
        for name, p in model.named_parameters()
    ]
    return MuonAdam(groups, dtype)


def set_learning_rate(optimizer: torch.optim.Optimizer, relative: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = relative * group["factor"]
