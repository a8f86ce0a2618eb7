"""Multiply-accumulates of the coarse-to-fine networks, counted in a forward pass without data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .network import CoarseToFine, Latents
from .spec import C2FSpec

HEIGHT: Final = 768
WIDTH: Final = 1280
"""The padded frame of 720p, over which the edges of the maps are spread."""


@dataclass(frozen=True)
class Cost:
    """MACs per pixel of the padded frame: of each part, by name, in the order of the dataflow.

    GDN counts with its matrix; activations, additions and roundings do not count.
    """

    parts: dict[str, float]

    @property
    def encoder(self) -> float:
        """What an encoder needs: latents, and how they are coded."""
        return sum(macs for name, macs in self.parts.items() if name not in _DECODER_ONLY)

    @property
    def decoder(self) -> float:
        """What a decoder needs."""
        return sum(macs for name, macs in self.parts.items() if name not in _ENCODER_ONLY)


_ENCODER_ONLY: Final = ("g_a", "h_a2", "h_a1")
_DECODER_ONLY: Final = ("g_s", "reconstruction")


def cost_of(spec: C2FSpec) -> Cost:
    """The cost of a network of this spec; makes no weights."""
    with torch.device("meta"), torch.no_grad():
        model = CoarseToFine(spec).eval()
        x = torch.empty(1, 3, HEIGHT, WIDTH)
        latents = model.latents(x)
        side = model.side(latents)
        calls = _calls(model, x, latents, side.h2, side.h1)
        y = model.g_s(latents.z3)
        calls["reconstruction"] = (model.reconstruction, (y, side.h2, side.h1))
        return Cost({name: _macs(part, inputs) for name, (part, inputs) in calls.items()})


def _calls(
    model: CoarseToFine, x: Any, latents: Latents, h2: Any, h1: Any
) -> dict[str, tuple[nn.Module, tuple[Any, ...]]]:
    calls: dict[str, tuple[nn.Module | None, tuple[Any, ...]]] = {
        "g_a": (model.g_a, (x,)),
        "h_a2": (model.h_a2, (latents.z3,)),
        "h_a1": (model.h_a1, (latents.z2,)),
        "h_s1": (model.h_s1, (latents.z1,)),
        "predictor2": (model.predictor2, (h1,)),
        "h_s2": (model.h_s2, (latents.z2,)),
        "predictor3": (model.predictor3, (h2,)),
        "g_s": (model.g_s, (latents.z3,)),
    }
    return {name: (part, inputs) for name, (part, inputs) in calls.items() if part is not None}


def _macs(part: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
    with FlopCounterMode(display=False) as counter:
        part(*inputs)
    flops: int = counter.get_total_flops()
    return flops / 2 / (HEIGHT * WIDTH)
