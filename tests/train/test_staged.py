"""Trainings of the coarse-to-fine networks: the published stages, on a network of few widths."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from c3d_export.core.errors import CheckpointError, DivergedError, OptionError  # noqa: E402
from c3d_export.models.c2f.network import build_network  # noqa: E402
from c3d_export.models.c2f.presets import LAMBDAS, mse_lambda  # noqa: E402
from c3d_export.models.c2f.scaffold import Scaffold  # noqa: E402
from c3d_export.models.c2f.spec import C2FSpec, LevelSpec, ReconstructionSpec  # noqa: E402
from c3d_export.train.crops import Pool  # noqa: E402
from c3d_export.train.schedules import SCHEDULES, STAGES  # noqa: E402
from c3d_export.train.staged import StagedConfig, StagedTrainer, Step  # noqa: E402

_LEVEL = LevelSpec(4, (4, 4, 4), (4, 4, 4), 8, (4, 4, 4))
SPEC = C2FSpec("c2f-tiny", 8, (8, 8, 8), (8, 8, 8), _LEVEL, _LEVEL,
               ReconstructionSpec((8, 8, 8), (8, 8), (6, 4)))  # fmt: skip


@pytest.fixture
def pools(make_frame) -> list[Pool]:  # type: ignore[no-untyped-def]
    return [Pool("test", [make_frame(96, 96, seed) for seed in range(2)])]


def _config(steps: int, **changes: object) -> StagedConfig:
    given = {"schedule": "app-specific-tune", "distortion": "mse", "weight": mse_lambda(6)}
    return StagedConfig(steps=steps, **{"batch": 2, "crop": 64, **given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("z1", [True, False], ids=["z1", "without-z1"])
def test_the_loss_falls(pools: list[Pool], z1: bool) -> None:
    spec = SPEC if z1 else SPEC.without_z1()
    steps: list[Step] = []
    # Published is 1e-4, for hundreds of thousands of steps.
    config = _config(30, learning_rate=1e-2)
    network = StagedTrainer(build_network(spec), config, pools).run(report=steps.append)
    losses = [step.loss for step in steps]
    assert sum(losses[-8:]) < 0.9 * sum(losses[:8])
    assert not network.training


def test_all_stages_are_passed_in_turn(pools: list[Pool]) -> None:
    steps: list[Step] = []
    config = _config(25, batch=1, schedule="app-specific")
    trainer = StagedTrainer(build_network(SPEC), config, pools)
    before = trainer.network.state_dict()["h_a1.6.bias"].clone()
    for _ in range(9):
        steps.append(trainer.step())
    assert torch.equal(trainer.network.state_dict()["h_a1.6.bias"], before)
    trainer.run(report=steps.append)
    assert [step.stage for step in steps] == [1] * 10 + [2] * 2 + [3] * 1 + [4] * 12
    assert not torch.equal(trainer.network.state_dict()["h_a1.6.bias"], before)


def test_a_base_by_squared_error(pools: list[Pool]) -> None:
    """Half of the steps; then MS-SSIM, whose error is below 1."""
    config = _config(2, batch=1, crop=192, distortion="ms-ssim", weight=10.0, base=0.01)
    trainer = StagedTrainer(build_network(SPEC), config, pools)
    first, second = trainer.step(), trainer.step()
    assert first.error > 50
    assert 0 < second.error <= 1
    assert second.loss == pytest.approx(second.bpp + 10.0 * second.error, rel=1e-4)


def test_parts_that_train_in_each_stage() -> None:
    scaffold = Scaffold(build_network(SPEC))
    names = {id(p): name for name, p in scaffold.named_parameters()}
    parts = [{names[id(p)].removeprefix("network.").split(".")[0] for p in scaffold.trained(s)}
             for s in STAGES]  # fmt: skip
    assert {"h_a1", "h_s1", "predictor2", "reconstruction"}.isdisjoint(parts[0])
    assert {"g_a", "g_s", "picture", "project3", "z2_scale", "predictor3"} <= parts[0]
    assert parts[1] - parts[0] == {"h_a1", "h_s1", "predictor2"}
    assert parts[2] - parts[1] == {"reconstruction"}
    assert parts[3] == parts[2]


@pytest.mark.parametrize("stage", STAGES, ids=lambda s: f"stage-{s.number}")
def test_stages_compute_what_they_say(stage) -> None:  # type: ignore[no-untyped-def]
    scaffold = Scaffold(build_network(SPEC)).train()
    frame = torch.rand(1, 3, 64, 64) * 255
    out = scaffold(frame, stage)
    assert out.x_hat.shape == frame.shape
    assert out.bits.shape == (1,)
    (out.bits.sum() + out.x_hat.square().sum() + out.helping).backward()
    with_gradient = [n for n, p in scaffold.named_parameters() if p.grad is not None]
    moved = {name.removeprefix("network.").split(".")[0] for name in with_gradient}
    assert ("reconstruction" in moved) == stage.reconstruction
    assert ("picture" in moved) != stage.reconstruction
    assert ("h_a1" in moved) == ("top_scale" in moved) == stage.coarse
    assert ("z2_scale" in moved) != stage.coarse
    assert ("project3" in moved) == stage.helping == (float(out.helping.detach()) > 0)
    assert ("project2" in moved) == (stage.helping and stage.coarse)


@pytest.mark.parametrize("stop", [4, 5, 6])
def test_a_resumed_run_gives_the_same_numbers(pools: list[Pool], tmp_path: Path, stop: int) -> None:
    """Also where a stage begins (after 5 of 12 steps)."""
    config = _config(12, schedule="app-specific")
    whole = StagedTrainer(build_network(SPEC), config, pools)
    numbers = [whole.step() for _ in range(stop + 2)]
    part = StagedTrainer(build_network(SPEC), config, pools)
    for _ in range(stop):
        part.step()
    path = tmp_path / "run.safetensors"
    part.save(path)
    resumed = StagedTrainer.resume(path, pools)
    assert [resumed.step() for _ in range(2)] == numbers[stop:]


def test_files_that_are_no_run(pools: list[Pool], model_file: Path) -> None:
    with pytest.raises(CheckpointError, match="no training of a published"):
        StagedTrainer.resume(model_file, pools)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    from c3d_export.models.c2f.saving import save

    save(tmp_path / "model.safetensors", build_network(SPEC), {})
    return tmp_path / "model.safetensors"


def test_a_diverged_training_says_so(pools: list[Pool]) -> None:
    network = build_network(SPEC)
    with torch.no_grad():
        network.reconstruction.pixels.bias.fill_(float("inf"))
    with pytest.raises(DivergedError, match="step 1"):
        StagedTrainer(network, _config(2), pools).step()


@pytest.mark.parametrize(
    "changes",
    [{"schedule": "fast"}, {"steps": 0}, {"crop": 100}, {"batch": -1}, {"distortion": "ssim"},
     {"weight": 0.0}, {"distortion": "ms-ssim"}],
)  # fmt: skip
def test_bad_settings_are_refused(changes: dict[str, object]) -> None:
    given = {"schedule": "app-specific", "steps": 2, "distortion": "mse", "weight": 1.0, "crop": 64}
    with pytest.raises(OptionError):
        StagedConfig(**{**given, **changes})  # type: ignore[arg-type]


def test_published_schedules() -> None:
    hu = SCHEDULES["coarse-to-fine"]
    numbers = [hu.stage(epoch / 5500).number for epoch in (0, 999, 1000, 1200, 1300, 5499)]
    assert numbers == [1, 1, 2, 3, 4, 4]
    rates = [hu.rate(epoch / 5500) for epoch in (0, 3899, 3900, 4400, 4650, 4900)]
    assert rates == [1e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5, 6.25e-6]
    assert SCHEDULES["app-specific-tune"].stage(0.0).number == 4
    assert SCHEDULES["app-specific"].rate(0.99) == 1e-4
    assert list(LAMBDAS) == sorted(LAMBDAS)
    assert mse_lambda(7) == pytest.approx(0.04)
    for quality in (0, 11):
        with pytest.raises(IndexError):
            mse_lambda(quality)
