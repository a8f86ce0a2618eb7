"""What pruning a published network loses, by three ways to choose widths of the same cost.

    python scripts/published_pruning.py --model mbt --game supertuxkart --quality 4 --ratio 0.5

Rate-distortion loss (lambda * MSE + bpp, from likelihoods) on crops of validation frames, relative
to the network before, as the geometric mean over crops: after the cut, and after --steps of
fine-tuning; in the first row what the same steps make of the network that is not cut.

search: as `prune --ratio` has it, latents stay. hidden: a common share of all widths but the
latents. all: a common share of all widths, as `prune --keep`, latents too.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Callable

import numpy as np
import torch

from c3d_export.cli.lookup import load_published
from c3d_export.cli.published_options import Published, rate_of
from c3d_export.data.cropstore import CropStore
from c3d_export.data.locate import data_roots
from c3d_export.data.workspace import Workspace
from c3d_export.models.families import Network, family_of
from c3d_export.prune.importance import Sampling
from c3d_export.prune.published.apply import prune_network
from c3d_export.prune.published.importance import taylor_importance
from c3d_export.prune.published.planner import Plan, Planner
from c3d_export.train.crops import Pool, sample_batch
from c3d_export.train.objectives import Objective
from c3d_export.train.schedules import WHOLE
from c3d_export.train.service import gather
from c3d_export.train.staged import StagedConfig, StagedTrainer

CROPS, CROP = 24, 256


@torch.no_grad()
def losses(network: Network, pools: list[Pool], objective: Objective) -> np.ndarray:
    """(crops,): rate-distortion loss with rounded latents."""
    scaffold = family_of(network).scaffold(copy.deepcopy(network)).eval()
    found = []
    for step in range(CROPS):
        frame = sample_batch(pools, 1, CROP, 123, step)
        out = scaffold(frame, WHOLE)
        found.append(float(objective.loss(out.x_hat.clamp(0, 255), frame, out.bits)))
    return np.array(found)


def more(then: np.ndarray, now: np.ndarray) -> str:
    return f"{100 * (np.exp(np.log(then / now).mean()) - 1):+.1f} %"


def tuned(network: Network, pools: list[Pool], objective: Objective, steps: int) -> Network:
    """The last third of the steps at a tenth of the rate: without, the last ones decide."""
    made = copy.deepcopy(network)
    for rate, count in ((3e-4, steps - steps // 3), (3e-5, steps // 3)):
        config = StagedConfig("app-specific-tune", count, objective.distortion, objective.weight,
                              batch=4, crop=128, learning_rate=rate)  # fmt: skip
        StagedTrainer(made, config, pools).run()
    return made


def hidden(planner: Planner, share: float) -> Plan:
    """A share of all widths but the latents."""
    then, kept = planner.topology.scaled(planner.spec, share), planner.topology.latents
    return planner.by_widths({n: planner.now[n] if n in kept else w for n, w in then.items()})


def at_ratio(plan: Callable[[float], Plan], ratio: float) -> Plan:
    """The largest share that removes the ratio, to a hundredth."""
    shares = [percent / 100 for percent in range(99, 0, -1)]
    return next(made for made in map(plan, shares) if made.ratio >= ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--game", required=True)
    parser.add_argument("--quality", type=int)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    workspace = Workspace.find(os.environ, None)
    saved = load_published(workspace, options.model)
    _, objective = rate_of(saved, Published(quality=options.quality))
    store, roots = CropStore(workspace.decoded), data_roots(workspace)
    training, validation = (
        gather(store, roots, [options.game], split).pools for split in ("train", "validation")
    )
    network = saved.network
    planner = Planner(network, taylor_importance(network, training, objective, Sampling()))
    now = losses(network, validation, objective)
    print(f"| widths | MACs removed | after the cut | after {options.steps} steps |")
    print("|---|---:|---:|---:|")
    whole = losses(tuned(network, training, objective, options.steps), validation, objective)
    print(f"| not cut | 0 | 0 | {more(whole, now)} |", flush=True)
    plans = {
        "search": planner.by_ratio(options.ratio),
        "hidden": at_ratio(lambda share: hidden(planner, share), options.ratio),
        "all": at_ratio(planner.by_share, options.ratio),
    }
    for name, plan in plans.items():
        cut, _ = prune_network(network, plan.then, planner.importance)
        first = losses(cut, validation, objective)
        then = losses(tuned(cut, training, objective, options.steps), validation, objective)
        print(f"| {name} | {plan.ratio:.1%} | {more(first, now)} | {more(then, now)} |", flush=True)


if __name__ == "__main__":
    main()
