"""Trainings of mbt2018 and mbt2018-mean by the study's schedule, on networks of few widths."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from c3d_export.core.errors import OptionError  # noqa: E402
from c3d_export.models.families import family_of  # noqa: E402
from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network  # noqa: E402
from c3d_export.models.mbt.spec import uniform_spec  # noqa: E402
from c3d_export.train.crops import Pool  # noqa: E402
from c3d_export.train.objectives import published  # noqa: E402
from c3d_export.train.schedules import SCHEDULES, WHOLE  # noqa: E402
from c3d_export.train.staged import StagedConfig, StagedTrainer, Step  # noqa: E402


@pytest.fixture(params=["mbt2018-mean", "mbt2018"])
def network(request: pytest.FixtureRequest) -> MeanScaleHyperprior:
    return build_network(uniform_spec("tiny", request.param, 8, 12))


@pytest.fixture
def pools(make_frame) -> list[Pool]:  # type: ignore[no-untyped-def]
    return [Pool("test", [make_frame(96, 96, seed) for seed in range(2)])]


def _config(steps: int, **changes: object) -> StagedConfig:
    given = {"schedule": "study", "distortion": "mse", "weight": published("mse", 4).weight}
    return StagedConfig(steps=steps, **{"batch": 2, "crop": 64, **given, **changes})  # type: ignore[arg-type]


def test_the_loss_falls(network: MeanScaleHyperprior, pools: list[Pool]) -> None:
    steps: list[Step] = []
    # Published is 1e-4, for hundreds of thousands of steps.
    trained = StagedTrainer(network, _config(40, learning_rate=1e-2), pools).run(
        report=steps.append
    )
    losses = [step.loss for step in steps]
    assert sum(losses[-8:]) < 0.5 * sum(losses[:8])
    assert trained is network
    assert not trained.training
    assert {step.stage for step in steps} == {WHOLE.number}


def test_a_resumed_run_gives_the_same_numbers(
    network: MeanScaleHyperprior, pools: list[Pool], tmp_path: Path
) -> None:
    config = _config(6)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    whole = StagedTrainer(network, config, pools)
    numbers = [whole.step() for _ in range(5)]
    again = build_network(network.spec)
    again.load_state_dict(state)
    part = StagedTrainer(again, config, pools)
    for _ in range(3):
        part.step()
    part.save(tmp_path / "run.safetensors")
    resumed = StagedTrainer.resume(tmp_path / "run.safetensors", pools)
    assert [resumed.step() for _ in range(2)] == numbers[3:]
    for name, tensor in resumed.network.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name


def test_ms_ssim_after_a_base(network: MeanScaleHyperprior, pools: list[Pool]) -> None:
    """Half by squared error, in hundreds; then MS-SSIM, whose error is below 1."""
    weight = published("ms-ssim", 4).weight
    config = _config(2, batch=1, crop=192, distortion="ms-ssim", weight=weight, base=0.013)
    trainer = StagedTrainer(network, config, pools)
    before = network.g_s[6].weight.detach().clone()
    first = trainer.step()
    middle = network.g_s[6].weight.detach().clone()
    second = trainer.step()
    assert first.error > 50
    assert 0 < second.error <= 1
    assert second.loss == pytest.approx(second.bpp + weight * second.error, rel=1e-4)
    assert not torch.equal(before, middle)
    assert not torch.equal(middle, network.g_s[6].weight)


def test_the_quantiles_have_a_loss_of_their_own(
    network: MeanScaleHyperprior, pools: list[Pool]
) -> None:
    """It is not in what is reported, moves nothing else, and no clipping slows it."""
    scaffold = family_of(network).scaffold(network).train()
    frame = torch.rand(1, 3, 64, 64) * 255
    out = scaffold(frame, WHOLE)
    out.auxiliary.backward(retain_graph=True)
    quantiles = network.entropy_bottleneck.quantiles
    moved = [name for name, p in network.named_parameters() if p.grad is not None]
    assert moved == ["entropy_bottleneck.quantiles"]
    alone = quantiles.grad.clone()
    (out.bits.sum() + out.x_hat.square().sum()).backward()
    assert torch.equal(quantiles.grad, alone)

    trainer = StagedTrainer(network, _config(1, batch=1), pools)
    trainer.step()
    gradients = [p.grad for p in network.parameters() if p is not quantiles]
    norm = torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt()
    assert float(norm) == pytest.approx(SCHEDULES["study"].clip, rel=1e-3)
    assert torch.equal(quantiles.grad, alone)


def test_what_the_study_says() -> None:
    config = StagedConfig("study", 10, "mse", 0.013)
    assert (config.side, config.plan.learning_rate, config.plan.clip) == (512, 1e-4, 1.0)
    assert config.plan.rate(0.99) == 1e-4


def test_stages_are_of_the_other_family(network: MeanScaleHyperprior, pools: list[Pool]) -> None:
    with pytest.raises(OptionError, match="coarse-to-fine"):
        StagedTrainer(network, _config(2, schedule="app-specific"), pools)
