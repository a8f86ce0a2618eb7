"""`prune`: a network with fewer channels, chosen on the frames of one game or of several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import OptionError
from .gathering import gather_frames
from .lookup import find_network, model_name, published_file
from .output import note, progress
from .overlay import as_coded, whole_option
from .prune_goal import Goal, Measuring, goal_options
from .prune_published import Cut, prune_published
from .prune_tables import show
from .published_options import Published, rate_options
from .settings import find_workspace, force_option, model_option, seed_option, shared

if TYPE_CHECKING:
    from ..prune.plan import Plan
    from ..prune.planner import Planner
    from ..train.service import SavedModel, TrainingFrames

_DISAGREEMENT = 0.2
"""Measured in quiet, the sum of the layers is within a tenth of the graphs (docs/pruning.md)."""


@click.command()
@model_option
@click.option("--game", metavar="NAME", help="Whose frames say what matters.")
@click.option("--games", metavar="A,B,C", help="Of several, which count the same: generic-SIZE.")
@whole_option
@goal_options
@rate_options
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be cut, and stop.")
@seed_option
@force_option
@shared()
def prune(
    size: str,
    game: str | None,
    games: str | None,
    whole_frames: bool,
    goal: Goal,
    measuring: Measuring,
    quality: int | None,
    distortion: str | None,
    out: str | None,
    only_plan: bool,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Remove the channels that matter least for the frames of a game, for the time they cost; of a
    published model (imported or trained, by its name) for the multiplications.

    \b
    Example: c3d-export prune --model small --game supertuxkart --target-ms 12 --plan
             c3d-export prune --model mbt --game supertuxkart --quality 4 --ratio 0.5
    """
    goal.check()
    chosen = _games(game, games)
    workspace, rate = find_workspace(), Published(quality=quality, distortion=distortion)
    if published_file(workspace, size) is not None:
        cut = Cut(size, tuple(chosen), out, rate, goal, seed)
        prune_published(cut, only_plan, force, as_json)
        return
    rate.check_absent()
    if goal.keep is not None or out is not None:
        raise OptionError("--keep and -o: only for published models, by their name")
    from ..data.locate import data_roots, locate_game

    only = chosen[0] if len(chosen) == 1 else None
    name = model_name(only, goal.to or size)
    # First what is quick to look at: loading torch takes seconds.
    for each in chosen:
        locate_game(data_roots(workspace), each, "train")
    origin, source = find_network(workspace, size, only)
    frames = as_coded(workspace, gather_frames(workspace, chosen), whole_frames)
    if not (only_plan or force):
        _refuse_twice(origin, source, size, only)
    note(f"from {origin}, {sum(len(pool.frames) for pool in frames.pools)} frames")
    planner = _planner(source, frames, seed)
    if only_plan or goal.ms is not None:
        _measure(planner, source, goal, measuring, workspace.root / "latency")
    planned = goal.plan(planner)
    if not only_plan:
        flag = f"--game {only}" if only else f"--games {','.join(chosen)}"
        flag += " --whole-frames" if whole_frames else ""
        command = f"c3d-export prune --model {size} {flag} {goal.text()} --seed {seed}"
        note(f"{_save(name, command, source, planned, planner, frames, seed)}")
    show(name, planned, as_json, layers=only_plan)


def _games(game: str | None, games: str | None) -> list[str]:
    from ..data.workspace import check_name

    if (game is None) == (games is None):
        raise OptionError(
            "give one of --game NAME and --games A,B,C: whose frames say what matters"
        )
    names = [game] if game is not None else (games or "").split(",")
    return list(dict.fromkeys(check_name(name.strip(), "game") for name in names))


def _refuse_twice(origin: str, source: SavedModel, size: str, game: str | None) -> None:
    """Pruning what is pruned removes a share of the rest: only where it is asked for."""
    stages = [entry.get("stage") for entry in (*source.state.get("parents", []), source.state)]
    if "prune" in stages:
        tune = f"finetune --model {size} --game {game}"
        if game is None:
            tune = f"train --model {size} --games A,B,C --from {origin}"
        raise OptionError(
            f"{origin} is pruned already; tune it with `c3d-export {tune}`, or add --force to prune"
            " it further"
        )


def _planner(source: SavedModel, frames: TrainingFrames, seed: int) -> Planner:
    from ..prune import importance
    from ..prune.planner import Planner

    sampling = importance.Sampling(seed=seed)
    return Planner(source.network, importance.importance_of(source.network, frames.pools, sampling))


def _measure(
    planner: Planner, source: SavedModel, goal: Goal, measuring: Measuring, folder: Path
) -> None:
    """Gives the planner its milliseconds: measured here, or remembered from an earlier time."""
    from ..deploy.latency import Bench
    from ..deploy.latency_cache import latency_of
    from .host_facts import cpu_features

    size, target = measuring.frame(), goal.spec()
    shapes = planner.shapes(size, target)
    bench = Bench(size, measuring.flavour, measuring.threads)
    processor = cpu_features(Path("/proc/cpuinfo"))
    with progress("measuring layers", len(shapes)) as advance:
        latency = latency_of(
            folder, source.network, shapes, bench, processor, advance, measuring.again
        )
    planner.use_latency(latency, size, target)
    if (off := planner.disagreement()) > _DISAGREEMENT:
        note(f"layers and whole graphs differ by {off:.0%} in time: other work ran on this host;"
             " measure in quiet with --again")  # fmt: skip


def _save(
    name: str,
    command: str,
    source: SavedModel,
    planned: Plan,
    planner: Planner,
    frames: TrainingFrames,
    seed: int,
) -> str:
    from ..prune.apply import prune_codec
    from ..train.service import SavedModel, lineage, save

    network, history = prune_codec(source.network, planned, planner.importance)
    state = {
        "name": name,
        "stage": "prune",
        "command": command,
        "seed": seed,
        "frames": frames.to_json(),
        "steps": 0,
        "history": [],
        "pruning": history,
        "parents": lineage(source.state),
    }
    path = save(find_workspace().model(name), SavedModel(network, state))
    onward = "finetune" if len(frames.pools) == 1 else f"train --from {name} --force"
    return f"{path}: tune it with `c3d-export {onward}`"
