"""One training of a network of the own family, as `train` and `finetune` start it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.atomic import remove_file
from .lookup import load_network
from .output import duration, note, print_json, progress
from .run_log import open_log
from .schedule import Schedule, configs

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..train.config import Progress, TrainConfig
    from ..train.logs import RunLog
    from ..train.loop import Trainer
    from ..train.parallel import Group
    from ..train.service import SavedModel, TrainingFrames
    from ..train.teacher import Teacher


@dataclass(frozen=True)
class Job:
    """One run: its model's name, how it is recorded, and the folder of its checkpoint."""

    name: str
    stage: str
    command: str
    schedule: Schedule
    default_steps: int
    folder: Path

    def run(
        self, workspace: Workspace, start: SavedModel, frames: TrainingFrames, as_json: bool
    ) -> None:
        from ..train import service
        from ..train.logs import CHECKPOINT_FILE
        from ..train.parallel import joined

        with open_log(self.folder, self.name, frames.pools) as log:
            with joined(self.schedule.device) as group:
                trainer = self._trainer(workspace, start, frames, group)
                log.begin(trainer.step, trainer.config.steps)
                network = self._finish(trainer, log)
            path = workspace.model(self.name) / service.MODEL_FILE
            if group.leads:
                tuned = service.SavedModel(network, self._state(trainer, start, frames))
                service.save(workspace.model(self.name), tuned)
                remove_file(self.folder / CHECKPOINT_FILE)
        _tell(path, self.name, trainer, as_json)

    def _trainer(
        self, workspace: Workspace, start: SavedModel, frames: TrainingFrames, group: Group
    ) -> Trainer:
        from ..train import service

        teacher = _teacher(workspace, self.schedule.teacher, start)
        if self.schedule.resume:
            return service.resume_run(self.folder, frames, teacher, group)
        config, force = self._config(start, frames, teacher, group), self.schedule.force
        network = start.network
        return service.start_run(self.folder, network, config, frames, force, teacher, group)

    def _config(
        self, start: SavedModel, frames: TrainingFrames, teacher: Teacher | None, group: Group
    ) -> TrainConfig:
        from ..train import service
        from ..train.config import TrainConfig

        s, steps = self.schedule, self.schedule.steps or self.default_steps
        service.quantize_step(s.quantize_from, steps)  # refuses a bad share before time is spent
        # A start needs its warm-up only where it is long enough to have one.
        make = configs(TrainConfig, s, fresh=self.stage == "train" and not start.state)
        if s.minutes is not None:
            model, pools = start.network, frames.pools
            share = s.quantize_from
            steps = service.steps_for_minutes(
                model, make(steps), pools, s.minutes, share, teacher, group
            )
            note(f"{s.minutes:g} minutes are {steps} steps")
        return make(steps)

    def _finish(self, trainer: Trainer, log: RunLog) -> Any:
        from ..train import service

        with progress("training", trainer.config.steps) as advance:

            def report(p: Progress) -> None:
                advance(p.step, _stats(p))
                rate = trainer.learning_rate()
                log.add(p.step, loss=p.loss, bpp=p.bpp, psnr=p.psnr, learning_rate=rate)

            try:
                return service.finish(trainer, report)
            except KeyboardInterrupt:
                note(f"stopped at step {trainer.step}; continue with the same line and --resume")
                raise

    def _state(self, trainer: Trainer, start: SavedModel, frames: TrainingFrames) -> dict[str, Any]:
        from ..train import service

        config, steps = trainer.config, trainer.config.steps
        # A run that is gone on with keeps its own settings, whatever the line says then.
        used = replace(
            self.schedule,
            batch=config.batch,
            crop=config.crop,
            seed=config.seed,
            learning_rate=config.learning_rate,
            decay=config.decay,
            average=config.average,
        )
        return {
            "name": self.name,
            "stage": self.stage,
            "command": f"{self.command} {used.text(steps)}",
            "seed": trainer.config.seed,
            "frames": frames.to_json(),
            "steps": steps,
            "history": trainer.history,
            "parents": service.lineage(start.state),
        }


def _teacher(workspace: Workspace, name: str | None, student: SavedModel) -> Teacher | None:
    if name is None:
        return None
    from ..train.service import MODEL_FILE
    from ..train.teacher import Teacher, check_teacher

    network = load_network(workspace, name).network
    check_teacher(network.spec, student.network.spec)
    return Teacher.of(network, workspace.model(name) / MODEL_FILE)


def _stats(p: Progress) -> str:
    left = duration(p.seconds_left)
    return f"{p.bpp:.3f} bpp  {p.psnr:.2f} dB  {p.steps_per_second:.2f} steps/s  {left} left"


def _tell(path: Path, name: str, trainer: Trainer, as_json: bool) -> None:
    last = trainer.history[-1] if trainer.history else {}
    if as_json:
        print_json({"model": name, "path": str(path), "steps": trainer.step, "last": last})
        return
    text = f", {last['bpp']:.3f} bpp at {last['psnr']:.2f} dB in training" if last else ""
    note(f"{path}: {trainer.step} steps{text}")
