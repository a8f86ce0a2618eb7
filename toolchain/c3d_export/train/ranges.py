"""Residual trunks fill the range of a byte: what rounding costs there is a matter of units.

Trained in floating point, most channels of a trunk stay far below 255, and what the blocks add to
them is a few units, so that rounding to whole ones loses more than it must (docs/exactness.md).
When the integer simulation begins, each channel is scaled up: the layers that write to it with it,
the layers that read it inversely. The network's function stays, but for what a clip cuts, which is
the rarest. Cf. Nagel et al., "Data-free quantization through weight equalization and bias
correction", ICCV 2019, section 4.1; our weights have a scale for each output, so that activations
alone count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..models.layers import IntConv2d, ResidualBlock
from ..models.network import Codec

FILL = 240.0
"""Where all but RARE of a channel's values end."""
FILL_RESIDUAL = 120.0
"""The same for what a block adds, of -128..127."""
LARGEST = 2.0
"""More would leave too few integers to the weights that shrink."""
RARE = 10_000


@dataclass(frozen=True)
class Trunk:
    """entry: the layer before its blocks, with `copies` outputs a channel (4 before a
    depth-to-space by 2). reader: the layer behind them."""

    entry: str
    blocks: str
    reader: str
    copies: int = 1


TRUNKS = (
    Trunk("g_a.patch", "g_a.high", "g_a.down"),
    Trunk("g_a.down", "g_a.low", "g_a.head"),
    Trunk("g_s.enter", "g_s.low", "g_s.up"),
    Trunk("g_s.up", "g_s.high", "g_s.correction", copies=4),
)


def _largest(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (C,): the largest magnitude but for one in RARE."""
    values = x.detach().float().abs().transpose(0, 1).flatten(1)
    return values.topk(1 + values.shape[1] // RARE, dim=1).values[:, -1]


@torch.no_grad()
def _measure(model: Codec, run: Callable[[], Any]) -> dict[str, Tensor]:
    """`_largest` of every layer's and block's output while `run()` runs the model."""
    found: dict[str, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, IntConv2d | ResidualBlock):

            def keep(_: nn.Module, __: Any, output: Tensor, name: str = name) -> None:
                found[name] = _largest(output)

            hooks.append(module.register_forward_hook(keep))
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _growth(trunk: Trunk, count: int, found: dict[str, Tensor]) -> Tensor:
    """(C,) factor of each channel, 1..LARGEST; count: of the blocks."""
    values = list(found[trunk.entry].reshape(trunk.copies, -1))
    values += [found[f"{trunk.blocks}.{i}"] for i in range(count)]
    largest = torch.stack(values).amax(0)
    room = FILL / largest
    for i in range(count):
        room = torch.minimum(room, FILL_RESIDUAL / found[f"{trunk.blocks}.{i}.conv2"])
    # A channel that is zero everywhere has no range to fill.
    return torch.where(largest > 0, room.clamp(1.0, LARGEST), 1.0)


@torch.no_grad()
def fill_ranges(model: Codec, average: dict[str, Tensor], run: Callable[[], Any]) -> None:
    """Scales the trunks' channels in place, here and in the moving average of the state.

    run: runs the model on typical frames. Centres must be recent (`centering.py`): they keep the
    new roundings of weights from shifting outputs.
    """
    found = _measure(model, run)
    for trunk in TRUNKS:
        blocks = model.get_submodule(trunk.blocks)
        assert isinstance(blocks, nn.Sequential)
        growth = _growth(trunk, len(blocks), found)
        paths = [f"{trunk.blocks}.{i}" for i in range(len(blocks))]
        own = model.state_dict()
        for state in (own, average):
            _grow(state, trunk.entry, growth.repeat(trunk.copies))
            for path in paths:
                _grow(state, f"{path}.conv2", growth)
            for reader in (*(f"{path}.conv1" for path in paths), trunk.reader):
                state[f"{reader}.weight"].div_(growth[:, None, None])
                state[f"{reader}.center"].mul_(growth)


def _grow(state: dict[str, Tensor], layer: str, growth: Tensor) -> None:
    state[f"{layer}.weight"].mul_(growth[:, None, None, None])
    state[f"{layer}.bias"].mul_(growth)
