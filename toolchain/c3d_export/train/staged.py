"""Training of the published networks by their published schedules, in runs that survive a stop.

Every step draws its crops and its noise from (seed, step) alone, so that a run that is resumed
gives the numbers of one that was not (one thread; with more, sums may differ in their order).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, DivergedError, OptionError
from ..models.families import FAMILIES, Network, family_of
from ..models.noise import rows_of
from ..models.scaffold import Staged
from .ahead import Ahead
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .crops import Cut, Pool, cut_crops
from .objectives import Objective, Recipe, base_then_tune
from .parallel import ALONE, Group
from .schedules import SCHEDULES, Schedule, Stage

FORMAT: Final = "staged training 2"
MULTIPLE: Final = 64
"""Pixels a side of one position of the coarsest latents, in all families."""


@dataclass(frozen=True)
class StagedConfig:
    """schedule: a name in SCHEDULES; steps: the length that it is stretched to. distortion and
    weight: of the `Objective`. base: if not 0, the weight of the squared error that the first half
    of the steps minimises instead (`base_then_tune`). batch, crop, learning_rate: crops a step,
    pixels a side (a multiple of 64) and Adam's rate at first; 0 for the published ones.
    Raises OptionError on a bad value.
    """

    schedule: str
    steps: int
    distortion: str
    weight: float
    base: float = 0.0
    seed: int = 0
    batch: int = 0
    crop: int = 0
    learning_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            raise OptionError(f"no schedule {self.schedule!r}; choose one of {known}")
        least = min(self.batch, self.crop, self.learning_rate)
        if self.steps < 1 or least < 0 or self.side % MULTIPLE:
            raise OptionError(
                f"steps must be 1 or more, batch and rate positive, crop a multiple of {MULTIPLE}"
            )
        self.recipe.check_crop(self.side)

    @property
    def recipe(self) -> Recipe:
        wanted = Objective(self.distortion, self.weight)
        if not self.base:
            return Recipe(((1.0, wanted),))
        return base_then_tune(Objective("mse", self.base), wanted)

    @property
    def plan(self) -> Schedule:
        plan = SCHEDULES[self.schedule]
        return replace(plan, learning_rate=self.learning_rate) if self.learning_rate else plan

    @property
    def side(self) -> int:
        return self.crop or self.plan.crop

    @property
    def frames(self) -> int:
        return self.batch or self.plan.batch


@dataclass(frozen=True)
class Step:
    """One step: its number from 1, its stage 1..4, means over its crops. error: the distortion
    that it minimised (squared grey levels, or 1 - MS-SSIM)."""

    number: int
    stage: int
    loss: float
    bpp: float
    error: float


class StagedTrainer:
    """Holds all that a checkpoint holds; `run` goes on to the end of the schedule.

    network: is trained in place. group: the processes that share each batch. Raises OptionError
    for a schedule of stages that the network has not, or a batch that cannot be shared.
    """

    def __init__(
        self, network: Network, config: StagedConfig, pools: list[Pool], group: Group = ALONE
    ) -> None:
        self.network, self.config, self.pools, self.done = network, config, pools, 0
        self.group, self.rows = group, group.rows(config.frames)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.scaffold = family_of(network).scaffold(network)
        if config.plan.staged and not self.scaffold.staged:
            known = ", ".join(name for name, plan in SCHEDULES.items() if not plan.staged)
            raise OptionError(
                f"schedule {config.schedule} is of coarse-to-fine networks; choose one of {known}"
            )
        group.take_first(list(self.scaffold.state_dict().values()))
        self.optimizer = self._optimizer(self.stage)
        self._ahead = Ahead(self._cut)

    def _cut(self, step: int) -> Cut:
        c = self.config
        return cut_crops(self.pools, c.frames, c.side, c.seed, step, self.rows)

    @property
    def stage(self) -> Stage:
        """The stage of the next step."""
        return self.config.plan.stage(self.done / self.config.steps)

    def step(self) -> Step:
        """Trains on one batch. Where a stage begins that moves more, so does a fresh Adam.

        Raises DivergedError where the loss is no number any more.
        """
        stage, config = self.stage, self.config
        if _moved(stage) != _moved(self._of_stage):
            self.optimizer = self._optimizer(stage)
        torch.manual_seed(config.seed * 1_000_003 + self.done)
        frame = self._ahead.take(self.done).on("cpu").pixels
        self.optimizer.param_groups[0]["lr"] = config.plan.rate(self.done / config.steps)
        self.scaffold.train()
        with rows_of(self.rows, config.frames):
            out: Staged = self.scaffold(frame, stage)
        objective = config.recipe.objective(self.done / config.steps)
        loss = objective.loss(out.x_hat, frame, out.bits).mean() + out.helping
        with torch.no_grad():
            error = objective.error(out.x_hat, frame).mean()
            figures = torch.stack([loss, out.bits.mean(), error])[:, None]
        value, bits, distortion = self.group.gathered(figures).mean(1).tolist()
        if not math.isfinite(value):
            raise DivergedError(
                f"the loss is {value} at step {self.done + 1}; go on from an older"
                " checkpoint, or start with another seed"
            )
        self._move(loss if out.auxiliary is None else loss + out.auxiliary)
        return Step(self.done, stage.number, value, bits / config.side**2, distortion)

    def run(
        self,
        path: Path | None = None,
        report: Callable[[Step], None] | None = None,
        save_every: int = 500,
    ) -> Network:
        """The trained network in evaluation mode; `path`: where checkpoints are written."""
        while self.done < self.config.steps:
            step = self.step()
            if report is not None and self.group.leads:
                report(step)
            if path is not None and (self.done % save_every == 0 or self.done == self.config.steps):
                self.save(path)
        return self.network.eval()

    def save(self, path: Path) -> None:
        """The first process writes a checkpoint atomically; raises DiskError."""
        if not self.group.leads:
            return
        state = {
            "format": FORMAT,
            "family": family_of(self.network).name,
            "spec": self.network.spec.to_json(),
            "config": asdict(self.config),
            "done": self.done,
        }
        tensors = {f"model.{k}": v.detach().clone() for k, v in self.scaffold.state_dict().items()}
        for name, parameter in self.scaffold.named_parameters():
            moments = self.optimizer.state.get(parameter, {})
            tensors |= {f"adam.{name}.{k}": v.detach().clone() for k, v in moments.items()}
        save_checkpoint(path, Checkpoint(state, tensors))

    @staticmethod
    def resume(path: Path, pools: list[Pool], group: Group = ALONE) -> StagedTrainer:
        """Raises MissingInputError, or CheckpointError where the file is no such run."""
        checkpoint = load_checkpoint(path)
        if checkpoint.state.get("format") != FORMAT:
            raise CheckpointError(f"{path} holds no training of a published network")
        try:
            family = FAMILIES[checkpoint.state["family"]]
            network = family.build(family.read_spec(checkpoint.state["spec"]))
            config = StagedConfig(**checkpoint.state["config"])
            trainer = StagedTrainer(network, config, pools, group)
            trainer._restore(checkpoint.state["done"], checkpoint.tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            first = str(error).splitlines()[0]
            raise CheckpointError(f"{path} contradicts itself: {first}") from error
        group.check_same(trainer.done, "their checkpoint")
        return trainer

    def _restore(self, done: int, tensors: dict[str, Tensor]) -> None:
        model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        self.scaffold.load_state_dict(model)
        # The optimiser of the step that was last; the next step makes its own if a stage begins.
        self.done = max(0, done - 1)
        self.optimizer = self._optimizer(self.stage)
        self.done = done
        for name, parameter in self.scaffold.named_parameters():
            keys = ("step", "exp_avg", "exp_avg_sq")
            moments = {
                k: tensors[f"adam.{name}.{k}"] for k in keys if f"adam.{name}.{k}" in tensors
            }
            if moments:
                self.optimizer.state[parameter] = moments

    def _optimizer(self, stage: Stage) -> torch.optim.Adam:
        self._of_stage = stage
        return torch.optim.Adam(self.scaffold.trained(stage), lr=self.config.plan.learning_rate)

    def _move(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.group.average([p.grad for p in self.scaffold.parameters() if p.grad is not None])
        # One Adam is as good as two of the same rate: each parameter has its own moments.
        apart = {id(parameter) for parameter in self.scaffold.auxiliary()}
        clipped = [p for p in self.scaffold.parameters() if id(p) not in apart]
        nn.utils.clip_grad_norm_(clipped, self.config.plan.clip)
        self.optimizer.step()
        self.done += 1


def _moved(stage: Stage) -> tuple[bool, bool]:
    """Which parameters a stage moves: stages 3 and 4 differ in their loss alone."""
    return stage.coarse, stage.reconstruction
