"""Training an RCAN: L1 between the enlarged crops and the frames, as in the paper.

The optimiser is that of the codecs (`train/optimizer.py`): after 300 steps +.16 dB against the
paper's Adam (at .004), on three validation crops with one seed, so a guide and no proof. So are
checkpoints, and how the learning rate falls. What is kept is the moving average of the weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, OptionError
from ..train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ..train.decay import DECAYS
from ..train.optimizer import MuonAdam, laid_out, layer_factors, make_optimizer, set_learning_rate
from .network import Rcan, build_rcan
from .pairs import Pair, check_sizes, sample_pairs
from .spec import RcanSpec

KIND = "up-scaler"


@dataclass(frozen=True)
class SrConfig:
    """steps: length of the run. batch: crops a step. crop: pixels a side of the high resolution.

    learning_rate: relative to each layer's size, after `warmup` steps, falling to zero by `decay`.
    average: decay of the moving average. precision: "bfloat16" or "float32" of the convolutions.
    """

    steps: int
    batch: int = 8
    crop: int = 128
    seed: int = 0
    learning_rate: float = 0.05
    warmup: int = 100
    clip: float = 1.0
    average: float = 0.998
    decay: str = "cosine"
    save_every: int = 200
    precision: str = "bfloat16"
    device: str = "cpu"


@dataclass(frozen=True)
class SrProgress:
    """loss: mean absolute error in grey levels over the last interval."""

    step: int
    steps: int
    loss: float
    steps_per_second: float
    seconds_left: float


Report = Callable[[SrProgress], None]
Games = Sequence[Sequence[Pair]]


class SrTrainer:
    """Holds everything that a checkpoint holds; `run` advances it.

    notes: JSON of what the run was started with (frames, codec), kept in the checkpoint. path: of
    the checkpoint; None for none.
    """

    def __init__(
        self,
        network: Rcan,
        config: SrConfig,
        games: Games,
        notes: dict[str, Any],
        path: Path | None,
    ) -> None:
        check_sizes(games, network.spec.factor, config.crop)
        self.network = network.to(config.device)
        self.config, self.games, self.notes, self.path = config, games, notes, path
        self.factors = layer_factors(self.network)
        self.optimizer = self._optimizer()
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._total = 0.0

    def _optimizer(self) -> MuonAdam:
        dtype = torch.bfloat16 if self.config.precision == "bfloat16" else torch.float32
        return make_optimizer(self.network, self.factors, dtype)

    @staticmethod
    def resume(path: Path, games: Games, notes: dict[str, Any]) -> SrTrainer:
        """Continues a run to the numbers that it would have reached uninterrupted.

        Raises OptionError where it was started with other notes, MissingInputError,
        CheckpointError.
        """
        checkpoint = load_checkpoint(path)
        network = restore_rcan(checkpoint)
        if checkpoint.state.get("notes") != notes:
            raise OptionError(
                f"{path.parent} was started with other frames or another --codec; bring them back,"
                " or start over with --force"
            )
        try:
            config = SrConfig(**checkpoint.state["config"])
            trainer = SrTrainer(network, config, games, notes, path)
            trainer._restore(checkpoint)
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} holds no unfinished training ({error}); start a new one"
            ) from error
        return trainer

    def _restore(self, checkpoint: Checkpoint) -> None:
        state, tensors = checkpoint.state, checkpoint.tensors
        self.step, self.history, self.factors = state["step"], state["history"], state["factors"]
        self._total = state["total"]
        self.optimizer = self._optimizer()
        self.optimizer.restore(tensors)
        self.average = {
            name: laid_out(tensors[f"average.{name}"], value)
            for name, value in self.network.state_dict().items()
        }

    def save(self) -> None:
        """Writes the checkpoint; raises DiskError."""
        if self.path is None:
            return
        tensors = {f"model.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= self.optimizer.tensors()
        state = {
            "kind": KIND,
            "spec": self.network.spec.to_json(),
            "config": asdict(self.config),
            "notes": self.notes,
            "step": self.step,
            "history": self.history,
            "total": self._total,
            "factors": self.factors,
        }
        on_host = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
        save_checkpoint(self.path, Checkpoint(state, on_host))

    def learning_rate(self) -> float:
        c = self.config
        fade = DECAYS[c.decay](self.step / c.steps)
        return c.learning_rate * min(1.0, (self.step + 1) / c.warmup) * fade

    def train_step(self) -> float:
        """One step; the mean absolute error of its crops in grey levels."""
        c = self.config
        factor = self.network.spec.factor
        crops = sample_pairs(self.games, factor, c.batch, c.crop, c.seed, self.step)
        low, high = (tensor.to(c.device) for tensor in crops)
        set_learning_rate(self.optimizer, self.learning_rate())
        loss = (self._run(low) - high).abs().mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), c.clip, foreach=True)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return 255.0 * float(loss.detach())

    def _run(self, low: Tensor) -> Tensor:
        enabled = self.config.precision == "bfloat16"
        with torch.autocast(self.config.device, torch.bfloat16, enabled=enabled):
            high: Tensor = self.network(low)
        return high

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        state = self.network.state_dict()
        torch._foreach_lerp_([self.average[name] for name in state], list(state.values()),
                             1 - decay)  # fmt: skip

    def run(self, report: Report | None = None) -> Rcan:
        """Trains to the end of the schedule; the averaged network, in evaluation mode."""
        c = self.config
        every = max(min(10, c.steps), c.steps // 200)
        begin, first = time.monotonic(), self.step
        while self.step < c.steps:
            # Of the steps since the last report; a checkpoint may be written between two.
            self._total += self.train_step()
            if self.step % every == 0 or self.step == c.steps:
                rate = (self.step - first) / (time.monotonic() - begin)
                mean, self._total = self._total / (self.step % every or every), 0.0
                self.history.append({"step": self.step, "loss": mean})
                if report is not None:
                    left = (c.steps - self.step) / rate
                    report(SrProgress(self.step, c.steps, mean, rate, left))
            if self.step % c.save_every == 0:
                self.save()
        self.save()
        return self.averaged()

    def averaged(self) -> Rcan:
        network = build_rcan(self.network.spec)
        network.load_state_dict({name: tensor.cpu() for name, tensor in self.average.items()})
        return network.eval()


def restore_rcan(checkpoint: Checkpoint, prefix: str = "model.") -> Rcan:
    """The network in a checkpoint; raises CheckpointError for one of something else."""
    try:
        if checkpoint.state.get("kind") != KIND:
            raise KeyError("it is of another kind")
        network = build_rcan(RcanSpec.from_json(checkpoint.state["spec"]))
        cut = len(prefix)
        own = {k[cut:]: v for k, v in checkpoint.tensors.items() if k.startswith(prefix)}
        network.load_state_dict(own)
    except (KeyError, OptionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"the checkpoint holds no up-scaler: {reason}") from error
    return network


def save_rcan(path: Path, network: Rcan, state: dict[str, Any]) -> None:
    """A network alone, with whatever `state` tells of its making; raises DiskError."""
    complete = {**state, "kind": KIND, "spec": network.spec.to_json()}
    tensors = {f"model.{k}": v.detach().clone() for k, v in network.state_dict().items()}
    save_checkpoint(path, Checkpoint(complete, tensors))


def steps_for_minutes(network: Rcan, config: SrConfig, games: Games, minutes: float) -> int:
    """The steps that fit into so many minutes, measured on a throw-away copy of the network."""
    if not minutes > 0:
        raise OptionError(f"--minutes {minutes} must be more than 0")
    trial = SrTrainer(copy.deepcopy(network), replace(config, steps=100), games, {}, None)
    for _ in range(2):
        trial.train_step()
    begin, count = time.monotonic(), 5
    for _ in range(count):
        trial.train_step()
    return max(1, int(minutes * 60 * count / (time.monotonic() - begin)))
