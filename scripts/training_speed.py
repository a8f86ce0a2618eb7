"""Times our training step against a plain one, and compares what both have learnt.

scripts/training_speed.py --frames DIR [--sizes xsmall,small] [--threads 1,2] [--rounds 12]
scripts/training_speed.py --frames DIR --losses 500 --seeds 3
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "toolchain"))

from c3d_export.models import latents, layers, network, transforms  # noqa: E402
from c3d_export.models.entropy import gaussian_bits, scale_of  # noqa: E402
from c3d_export.train import loop  # noqa: E402
from c3d_export.train.optimizer import (  # noqa: E402
    BETAS, DECAY, EPSILON, ITERATIONS, MOMENTUM, NEWTON_SCHULZ,
)
from c3d_export.train.service import gather, new_network, spec_of_size  # noqa: E402


def rounded(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def rate(y, mean, index, step, offset, noise):
    scale = scale_of((index - offset).clamp(0.0, 255.0))
    return gaussian_bits((y - mean) / step + noise, scale).sum((1, 2, 3))


def decode(y, mean, step):
    return (mean + rounded((y - mean) / step) * step).clamp(-128.0, 127.0)


def activity(v, factor, raw, base, quantized):
    moved = v * factor
    size = rounded(moved.abs()) if quantized else moved.abs()
    low = size.clamp(max=latents.KNEE)
    high = (size.clamp(max=latents.CEILING) - low) / latents.SHALLOW
    size = low + (high + (high.floor() - high).detach() if quantized else high)
    return torch.cat([v[:, :raw], size[:, raw:base] * moved[:, raw:base].sign(), size], 1)


def spread(fine, runs, offsets):
    out = torch.cat([fine[:, first : first + count] for first, count in runs], 1)
    if offsets is not None:
        out = out + offsets[:, None, None]
        out = out + (out.floor() - out).detach()
    return out


def space_to_depth(x: Tensor, r: int) -> Tensor:
    b, c, h, w = x.shape
    return x.reshape(b, c, h // r, r, w // r, r).permute(0, 3, 5, 1, 2, 4).reshape(b, r * r * c, h // r, w // r)


def depth_to_space(x: Tensor, r: int) -> Tensor:
    b, c, h, w = x.shape
    x = x.reshape(b, r, r, c // (r * r), h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(b, c // (r * r), h * r, w * r)


def picture(linear, correction, units):
    parts = (linear, correction)
    return sum(depth_to_space(x, math.isqrt(x.shape[1] // 3)) * u for x, u in zip(parts, units))


def squared_error(x_hat, frame):
    return (x_hat + 128.0 - frame).square().mean((1, 2, 3))


def straight(x, value):
    return x + (value - x).detach()


def rounded_clip(x, low, high):
    return rounded(x).clamp(low, high)


def pointwise(x, weight, bias):
    return F.conv2d(x, weight, bias)


PLAIN = (
    (latents, (rate, decode, activity, spread)),
    (layers, (straight, rounded_clip, pointwise, space_to_depth, depth_to_space)),
    (transforms, (space_to_depth, depth_to_space, picture)),
    (loop, (squared_error,)),
)


@contextmanager
def plain_functions() -> Iterator[None]:
    changes = [mock.patch.object(m, f.__name__, f) for m, fs in PLAIN for f in fs]
    for c in changes: c.start()
    try:
        yield
    finally:
        for c in changes: c.stop()


class PlainMuon(torch.optim.Optimizer):
    def __init__(self, groups):
        super().__init__(groups, {"lr": 0.0})

    @torch.no_grad()
    def step(self):
        a, b, c = NEWTON_SCHULZ
        for group in self.param_groups:
            p = group["params"][0]
            state = self.state[p]
            m = state.setdefault("momentum", torch.zeros_like(p))
            m.lerp_(p.grad, 1 - MOMENTUM)
            x = p.grad.lerp(m, MOMENTUM).flatten(1)
            tall = x.shape[0] > x.shape[1]
            if tall: x = x.T
            x = x / (x.norm() + 1e-7)
            for _ in range(ITERATIONS):
                s = x @ x.T
                x = a * x + (b * s + c * s @ s) @ x
            if tall: x = x.T
            size = math.sqrt(max(x.shape))
            p.mul_(1 - DECAY * group["lr"] / group["factor"])
            p.add_(x.reshape(p.shape), alpha=-group["lr"] * size)


class PlainTrainer(loop.Trainer):
    def _make_optimizer(self):
        made = super()._make_optimizer()
        self.muon = PlainMuon([dict(g) for g in made.param_groups if g["muon"]])
        self.adam = torch.optim.Adam([dict(g) for g in made.param_groups if not g["muon"]], lr=0.0, betas=BETAS, eps=EPSILON)
        return made

    def _crops(self, step):
        crops = super()._crops(step)
        return crops._replace(pixels=crops.pixels.contiguous())

    def train_step(self):
        with plain_functions():
            c = self.config
            torch.manual_seed(c.seed * 1_000_003 + self.step)
            self.model.quantize(self.step >= c.quantize_from)
            crops = self._crops(self.step)
            for o in (self.muon, self.adam):
                loop.set_learning_rate(o, self.learning_rate())
            self._recenter(crops.pixels)
            loss, mse, bpp = self._loss(crops, self._qualities())
            self.model.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), c.clip)
            self.muon.step(); self.adam.step()
            self.step += 1
            decay = min(c.average, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                for k, v in self.model.state_dict().items():
                    self.average[k].lerp_(v, 1 - decay)
            return float(loss.detach()), float(bpp.mean()), float(mse.mean())
