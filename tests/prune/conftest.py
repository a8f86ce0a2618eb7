"""A small network in which every layer counts, and frames from a seeded generator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import SIZES, CodecSpec
from c3d_export.prune.groups import Part, prunable_widths
from c3d_export.prune.importance import Importance, magnitude_importance
from c3d_export.train.crops import Pool

MakeModel = Callable[[CodecSpec], Codec]
Outputs = Callable[[Codec], list[Tensor]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """The tensors are tiny: on a busy machine threads would only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@torch.no_grad()
def _live_model(spec: CodecSpec) -> Codec:
    """A fresh network starts with heads of zeros, which would hide the trunks' differences."""
    model = build_network(spec)
    generator = torch.Generator().manual_seed(1)
    for layer in model.modules():
        if isinstance(layer, IntConv2d):
            assert layer.bias is not None
            fan_in = layer.weight[0].numel()
            noise = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.copy_(noise * fan_in**-0.5)
            layer.bias.copy_(torch.rand(layer.bias.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    return _live_model


@pytest.fixture(scope="session")
def shared_model() -> Codec:
    """The xsmall network, for tests that only read it."""
    return _live_model(SIZES["xsmall"])


@pytest.fixture
def model(shared_model: Codec) -> Codec:
    """A copy of it, for tests that change it."""
    return copy.deepcopy(shared_model)


@pytest.fixture(scope="session")
def importance(shared_model: Codec) -> Importance:
    """By magnitude, which is quick; of the weights that both of the above have."""
    return magnitude_importance(shared_model)


@pytest.fixture(scope="session")
def parts(shared_model: Codec) -> dict[str, Part]:
    return {part.name: part for w in prunable_widths(shared_model) for part in w.parts}


@pytest.fixture(scope="session")
def pools() -> list[Pool]:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (3, 16, 16, 3), np.uint8)
    frames = [frame.repeat(4, axis=0).repeat(4, axis=1) for frame in coarse]
    return [Pool("generated", frames)]


@pytest.fixture(scope="session")
def outputs(pools: list[Pool]) -> Outputs:
    """x_hat, bits of y and bits of z of two frames at two rate points."""
    stacked = np.stack(pools[0].frames[:2])
    frames = torch.from_numpy(stacked).permute(0, 3, 1, 2).float()

    @torch.no_grad()
    def run(model: Codec) -> list[Tensor]:
        output = model.eval()(frames, torch.tensor([1, 6]))
        return [output.x_hat, output.bits_y, output.bits_z]

    return run
