"""What pruning loses: opinions of what matters on one plan, and plans of one duration.

python scripts/pruning_loss.py --model supertuxkart-small --game supertuxkart
python scripts/pruning_loss.py --model supertuxkart-small --game supertuxkart --ms 11 --steps 200

Rate-distortion loss (lambda * MSE + bpp, in the integer simulation) on crops of validation frames,
relative to the network before, as the geometric mean over crops and rate points. With --ms:
networks whose decoder takes as long as that on this host, by three ways to choose widths, and after
--steps of fine-tuning. Milliseconds come from the workspace's table (`prune --plan` makes one).
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from c3d_export.cli.host_facts import cpu_features
from c3d_export.data.cropstore import CropStore
from c3d_export.data.locate import data_roots
from c3d_export.data.workspace import Workspace
from c3d_export.deploy.latency import Bench
from c3d_export.deploy.latency_cache import latency_of
from c3d_export.models.network import Codec, quality_lambdas
from c3d_export.prune.apply import prune_codec
from c3d_export.prune.importance import Importance, importance_of, magnitude_importance
from c3d_export.prune.planner import HD, Planner
from c3d_export.prune.search import STEP, smallest
from c3d_export.prune.widths import resolution
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool, sample_batch
from c3d_export.train.loop import Trainer
from c3d_export.train.service import gather, load_saved

CROPS, CROP, QUALITIES = 12, 256, (1, 3, 5, 7)
Widths = Mapping[str, int]


@torch.no_grad()
def losses(network: Codec, pools: list[Pool]) -> np.ndarray:
    """(crops, rate points): rate-distortion loss of the network in its integer simulation."""
    model = copy.deepcopy(network).eval()
    model.quantize(True)
    lambdas, rows = quality_lambdas(model.spec.qualities), []
    for step in range(CROPS):
        frame = sample_batch(pools, 1, CROP, 123, step)
        row = []
        for quality in QUALITIES:
            output = model(frame, torch.tensor([quality]))
            mse = ((output.x_hat + 128.0).clamp(0, 255) - frame).square().mean()
            bpp = (output.bits_y + output.bits_z) / CROP**2
            row.append(float(lambdas[quality] * mse + bpp))
        rows.append(row)
    return np.array(rows)


def more(then: np.ndarray, now: np.ndarray) -> str:
    return f"{100 * (np.exp(np.log(then / now).mean()) - 1):+.1f} %"


def chance(like: Importance, seed: int) -> Importance:
    generator = torch.Generator().manual_seed(seed)
    scores = {
        name: torch.rand(len(score), generator=generator, dtype=torch.float64)
        for name, score in like.scores.items()
    }
    return replace(like, kind="random", scores=scores)


def compare_opinions(network: Codec, planner: Planner, pools: list[Pool]) -> None:
    now, taylor = losses(network, pools), planner.importance
    opinions = [taylor, magnitude_importance(network), chance(taylor, 0)]
    print("| MACs removed | " + " | ".join(each.kind for each in opinions) + " |")
    print("|---|" + "---:|" * len(opinions))
    for ratio in (0.1, 0.2, 0.3, 0.5):
        made = planner.by_ratio(ratio)
        then = [losses(prune_codec(network, made, each)[0], pools) for each in opinions]
        print(f"| {ratio:.0%} | " + " | ".join(more(each, now) for each in then) + " |", flush=True)


def uniform(planner: Planner, limit: float) -> Widths:
    """A common share of every width of g_s, twice of those at 1/8: the rule of older versions."""
    for percent in range(76):
        widths = {**planner.now}
        for name, now in planner.now.items():
            if name.startswith("g_s."):
                share = min(0.75, percent / 100 * (2 if resolution(name) == 8 else 1))
                widths[name] = max(smallest(now, STEP), round(now * (1 - share) / STEP) * STEP)
        if milliseconds(planner, widths) <= limit:
            return widths
    raise SystemExit(f"{limit} ms are out of reach of the uniform rule")


def by_macs(planner: Planner, limit: float) -> Widths:
    """The search with multiply-accumulates for time; those of the encoder stay for comparison."""
    for share in range(200):
        widths = planner.by_macs((1 - share / 200) * planner.cost.total(planner.now)).widths
        decoder = {n: w if n.startswith("g_s.") else planner.now[n] for n, w in widths.items()}
        if milliseconds(planner, decoder) <= limit:
            return decoder
    raise SystemExit(f"{limit} ms are out of reach")


def milliseconds(planner: Planner, widths: Widths) -> float:
    assert planner.clock is not None
    return planner.clock.of_way("decode", widths)


def tuned(network: Codec, pools: list[Pool], steps: int) -> Codec:
    config = TrainConfig(
        steps=steps,
        batch=4,
        crop=128,
        learning_rate=0.01,
        warmup=steps // 5,
        quantize_from=0,
        average=0.98,
        precision="float32",
    )
    return Trainer(copy.deepcopy(network).train(), config, pools, None).run(None, 1 << 30)


def compare_plans(
    network: Codec, planner: Planner, limit: float, train: list[Pool], pools: list[Pool], steps: int
) -> None:
    now = losses(network, pools)
    plans: dict[str, Widths] = {
        "nothing cut": planner.now,
        "common share": uniform(planner, limit),
        "search, MACs": by_macs(planner, limit),
        "search, ms": planner.by_ms(limit, "decode").widths,
    }
    for name, widths in plans.items():
        made = planner.by_widths(widths)
        pruned, _ = prune_codec(network, made, planner.importance)
        cells = [f"{milliseconds(planner, widths):.2f}", f"{made.macs_then['g_s'] / 1000:.2f}"]
        cells.append(more(losses(pruned, pools), now))
        if steps:
            cells.append(more(losses(tuned(pruned, train, steps), pools), now))
        print(f"| {limit:g} ms | {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace")
    parser.add_argument("--model", required=True, help="of the workspace")
    parser.add_argument("--game", required=True)
    parser.add_argument("--ms", help="milliseconds of the decoder, such as 11,9.5")
    parser.add_argument("--steps", type=int, default=0, help="of fine-tuning")
    options = parser.parse_args()
    workspace = Workspace.find(os.environ, options.workspace)
    network = load_saved(workspace.model(options.model)).network
    store, roots = CropStore(workspace.decoded), data_roots(workspace)
    train = gather(store, roots, [options.game]).pools
    pools = gather(store, roots, [options.game], "validation").pools
    planner = Planner(network, importance_of(network, train))
    if options.ms is None:
        compare_opinions(network, planner, pools)
        return
    processor = cpu_features(Path("/proc/cpuinfo"))
    folder, shapes = workspace.root / "latency", planner.shapes()
    planner.use_latency(latency_of(folder, network, shapes, Bench(HD), processor))
    print("| goal | widths by | ms | g_s kMAC/px | loss | after tuning |")
    print("|---|---|---:|---:|---:|---:|")
    for limit in map(float, options.ms.split(",")):
        compare_plans(network, planner, limit, train, pools, options.steps)


if __name__ == "__main__":
    main()
