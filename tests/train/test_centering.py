"""Centres and gains are changes of units: what a network computes stays the same."""

from __future__ import annotations

import pytest
import torch

from c3d_export.models.network import Codec
from c3d_export.train.centering import fold_centers, input_means, recenter, unfold_gains

FRAME = torch.arange(3 * 64 * 64).reshape(1, 3, 64, 64) % 251.0
QUALITY = torch.tensor([1])


@pytest.fixture
def model(noisy_nano: Codec) -> Codec:
    return noisy_nano


@torch.no_grad()
def _outputs(model: Codec) -> list[torch.Tensor]:
    out = model(FRAME, QUALITY)
    return [out.x_hat, out.bits_y, out.bits_z]


def _assert_like(model: Codec, before: list[torch.Tensor]) -> None:
    for one, other in zip(_outputs(model), before, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=0.05)


def test_gains_are_set_once_and_change_units_only(model: Codec) -> None:
    before, weight = _outputs(model), model.g_ep.mean.weight.detach().clone()
    unfold_gains(model, FRAME)
    assert not torch.equal(model.g_ep.mean.weight, weight)
    _assert_like(model, before)
    gain = model.g_ep.mean.gain
    assert gain is not None
    steps = model.log_step.mean(0).exp()
    assert torch.allclose(gain, 0.1 * steps[model.spec.base :])
    colour = model.h_s.mean.gain
    assert colour is not None
    spread = model.g_a(FRAME - 128.0).detach().std((0, 2, 3))
    wanted = torch.maximum(0.1 * steps, spread / 30.0)[: model.spec.base].detach()
    assert torch.allclose(colour, wanted)
    assert (spread / 30.0 > 0.1 * steps)[: model.spec.base].any(), "some spread over many steps"
    unfolded = model.g_ep.mean.weight.detach().clone()
    with torch.no_grad():
        model.log_step += 1
    unfold_gains(model, FRAME)
    assert torch.equal(model.g_ep.mean.weight, unfolded), "a resumed run keeps its units"


def test_folding_brings_the_kept_form_back(model: Codec) -> None:
    before = _outputs(model)
    unfold_gains(model, FRAME)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    recenter(model, input_means(model, lambda: _outputs(model)), average)
    _assert_like(model, before)
    fold_centers(model)
    for name, buffer in model.state_dict().items():
        if name.endswith((".center", ".gain")):
            assert (buffer == (0.0 if name.endswith("center") else 1.0)).all(), name
    _assert_like(model, before)


@pytest.mark.parametrize("quantized", [False, True])
def test_centres_move_without_a_change_of_the_function(model: Codec, quantized: bool) -> None:
    """Of the weights and of their average, which are rounded each on its own grid."""
    unfold_gains(model, FRAME)
    model.quantize(quantized)
    with torch.no_grad():
        other = {name: 1.03 * value for name, value in model.state_dict().items()}
    kept = Codec(model.spec).eval()
    kept.load_state_dict(other | {n: b for n, b in model.state_dict().items() if "gain" in n})
    kept.quantize(quantized)
    average = {name: value.clone() for name, value in kept.state_dict().items()}
    before = [_outputs(m)[0] for m in (model, kept)]
    recenter(model, input_means(model, lambda: _outputs(model)), average)
    kept.load_state_dict(average)
    for picture, m in zip(before, (model, kept), strict=True):
        assert any(bool(b.any()) for n, b in m.named_buffers() if n.endswith("center"))
        assert float((_outputs(m)[0] - picture).abs().mean()) < 0.02
