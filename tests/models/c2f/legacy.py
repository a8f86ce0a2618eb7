"""Checkpoints as the published training scripts save them, and what their networks compute.

Written from the layer tables by the published names, without anything of the package: transposed
layers, unfolded patches and all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from c3d_export.models.c2f.spec import C2FSpec, LevelSpec

State = dict[str, Tensor]
Shape = tuple[int, ...]


def shapes(spec: C2FSpec, *, training: bool = False) -> Iterator[tuple[str, Shape]]:
    """Names and shapes of a state dict. training: with what only the training script has."""
    widths = (3, *spec.g_a, spec.latents)
    for i, place in enumerate((1, 4, 7, 10)):
        yield from _layer(f"a_model.transform.{place}", (widths[i + 1], widths[i], 5, 5))
        if i < 3:
            yield from _gdn(f"a_model.transform.{place + 1}", widths[i + 1], training)
    widths = (spec.latents, *spec.g_s)
    for i, place in enumerate((1, 4, 7)):
        yield from _layer(f"s_model.transform.{place}", (widths[i], widths[i + 1], 5, 5), 1)
        yield from _gdn(f"s_model.transform.{place + 1}", widths[i + 1], training)
    yield from _level("2", "3", spec.fine, spec.latents)
    if spec.coarse is not None:
        yield from _level("1", "2", spec.coarse, spec.fine.latents)
        sigma = (1, spec.coarse.latents, 1, 1)
        yield from (("h1_sigma", sigma), ("get_h1_sigma", sigma))
    if spec.coarse is None or training:
        sigma = (1, spec.fine.latents, 1, 1)
        yield from (("v_z2_sigma", sigma), ("z2_sigma", sigma))
    yield from _reconstruction(spec)
    if training:
        fine = spec.fine
        yield from _layer("s_model.aux_conv.1", (spec.g_s[2], 3, 5, 5), 1)
        yield from _layer("proj_head_z3.transform.0", (spec.latents, fine.features, 3, 3))
        yield from _layer("proj_head_z2.transform.0", (fine.latents, fine.latents, 3, 3))


def _layer(name: str, shape: Shape, outputs: int = 0) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", (shape[outputs],)


def _gdn(name: str, channels: int, training: bool) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.beta", (channels,)
    yield f"{name}.gamma", (channels, channels)
    yield f"{name}.pedestal", (1,)
    if training:
        yield f"{name}.reparam_offset", (1,)


def _level(at: str, below: str, level: LevelSpec, coded: int) -> Iterator[tuple[str, Shape]]:
    a, b, c = level.h_a
    yield from _layer(f"ha_model_{at}.transform.0", (a, coded, 3, 3))
    yield from _layer(f"ha_model_{at}.transform.2", (b, 4 * a, 1, 1))
    yield from _layer(f"ha_model_{at}.transform.4", (c, b, 1, 1))
    yield from _layer(f"ha_model_{at}.transform.6", (level.latents, c, 1, 1))
    a, b, c = level.h_s
    yield from _layer(f"hs_model_{at}.transform.0", (level.latents, a, 1, 1), 1)
    yield from _layer(f"hs_model_{at}.transform.1", (a, b, 1, 1), 1)
    yield from _layer(f"hs_model_{at}.transform.3", (b, c, 1, 1), 1)
    yield from _layer(f"hs_model_{at}.transform.7", (c // 4, level.features, 3, 3), 1)
    a, b, c = level.predictor
    yield from _layer(f"prediction_model_{below}.transform.1", (a, level.features, 3, 3))
    yield from _layer(f"prediction_model_{below}.transform.4", (b, a, 3, 3))
    yield from _layer(f"prediction_model_{below}.transform.7", (c, b, 3, 3))
    yield from _layer(f"prediction_model_{below}.fc", (2 * coded, 9 * c))


def _reconstruction(spec: C2FSpec) -> Iterator[tuple[str, Shape]]:
    r = spec.reconstruction
    wide = spec.g_s[2] + r.up[2]
    inputs = (spec.fine.features + spec.upsampled, *r.up)
    for i, name in enumerate(("layer_1", "layer_1a", "layer_1b")):
        yield from _layer(f"side_recon_model.{name}.1", (inputs[i], inputs[i + 1], 5, 5), 1)
    widths = (wide, *r.block, wide)
    for i in range(3):
        shape = (widths[i + 1], widths[i], 3, 3)
        yield from _layer(f"side_recon_model.layer_3_{i + 1}.0", shape)
    yield from _layer("side_recon_model.layer_4.1", (wide, r.tail[0], 5, 5), 1)
    yield from _layer("side_recon_model.layer_5.0", (r.tail[1], r.tail[0], 3, 3))
    yield from _layer("side_recon_model.layer_6", (3, r.tail[1], 1, 1))


def checkpoint(spec: C2FSpec, *, training: bool = False, prefix: str = "") -> State:
    """Random weights of a size that keeps activations about as large as inputs."""
    generator = torch.Generator().manual_seed(11)
    state: State = {}
    for name, shape in shapes(spec, training=training):
        value = torch.randn(shape, generator=generator)
        if name.endswith(("beta", "gamma")):
            value = value.abs() * 0.3 + 0.1
        elif name.endswith(("pedestal", "reparam_offset")):
            value = torch.full(shape, 2.0 ** (-36 if name.endswith("pedestal") else -18))
        elif len(shape) > 1 and not name.endswith("sigma"):
            value *= (2 / (value[0].numel())) ** 0.5
        state[name] = value
    for one, other in (("h1_sigma", "get_h1_sigma"), ("v_z2_sigma", "z2_sigma")):
        if one in state:
            state[one] = state[other]
    state["a_model.transform.10.weight"] *= 6
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


class Network:
    """The published inference on the tensors of `checkpoint`, a level or a picture at a time."""

    def __init__(self, state: State) -> None:
        self.state = state

    def of(self, name: str) -> tuple[Tensor, Tensor]:
        return self.state[f"{name}.weight"], self.state[f"{name}.bias"]

    def gdn(self, name: str, x: Tensor, inverse: bool) -> Tensor:
        pedestal = self.state[f"{name}.pedestal"]
        beta = self.state[f"{name}.beta"].clamp_min((1e-6 + 2.0**-36) ** 0.5) ** 2 - pedestal
        gamma = self.state[f"{name}.gamma"].clamp_min(2.0**-18) ** 2 - pedestal
        norm = torch.sqrt(F.conv2d(x**2, gamma[:, :, None, None], beta))
        return x * norm if inverse else x / norm

    def down(self, name: str, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 2, 1, 2)), *self.of(name), stride=2)

    def up(self, name: str, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 0, 1, 0))
        return F.conv_transpose2d(padded, *self.of(name), stride=2, padding=3, output_padding=1)

    def z3(self, x: Tensor) -> Tensor:
        for place in (1, 4, 7):
            name = f"a_model.transform.{place + 1}"
            x = self.gdn(name, self.down(f"a_model.transform.{place}", x), False)
        return self.down("a_model.transform.10", x)

    def analysis(self, at: str, z: Tensor) -> Tensor:
        x = F.conv2d(z, *self.of(f"ha_model_{at}.transform.0"), padding=1)
        b, c, h, w = x.shape
        x = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
        x = x.reshape(b, 4 * c, h // 2, w // 2)
        x = F.relu(F.conv2d(x, *self.of(f"ha_model_{at}.transform.2")))
        x = F.relu(F.conv2d(x, *self.of(f"ha_model_{at}.transform.4")))
        return F.conv2d(x, *self.of(f"ha_model_{at}.transform.6"))

    def synthesis(self, at: str, z: Tensor) -> Tensor:
        x = F.conv_transpose2d(z, *self.of(f"hs_model_{at}.transform.0"))
        x = F.relu(F.conv_transpose2d(x, *self.of(f"hs_model_{at}.transform.1")))
        x = F.relu(F.conv_transpose2d(x, *self.of(f"hs_model_{at}.transform.3")))
        return F.conv_transpose2d(
            self.shuffled(x), *self.of(f"hs_model_{at}.transform.7"), padding=1
        )

    def shuffled(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = x.view(b, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2)
        return x.reshape(b, c // 4, 2 * h, 2 * w)

    def gaussian(self, below: str, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale."""
        b, c, rows, columns = h.shape
        x = F.unfold(h, 5, padding=2).permute(0, 2, 1).reshape(-1, c, 5, 5)
        name = f"prediction_model_{below}"
        x = F.leaky_relu(F.conv2d(x, *self.of(f"{name}.transform.1"), padding=1), 0.2)
        x = F.pad(x, (1, 2, 1, 2))
        x = F.leaky_relu(F.conv2d(x, *self.of(f"{name}.transform.4"), stride=2), 0.2)
        x = F.leaky_relu(F.conv2d(x, *self.of(f"{name}.transform.7"), padding=1), 0.2)
        both = F.linear(x.flatten(1), *self.of(f"{name}.fc")).view(b, rows, columns, -1)
        mean, log_scale = both.permute(0, 3, 1, 2).chunk(2, 1)
        return mean, log_scale.exp()

    def picture(self, z3: Tensor, h2: Tensor, h1: Tensor | None) -> Tensor:
        y = z3
        for place in (1, 4, 7):
            name = f"s_model.transform.{place + 1}"
            y = self.gdn(name, self.up(f"s_model.transform.{place}", y), True)
        x = h2 if h1 is None else torch.cat([h2, self.shuffled(h1)], 1)
        x = self.up("side_recon_model.layer_1.1", x)
        for name in ("layer_1a.1", "layer_1b.1"):
            x = F.leaky_relu(self.up(f"side_recon_model.{name}", x), 0.2)
        joined = torch.cat([y, x], 1)
        x = joined
        for i in (1, 2, 3):
            of = self.of(f"side_recon_model.layer_3_{i}.0")
            x = F.leaky_relu(F.conv2d(x, *of, padding=1), 0.2)
        x = self.up("side_recon_model.layer_4.1", joined + x)
        x = F.leaky_relu(F.conv2d(x, *self.of("side_recon_model.layer_5.0"), padding=1), 0.2)
        return F.conv2d(x, *self.of("side_recon_model.layer_6"))
