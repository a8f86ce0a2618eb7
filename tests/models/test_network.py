"""The network: seeds, cost, the two coding steps and their law of causality."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import (
    Codec,
    build_network,
    first_step_mask,
    initial_step,
    macs_per_pixel,
    quality_lambdas,
)
from c3d_export.models.spec import BLOCK, SIZES

SPEC = SIZES["xsmall"]
SIDE = 64


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (build_network(SPEC, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["g_a.patch.weight"], other["g_a.patch.weight"])


@pytest.mark.parametrize(
    "call", [lambda: build_network(SPEC), lambda: macs_per_pixel(SPEC)], ids=["build", "macs"]
)
def test_the_global_random_state_is_left_alone(call: Callable[[], object]) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(4)
    torch.manual_seed(5)
    call()
    assert torch.equal(torch.rand(4), wanted)


@torch.no_grad()
def test_the_cost_is_what_hooks_count() -> None:
    model = build_network(SPEC).eval()
    counted = dict.fromkeys(("g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s"), 0.0)

    def count(layer: nn.Module, _: object, out: Tensor, name: str) -> None:
        assert isinstance(layer, IntConv2d)
        counted[name] += out.numel() * layer.weight[0].numel() / SIDE**2

    for path, layer in model.named_modules():
        if isinstance(layer, IntConv2d):
            name = path.split(".")[0]
            layer.register_forward_hook(lambda m, i, o, name=name: count(m, i, o, name))
    model(torch.zeros(1, 3, SIDE, SIDE), torch.tensor([0]))
    assert macs_per_pixel(SPEC) == pytest.approx(counted)


@pytest.mark.parametrize("shape", [(2, 1, 1), (6, 3, 5), (320, 4, 4)])
def test_each_position_codes_half_of_its_base_first(shape: tuple[int, int, int]) -> None:
    mask = first_step_mask(torch.empty(1, *shape))
    assert mask.shape == shape
    assert (mask.sum(0) == shape[0] // 2).all()
    assert bool(mask[0, 0, 0])
    # Neighbours in every direction are coded in the other step.
    for axis in range(3):
        pairs = mask.narrow(axis, 1, shape[axis] - 1) ^ mask.narrow(axis, 0, shape[axis] - 1)
        assert pairs.all()


class _Probe:
    """Runs a network on latents of our choice and keeps what its entropy model says of them."""

    def __init__(self, model: Codec) -> None:
        self.model = model
        self.y = torch.empty(0)
        self.seen: dict[str, Tensor] = {}
        self.hooks = [model.g_a.register_forward_hook(lambda *_: self.y)]
        # z is sent before all steps, whatever the latents are.
        z = torch.arange(SPEC.hyper).reshape(1, -1, 1, 1) % 9.0 - 4.0
        self.hooks.append(model.h_a.register_forward_hook(lambda *_: z))
        for name in ("h_s", "g_cp", "g_ep"):
            module = getattr(model, name)
            self.hooks.append(module.register_forward_hook(self._keeper(name)))

    def _keeper(self, name: str) -> Callable[..., None]:
        def keep(_: nn.Module, __: object, out: tuple[Tensor, ...]) -> None:
            mean, index = out[-2:]
            self.seen |= {f"{name}.mean": mean, f"{name}.index": index}

        return keep

    @torch.no_grad()
    def run(self, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        self.y, self.seen = y, {}
        out = self.model(torch.zeros(1, 3, SIDE, SIDE), torch.tensor([4]))
        return self.seen, out.x_hat


@pytest.fixture
def probe(tiny_model: Codec) -> Iterator[_Probe]:
    made = _Probe(tiny_model)
    yield made
    for hook in made.hooks:
        hook.remove()


@pytest.mark.parametrize("quantized", [False, True])
def test_later_latents_never_change_what_earlier_ones_are_coded_with(
    probe: _Probe, quantized: bool
) -> None:
    probe.model.quantize(quantized)
    try:
        generator = torch.Generator().manual_seed(0)
        shape = (1, SPEC.latents, SIDE // BLOCK, SIDE // BLOCK)
        y = torch.randn(shape, generator=generator) * 30
        other = y.flip(1) + 20
        first = torch.zeros(shape[1:], dtype=torch.bool)
        first[: SPEC.base] = first_step_mask(y[:, : SPEC.base])
        base = torch.zeros_like(first)
        base[: SPEC.base] = True
        before, picture = probe.run(y)
        names = ("h_s", "g_cp", "g_ep")
        assert before.keys() == {f"{n}.{part}" for n in names for part in ("mean", "index")}

        def changed(mask: Tensor) -> set[str]:
            after, moved = probe.run(torch.where(mask, other, y))
            assert not torch.equal(picture, moved)
            return {name for name in before if not torch.equal(before[name], after[name])}

        g_cp, g_ep = {"g_cp.mean", "g_cp.index"}, {"g_ep.mean", "g_ep.index"}
        assert changed(~base) == set()
        assert changed(base & ~first) == g_ep
        # The control: the first step's latents are what the others are predicted from.
        assert changed(first) == g_cp | g_ep
    finally:
        probe.model.quantize(False)


def test_lambdas_double_and_steps_follow() -> None:
    lambdas = quality_lambdas(4)
    assert lambdas == pytest.approx([0.001, 0.002, 0.004, 0.008])
    assert initial_step(0.001) / initial_step(0.004) == pytest.approx(2.0)
