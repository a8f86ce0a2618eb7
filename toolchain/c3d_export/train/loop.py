"""The training loop: rate-distortion optimisation of one network at all its rate points.

Loss of a frame at rate point q: lambda_q * MSE + bpp, MSE in grey levels (that is lambda * 255^2
times the MSE of frames in 0..1), divided by what is usual (`train/balance.py`).
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, DivergedError
from ..core.heap import keep_freed_memory
from ..models.network import Codec, Output, quality_lambdas
from ..models.noise import rows_of
from ..models.picture import squared_error
from .ahead import Ahead
from .balance import Balance
from .centering import fold_centers, input_means, recenter, unfold_gains
from .checkpoint import (
    Checkpoint,
    load_checkpoint,
    model_tensors,
    restore_model,
    save_checkpoint,
)
from .config import Progress, Report, TrainConfig
from .crops import Crops, Cut, Pool, cut_crops
from .decay import DECAYS
from .optimizer import MuonAdam, laid_out, layer_factors, make_optimizer, set_learning_rate
from .parallel import ALONE, Group
from .ranges import fill_ranges
from .revive import revive
from .teacher import Teacher

RECENTER_FIRST = (0, 10, 30, 100, 200)
RECENTER_EVERY = 500
"""Steps at which activations are centred again: often while they still move."""


_OTHERWISE = "choose a lower --learning-rate or another --seed"


def distortion(output: Output, frame: Tensor) -> Tensor:
    """(B,) mean squared error in grey levels, before clipping (so that the gradient stays)."""
    return squared_error(output.x_hat, frame)


def _recenters(step: int) -> bool:
    return step in RECENTER_FIRST or step % RECENTER_EVERY == 0


class Trainer:
    """Holds everything that a checkpoint holds; `run` advances it."""

    def __init__(
        self,
        model: Codec,
        config: TrainConfig,
        pools: list[Pool],
        path: Path | None,
        teacher: Teacher | None = None,
        group: Group = ALONE,
    ) -> None:
        self.model = model.to(config.device)
        self.group, self.rows = group, group.rows(config.batch)
        self.teacher = teacher
        if teacher is not None:
            teacher.network.to(config.device)
        self.config, self.pools, self.path = config, pools, path
        self._ahead = Ahead(self._cut)
        unfold_gains(self.model, self._cut(0).on(config.device).pixels)
        group.take_first(list(self.model.state_dict().values()))
        self.factors = layer_factors(model)
        self.optimizer = self._make_optimizer()
        self.average = {k: v.clone() for k, v in model_tensors(model, "").items()}
        lambdas = quality_lambdas(model.spec.qualities)
        self.lambdas = torch.tensor(lambdas, device=config.device)
        frames = sum(len(pool.frames) for pool in pools)
        self.balance = Balance(model.spec.qualities, frames, config.memory, config.device)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._sums = [0.0, 0.0, 0.0]

    def _cut(self, step: int) -> Cut:
        c = self.config
        rows = None if self._needs_all(step) else self.rows
        return cut_crops(self.pools, c.batch, c.crop, c.seed, step, rows)

    def _needs_all(self, step: int) -> bool:
        """Whether a step begins with what looks at the crops of all processes."""
        return _recenters(step) or step == self.config.quantize_from

    def _agree(self) -> None:
        """All processes go on from the numbers of the first: hosts differ in their last bits."""
        self.group.take_first([*self.model.state_dict().values(), *self.average.values()])

    def _make_optimizer(self) -> MuonAdam:
        dtype = torch.bfloat16 if self.config.precision == "bfloat16" else torch.float32
        return make_optimizer(self.model, self.factors, dtype)

    @staticmethod
    def resume(
        path: Path, pools: list[Pool], teacher: Teacher | None = None, group: Group = ALONE
    ) -> Trainer:
        """Continues a run to the numbers that it would have reached uninterrupted."""
        checkpoint = load_checkpoint(path)
        model = restore_model(checkpoint)
        try:
            config = TrainConfig(**checkpoint.state["config"])
            trainer = Trainer(model, config, pools, path, teacher, group)
            trainer._restore(checkpoint)
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} holds a network and no training run ({error}); start a new one from it"
            ) from error
        return trainer

    def _restore(self, checkpoint: Checkpoint) -> None:
        state, tensors = checkpoint.state, checkpoint.tensors
        self.step, self.history, self._sums = state["step"], state["history"], state["sums"]
        self.factors = state["factors"]
        self.optimizer = self._make_optimizer()
        self.balance.restore(tensors)
        self.average = {
            name: laid_out(tensors[f"average.{name}"], value)
            for name, value in self.model.state_dict().items()
        }
        self.optimizer.restore(tensors)
        self.group.check_same(self.step, "their checkpoint")

    def _check_weights(self) -> None:
        """What is kept is finite: neither a checkpoint nor a network takes the place of a good one
        otherwise. The last step's loss does not tell."""
        if not all(bool(value.isfinite().all()) for value in self.average.values()):
            raise DivergedError(f"the weights are not finite at step {self.step}; {_OTHERWISE}")

    def save(self) -> None:
        """The first process writes the checkpoint, if there is a path; raises DiskError."""
        if self.path is None or not self.group.leads:
            return
        tensors = model_tensors(self.model)
        tensors.update({f"average.{k}": v for k, v in self.average.items()})
        tensors.update(self.optimizer.tensors())
        tensors.update(self.balance.tensors())
        on_host = {name: tensor.cpu() for name, tensor in tensors.items()}
        save_checkpoint(self.path, Checkpoint(self._state(), on_host))

    def _state(self) -> dict[str, Any]:
        return {
            "spec": self.model.spec.to_json(),
            "config": asdict(self.config),
            "step": self.step,
            "factors": self.factors,
            "history": self.history,
            "sums": self._sums,
        }

    def learning_rate(self) -> float:
        c = self.config
        fade = DECAYS[c.decay](self.step / c.steps)
        return c.learning_rate * min(1.0, (self.step + 1) / c.warmup) * fade

    def _qualities(self) -> Tensor:
        count = self.model.spec.qualities
        start = self.step * self.config.batch
        order = torch.arange(start, start + self.config.batch, device=self.config.device)
        return order % count

    def _loss(self, crops: Crops) -> tuple[Tensor, Tensor]:
        """Of this process's crops the loss, and of all crops (3, B) loss ratios, bpp and MSE."""
        rows = slice(self.rows.start, self.rows.stop)
        frame = crops.pixels[rows] if self._needs_all(self.step) else crops.pixels
        qualities = self._qualities()
        quality = qualities[rows]
        with rows_of(self.rows, self.config.batch):
            output = self._run(frame, quality)
        mse = distortion(output, frame)
        pixels = frame.shape[2] * frame.shape[3]
        bpp = (output.bits_y + output.bits_z) / pixels
        # A hyperprior that costs bits before it is of use is switched off for good.
        ramp = min(1.0, (self.step + 1) / max(1, self.config.hyper_warmup))
        error = self._distilled(mse, output, frame, quality)
        loss = self.lambdas[quality] * error + (output.bits_y + ramp * output.bits_z) / pixels
        figures = self.group.gathered(torch.stack([loss, bpp, mse]).detach())
        divisors = self.balance.divisors(figures[0], qualities, crops.frames)
        figures[0] /= divisors
        return (loss / divisors[rows]).mean(), figures

    def _distilled(self, mse: Tensor, output: Output, frame: Tensor, quality: Tensor) -> Tensor:
        """(B,) squared errors against the frame and the teacher's picture, by their weights."""
        weight = self.config.teacher_weight
        if self.teacher is None or weight == 0.0:
            return mse
        with self._precision():
            picture = self.teacher.picture(frame, quality)
        return (1.0 - weight) * mse + weight * distortion(output, picture)

    def train_step(self) -> tuple[float, float, float]:
        """One step; returns mean loss ratio, bpp and MSE of its crops."""
        c = self.config
        torch.manual_seed(c.seed * 1_000_003 + self.step)
        self.model.quantize(self.step >= c.quantize_from)
        crops = self._ahead.take(self.step).on(c.device)
        set_learning_rate(self.optimizer, self.learning_rate())
        if self._needs_all(self.step):
            self._prepare(crops.pixels)
        loss, figures = self._loss(crops)
        ratio, bpp, mse = figures.mean(1).tolist()
        if not math.isfinite(ratio):
            raise DivergedError(f"the loss is {ratio} at step {self.step + 1}; {_OTHERWISE}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.group.average([p.grad for p in self.model.parameters() if p.grad is not None])
        nn.utils.clip_grad_norm_(self.model.parameters(), c.clip, foreach=True)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return ratio, bpp, mse

    def _prepare(self, frame: Tensor) -> None:
        """What few steps begin with. frame: of all processes, which then come to the same."""
        if _recenters(self.step):
            self._recenter(frame)
        if self.step == self.config.quantize_from:
            fill_ranges(self.model, self.average, lambda: self._run(frame, self._qualities()))
        self._agree()

    def _recenter(self, frame: Tensor) -> None:
        def run() -> Output:
            return self._run(frame, self._qualities())

        means = input_means(self.model, run)
        # In the integer simulation a fresh unit would have no time to become of use.
        if not self.model.quantized and revive(self.model, means, self.average):
            means = input_means(self.model, run)
        recenter(self.model, means, self.average)

    def _run(self, frame: Tensor, quality: Tensor) -> Output:
        with self._precision():
            output: Output = self.model(frame, quality)
        return output

    def _precision(self) -> torch.autocast:
        enabled = self.config.precision == "bfloat16"
        return torch.autocast(self.config.device, torch.bfloat16, enabled=enabled)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        averages = [self.average[name] for name in state]
        torch._foreach_lerp_(averages, list(state.values()), 1 - decay)

    def run(self, report: Report | None = None, every: int = 50) -> Codec:
        """Trains to the end of the schedule and returns the averaged network."""
        keep_freed_memory()
        self.model.train()
        begin, first = time.monotonic(), self.step
        while self.step < self.config.steps:
            # Of the steps since the last report; a checkpoint may be written between two.
            self._sums = [s + v for s, v in zip(self._sums, self.train_step(), strict=True)]
            if self.step % every == 0 or self.step == self.config.steps:
                means = [s / (self.step % every or every) for s in self._sums]
                self._report(report, means, time.monotonic() - begin, first)
                self._sums = [0.0, 0.0, 0.0]
            if self.step % self.config.save_every == 0:
                self._check_weights()
                self.save()
        self._check_weights()
        self.save()
        return self.averaged()

    def _report(
        self, report: Report | None, means: list[float], elapsed: float, first: int
    ) -> None:
        loss, bpp, mse = means
        psnr = 10 * math.log10(255**2 / max(mse, 1e-9))
        rate = (self.step - first) / elapsed
        left = (self.config.steps - self.step) / rate
        self.history.append({"step": self.step, "loss": loss, "bpp": bpp, "psnr": psnr})
        if report is not None and self.group.leads:
            report(Progress(self.step, self.config.steps, loss, bpp, psnr, rate, left))

    def averaged(self) -> Codec:
        """A copy of the network with the averaged weights, in evaluation mode."""
        model = restore_model(Checkpoint(self._state(), self.average), prefix="")
        model.quantize(self.config.quantize_from < self.config.steps)
        fold_centers(model)
        return model.eval()
