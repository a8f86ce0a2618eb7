"""Goals of slimming published networks: what they cost, what is kept, what cannot be."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_pruning")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from c3d_export.core.errors import OptionError  # noqa: E402
from c3d_export.models.c2f.cost import cost_of as cost_of_c2f  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine  # noqa: E402
from c3d_export.models.c2f.spec import SIZES  # noqa: E402
from c3d_export.models.families import Network  # noqa: E402
from c3d_export.models.mbt.network import build_network  # noqa: E402
from c3d_export.models.mbt.spec import uniform_spec  # noqa: E402
from c3d_export.prune.published.apply import prune_network  # noqa: E402
from c3d_export.prune.published.cost import cost_of, of_ways  # noqa: E402
from c3d_export.prune.published.families import scaled, widths_of, with_widths  # noqa: E402
from c3d_export.prune.published.groups import groups_of  # noqa: E402
from c3d_export.prune.published.importance import magnitude_importance  # noqa: E402
from c3d_export.prune.published.planner import Plan, Planner  # noqa: E402

SIDE = 1024
"""Pixels of a frame that is counted: the edges of its maps weigh little."""


def _mbt(architecture: str, n: int = 48, m: int = 64) -> Network:
    return build_network(uniform_spec("tiny", architecture, n, m))


def _c2f(z1: bool) -> CoarseToFine:
    size = SIZES["c2f-xsmall"] if z1 else SIZES["c2f-xsmall"].without_z1()
    return CoarseToFine(with_widths(size, scaled(size, 0.5)))


@pytest.mark.parametrize("architecture", ["mbt2018-mean", "mbt2018"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_mbt_costs(architecture: str, share: float) -> None:
    """As counted in a pass of a network of these widths, but for zeros of the masked kernel."""
    network = _mbt(architecture)
    then = scaled(network.spec, share)
    counted = cost_of(network, groups_of(network)).total(then)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        slim = build_network(with_widths(network.spec, then))
        y = slim.g_a(torch.empty(1, 3, SIDE, SIDE))
        scales, _ = slim.gaussians(y, slim.h_s(slim.h_a(y))).chunk(2, 1)
        slim.g_s(scales)
    passed = counter.get_total_flops() / 2 / SIDE**2
    m = then["latents"]
    zeros = 13 * m * 2 * m / 256 if architecture == "mbt2018" else 0
    assert counted == pytest.approx(passed - zeros, rel=1e-6)


@pytest.mark.parametrize("z1", [True, False], ids=["z1", "without-z1"])
def test_what_c2f_costs(z1: bool) -> None:
    """As `models/c2f/cost.py` counts it; what frames lose at their edges is up to 2 %."""
    network = _c2f(z1)
    then = scaled(network.spec, 0.5)
    found = cost_of(network, groups_of(network)).by_part(then)
    wanted = cost_of_c2f(with_widths(network.spec, then))
    assert found == pytest.approx(wanted.parts, rel=0.02)
    ways = of_ways(found)
    assert ways["encode"] == pytest.approx(wanted.encoder, rel=0.02)
    assert ways["decode"] == pytest.approx(wanted.decoder, rel=0.02)


@pytest.fixture(params=["mbt2018-mean", "mbt2018", "c2f", "c2f-without-z1"])
def network(request: pytest.FixtureRequest) -> Network:
    if request.param.startswith("mbt"):
        return _mbt(request.param)
    return _c2f(request.param == "c2f")


@pytest.fixture
def planner(network: Network) -> Planner:
    return Planner(network, magnitude_importance(network))


def test_a_ratio_of_the_multiplications(network: Network, planner: Planner) -> None:
    plan = planner.by_ratio(0.3)
    assert 0.3 <= plan.ratio < 0.36
    assert widths_of(plan.after) == plan.then
    kept = [name for name in plan.now if name.endswith("latents") or name == "hyper"]
    assert kept
    assert all(plan.then[name] == plan.now[name] for name in kept)
    assert all(w % 8 == 0 or w == plan.now[name] for name, w in plan.then.items())
    pruned, _ = prune_network(network, plan.then, planner.importance)
    assert pruned.spec == plan.after
    assert planner.by_ratio(0.0).then == plan.now


def test_a_number_of_multiplications(planner: Planner) -> None:
    full = planner.cost.total(planner.now)
    plan = planner.by_macs(0.8 * full)
    assert 0.7 * full < sum(plan.macs_then.values()) <= 0.8 * full


def test_a_share_of_all_widths(planner: Planner) -> None:
    plan = planner.by_share(0.5)
    assert plan.then["latents"] == -(-plan.now["latents"] // 2)
    assert 0.6 < plan.ratio < 0.8  # about a quarter is left, but of the pixels' layers half
    totals = plan.totals()
    assert sum(now for now, _ in (totals["encode"], totals["decode"])) > sum(plan.macs_now.values())


def test_goals_out_of_reach(planner: Planner) -> None:
    for bad in (-0.1, 1.0, 0.99):
        with pytest.raises(OptionError):
            planner.by_ratio(bad)
    with pytest.raises(OptionError, match="MACs per pixel are out of reach"):
        planner.by_macs(10)
    with pytest.raises(OptionError, match="share of 0"):
        planner.by_share(0)


def test_a_plan_is_plain_values(planner: Planner) -> None:
    plan: Plan = planner.by_share(0.5)
    told = json.loads(json.dumps(plan.to_json()))
    assert told["widths_then"] == plan.then
    assert told["after"]["latents"] == plan.then["latents"]
