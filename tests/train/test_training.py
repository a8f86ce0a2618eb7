"""Training: it learns, and a resumed run reaches the bits of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from c3d_export.core.errors import DivergedError
from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import Codec, quality_lambdas
from c3d_export.train.checkpoint import load_model
from c3d_export.train.config import Progress
from c3d_export.train.crops import Pool, sample_batch
from c3d_export.train.decay import DECAYS
from c3d_export.train.loop import Trainer, distortion

MakeTrainer = Callable[..., Trainer]


@torch.no_grad()
def _cost(model: Codec, frame: Tensor) -> float:
    """Mean of lambda * MSE + bpp over both rate points, without noise."""
    model.eval()
    quality = torch.arange(len(frame)) % model.spec.qualities
    out = model(frame, quality)
    bpp = (out.bits_y + out.bits_z) / (frame.shape[2] * frame.shape[3])
    lambdas = torch.tensor(quality_lambdas(model.spec.qualities))
    return float((lambdas[quality] * distortion(out, frame) + bpp).mean())


def _state(trainer: Trainer) -> dict[str, Tensor]:
    moments = {
        f"optimizer.{name}.{key}": value
        for name, p in trainer.model.named_parameters()
        for key, value in trainer.optimizer.state[p].items()
    }
    average = {f"average.{k}": v for k, v in trainer.average.items()}
    return {**trainer.model.state_dict(), **average, **moments, **trainer.balance.tensors()}


def _assert_same(one: Trainer, other: Trainer) -> None:
    first, second = _state(one), _state(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    # Sums depend on the order in memory.
    strides = [{n: t.stride() for n, t in state.items()} for state in (first, second)]
    assert strides[0] == strides[1]


def test_the_loss_falls(make_trainer: MakeTrainer, pools: list[Pool]) -> None:
    trainer = make_trainer(steps=30, learning_rate=0.05)
    frame = sample_batch(pools, 4, 64, seed=5, step=0)
    before = _cost(trainer.model, frame)
    trained = trainer.run()
    assert trainer.step == 30
    assert _cost(trained, frame) < 0.97 * before


@pytest.mark.parametrize("quantize_from", [1 << 30, 2])
def test_resuming_reaches_the_same_bits(
    make_trainer: MakeTrainer, pools: list[Pool], tmp_path: Path, quantize_from: int
) -> None:
    whole = make_trainer(quantize_from=quantize_from)
    whole.run()
    path = tmp_path / "run.safetensors"
    begun = make_trainer(path, quantize_from=quantize_from)
    begun.model.train()
    for _ in range(3):
        begun.train_step()
    begun.save()
    torch.manual_seed(99)
    resumed = Trainer.resume(path, pools)
    assert (resumed.step, resumed.config) == (3, begun.config)
    _assert_same(resumed, begun)
    resumed.run()
    _assert_same(resumed, whole)


def test_means_between_two_reports_survive_a_stop(
    make_trainer: MakeTrainer, pools: list[Pool], tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    whole, begun = make_trainer(), make_trainer(path, save_every=2)
    whole.run(every=3)
    begun.save = _die_after(begun, 4)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        begun.run(every=3)
    resumed = Trainer.resume(path, pools)
    assert resumed.step == 4
    resumed.run(every=3)
    assert [entry["step"] for entry in whole.history] == [3, 6]
    assert resumed.history == whole.history


def _die_after(trainer: Trainer, step: int) -> Callable[[], None]:
    save = trainer.save

    def dying() -> None:
        save()
        if trainer.step == step:
            raise KeyboardInterrupt

    return dying


def test_another_seed_gives_another_network(make_trainer: MakeTrainer) -> None:
    first, second = (make_trainer(steps=2, seed=seed).run() for seed in (0, 1))
    assert not torch.equal(first.g_s.pixels.weight, second.g_s.pixels.weight)


def test_what_is_kept_is_the_average_of_the_weights(
    make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    trainer = make_trainer(path)
    trained = trainer.run()
    assert not trained.training
    assert not torch.equal(trained.g_s.pixels.weight, trainer.model.g_s.pixels.weight)
    loaded = load_model(path)
    wanted = trained.state_dict()
    assert all(torch.equal(wanted[name], t) for name, t in loaded.state_dict().items())


@pytest.mark.parametrize("quantize_from", [1 << 30, 0])
def test_the_network_that_is_kept_needs_no_centres(
    make_trainer: MakeTrainer, pools: list[Pool], quantize_from: int
) -> None:
    """In the integer simulation, rounded weights must not see another centre than in training."""
    trainer = make_trainer(steps=3, quantize_from=quantize_from)
    kept = trainer.run()
    layers = [m for m in kept.modules() if isinstance(m, IntConv2d)]
    assert not any(layer.center.any() for layer in layers)
    unfolded = Codec(kept.spec)
    unfolded.load_state_dict(trainer.average)
    unfolded.quantize(kept.quantized)
    frame = sample_batch(pools, 2, 64, 0, 0)
    with torch.no_grad():
        pictures = [m.eval()(frame, torch.tensor([0, 1])).x_hat for m in (kept, unfolded)]
    assert float((pictures[0] - pictures[1]).abs().mean()) < 1e-2


def test_progress_and_saves_come_at_their_steps(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    seen: list[Progress] = []
    trainer = make_trainer(path, steps=5, save_every=2)
    trainer.run(seen.append, every=2)
    assert [p.step for p in seen] == [2, 4, 5]
    assert all(p.bpp > 0 and p.psnr > 5 and p.seconds_left >= 0 for p in seen)
    assert [entry["step"] for entry in trainer.history] == [2, 4, 5]
    each = make_trainer(steps=5)
    each.run(every=1)
    rates = [entry["bpp"] for entry in each.history]
    means = [sum(rates[:2]) / 2, sum(rates[2:4]) / 2, rates[4]]
    assert [entry["bpp"] for entry in trainer.history] == pytest.approx(means)
    assert Trainer.resume(path, trainer.pools).step == 5


def test_every_parameter_learns(make_trainer: MakeTrainer) -> None:
    """A parameter outside of the loss would be shipped as it was drawn."""
    trainer = make_trainer(steps=4)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.run()
    still = [n for n, p in trainer.model.named_parameters() if torch.equal(before[n], p)]
    assert still == []


@pytest.mark.parametrize("decay", DECAYS)
def test_the_learning_rate_rises_and_fades(make_trainer: MakeTrainer, decay: str) -> None:
    trainer = make_trainer(steps=100, warmup=10, learning_rate=0.1, decay=decay)
    rates = []
    for step in range(101):
        trainer.step = step
        rates.append(trainer.learning_rate())
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(0.1, rel=0.1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    middle = {"cosine": 0.05, "linear": 0.05, "late": 0.1}
    assert rates[50] == pytest.approx(middle[decay], rel=0.01)


def test_a_loss_that_has_left_the_range_of_numbers_ends_it(make_trainer: MakeTrainer) -> None:
    with pytest.raises(DivergedError, match=r"the loss is .*; choose a lower --learning-rate"):
        make_trainer(steps=20, warmup=1, learning_rate=1e30).run()


def test_weights_that_are_not_finite_are_no_network(
    make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """Neither are they a checkpoint. The loss of the last step does not tell of them."""
    trainer = make_trainer(tmp_path / "run.safetensors", steps=1)
    next(iter(trainer.average.values())).fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite at step 1"):
        trainer.run()
    assert not list(tmp_path.iterdir())
