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
from collections.abc import Callable, Iterable, Mapping
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


def orthogonalized(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """(k, m, n) float32: each about the nearest with orthonormal rows (or columns, if m > n).

    dtype: of the iteration; bfloat16 is accurate enough, since singular values between .7 and 1.2
    are as good as ones.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = (matrices.mT if tall else matrices).to(dtype)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).to(dtype)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        square = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, square, x, beta=a)
    return (x.mT if tall else x).float()


def laid_out(value: Tensor, reference: Tensor) -> Tensor:
    """A copy in the memory layout of `reference`, which checkpoints do not keep.

    Sums depend on the order in memory.
    """
    return torch.empty_like(reference.detach()).copy_(value)


class MuonAdam(torch.optim.Optimizer):
    """One parameter per group; group["muon"] says by which rule it moves.

    An update's root mean square is about the group's learning rate under both rules. dtype: of
    the orthogonalisation. Parameters move in lists, matrices of one shape as one batch: some
    hundred small ones would otherwise wait for the interpreter.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], dtype: torch.dtype) -> None:
        super().__init__(groups, {"lr": 0.0})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        shapes: dict[torch.Size, list[dict[str, Any]]] = {}
        adam = []
        for group in self.param_groups:
            (parameter,) = group["params"]
            if parameter.grad is None:
                continue
            if group["muon"]:
                shapes.setdefault(parameter.shape, []).append(group)
            else:
                adam.append(group)
        for alike in shapes.values():
            self._muon(alike)
        if adam:
            self._adam(adam)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, on the device where it is."""
        return {
            f"optimizer.{group['name']}.{key}": value.detach().clone()
            for group in self.param_groups
            for key, value in self.state.get(group["params"][0], {}).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes from `tensors` what is its own."""
        for group in self.param_groups:
            (parameter,), prefix = group["params"], f"optimizer.{group['name']}."
            for name in filter(lambda name: name.startswith(prefix), tensors):
                key, value = name.removeprefix(prefix), tensors[name]
                # The number of steps is no weight, and stays on the host.
                own = value.clone() if key == "step" else laid_out(value, parameter)
                self.state[parameter][key] = own

    def _states(self, parameters: list[Tensor], name: str) -> list[Tensor]:
        """Of each parameter one tensor of its state, zero at first."""
        states = [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if name not in state:
                state[name] = torch.zeros_like(parameter)
        return [state[name] for state in states]

    def _muon(self, groups: list[dict[str, Any]]) -> None:
        """groups: of parameters of one shape."""
        parameters = [group["params"][0] for group in groups]
        grads = [parameter.grad for parameter in parameters]
        momenta = self._states(parameters, "momentum")
        torch._foreach_lerp_(momenta, grads, 1 - MOMENTUM)
        ahead = torch.stack(torch._foreach_lerp(grads, momenta, MOMENTUM)).permute(0, 1, 3, 4, 2)
        matrices = ahead.reshape(*ahead.shape[:2], -1)
        size = math.sqrt(max(matrices.shape[1:]))
        moved = orthogonalized(matrices, self.dtype).reshape(ahead.shape).permute(0, 1, 4, 2, 3)
        torch._foreach_mul_(parameters, [1 - DECAY * g["lr"] / g["factor"] for g in groups])
        steps = torch._foreach_mul(list(moved), [-g["lr"] * size for g in groups])
        torch._foreach_add_(parameters, steps)

    def _adam(self, groups: list[dict[str, Any]]) -> None:
        parameters = [group["params"][0] for group in groups]
        grads = [parameter.grad for parameter in parameters]
        means = self._states(parameters, "exp_avg")
        squares = self._states(parameters, "exp_avg_sq")
        torch._foreach_lerp_(means, grads, 1 - BETAS[0])
        torch._foreach_lerp_(squares, torch._foreach_mul(grads, grads), 1 - BETAS[1])
        counts = [self._count(parameter) for parameter in parameters]
        sizes = torch._foreach_div(squares, [1 - BETAS[1] ** n for n in counts])
        torch._foreach_sqrt_(sizes)
        torch._foreach_add_(sizes, EPSILON)
        rates = [-g["lr"] / (1 - BETAS[0] ** n) for g, n in zip(groups, counts, strict=True)]
        torch._foreach_addcdiv_(parameters, means, sizes, rates)

    def _count(self, parameter: Tensor) -> float:
        """Steps of a parameter, this one with them."""
        state = self.state[parameter]
        state["step"] = state.get("step", torch.zeros(())) + 1
        return float(state["step"])


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
