"""A teacher: what it adds to the loss, whom it may teach, and that a resumed run has the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from c3d_export.core.errors import OptionError
from c3d_export.models.klt import initialize_from_frames
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import StageSpec
from c3d_export.train.checkpoint import save_model
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool, sample_batch
from c3d_export.train.loop import Trainer, distortion
from c3d_export.train.service import TrainingFrames, resume_run, start_run
from c3d_export.train.teacher import Teacher, check_teacher

QUALITY = torch.tensor([0, 1])


@pytest.fixture
def teacher(make_nano: Callable[[], Codec], pools: list[Pool], tmp_path: Path) -> Teacher:
    """Wider than the student, and with a picture of its own."""
    wide = StageSpec(16, (16, 16), 24, (24,))
    network = build_network(replace(make_nano().spec, name="wide", g_a=wide, g_s=wide))
    frames = [torch.from_numpy(frame) for frame in pools[0].frames]
    initialize_from_frames(network, frames, [1.0] * len(frames))
    with torch.no_grad():
        network.g_s.pixels.weight *= 0.9
    save_model(tmp_path / "teacher", network, {})
    return Teacher.of(network, tmp_path / "teacher")


def test_its_picture_is_what_it_decodes(teacher: Teacher, pools: list[Pool]) -> None:
    frame = sample_batch(pools, 2, 64, 0, 0)
    picture = teacher.picture(frame, QUALITY)
    assert not picture.requires_grad
    assert teacher.network.quantized
    assert torch.equal(picture, teacher.network(frame, QUALITY).x_hat + 128.0)
    assert 2.0 < float((picture - frame).abs().mean()) < 60.0


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_the_error_is_shared_between_frame_and_teacher(
    make_nano: Callable[[], Codec], pools: list[Pool], teacher: Teacher, weight: float
) -> None:
    config = TrainConfig(1, 2, 64, precision="float32", teacher_weight=weight)
    trainer = Trainer(make_nano(), config, pools, None, teacher)
    frame = sample_batch(pools, 2, 64, 0, 0)
    output = trainer.model(frame, QUALITY)
    output.x_hat.retain_grad()
    mse = distortion(output, frame)
    trainer._distilled(mse, output, frame, QUALITY).sum().backward()
    target = (1 - weight) * frame + weight * teacher.picture(frame, QUALITY)
    wanted = 2 * (output.x_hat.detach() + 128.0 - target) / frame[0].numel()
    assert output.x_hat.grad is not None
    assert torch.allclose(output.x_hat.grad, wanted, rtol=1e-3, atol=1e-6)


def test_a_student_comes_near_to_its_teacher(
    make_nano: Callable[[], Codec], pools: list[Pool], teacher: Teacher
) -> None:
    frame = sample_batch(pools, 2, 64, seed=5, step=0)
    before = {name: value.clone() for name, value in teacher.network.state_dict().items()}

    def distance(weight: float) -> float:
        config = TrainConfig(20, 2, 64, learning_rate=0.1, warmup=3, teacher_weight=weight,
                             precision="float32")  # fmt: skip
        model = Trainer(make_nano(), config, pools, None, teacher).run()
        with torch.no_grad():
            x_hat = model(frame, QUALITY).x_hat + 128.0
        return float((x_hat - teacher.picture(frame, QUALITY)).square().mean())

    assert distance(1.0) < 0.9 * distance(0.0)
    assert all(torch.equal(before[k], v) for k, v in teacher.network.state_dict().items())


@pytest.mark.parametrize(("what", "value"), [("latents", 20), ("base", 10), ("qualities", 3)])
def test_another_family_is_refused(make_nano: Callable[[], Codec], what: str, value: int) -> None:
    own = make_nano().spec
    other = own.from_json({**own.to_json(), what: value})
    with pytest.raises(OptionError, match=f"{what} {value} instead of"):
        check_teacher(other, own)
    check_teacher(replace(own, h_a=16, g_ep=24), own)


def test_a_run_goes_on_with_the_same_teacher_only(
    make_nano: Callable[[], Codec], pools: list[Pool], teacher: Teacher, tmp_path: Path
) -> None:
    frames = TrainingFrames(pools, "digest", ())
    config = TrainConfig(4, 2, 64, warmup=1, teacher_weight=0.5, precision="float32")
    whole = Trainer(make_nano(), config, pools, None, teacher)
    whole.run()
    begun = start_run(tmp_path, make_nano(), config, frames, False, teacher)
    begun.model.train()
    for _ in range(2):
        begun.train_step()
    begun.save()
    for other in (None, replace(teacher, digest="other")):
        with pytest.raises(OptionError, match="another --teacher"):
            resume_run(tmp_path, frames, other)
    resumed = resume_run(tmp_path, frames, teacher)
    resumed.run()
    wanted = whole.model.state_dict()
    assert all(torch.equal(wanted[k], v) for k, v in resumed.model.state_dict().items())
