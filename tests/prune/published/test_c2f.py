"""Slimming of the coarse-to-fine networks: groups, values that stay, files, further training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_pruning")

from c3d_export.core.errors import OptionError  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine, Latents, build_network  # noqa: E402
from c3d_export.models.c2f.saving import load, save  # noqa: E402
from c3d_export.models.c2f.spec import SIZES, C2FSpec  # noqa: E402
from c3d_export.prune.importance import Importance, Sampling  # noqa: E402
from c3d_export.prune.published.apply import prune_network, replay  # noqa: E402
from c3d_export.prune.published.families import scaled, widths_of, with_widths  # noqa: E402
from c3d_export.prune.published.groups import Groups, groups_of  # noqa: E402
from c3d_export.prune.published.importance import (  # noqa: E402
    magnitude_importance,
    taylor_importance,
)
from c3d_export.prune.published.planner import Planner  # noqa: E402
from c3d_export.train.crops import Pool  # noqa: E402
from c3d_export.train.objectives import Objective  # noqa: E402
from c3d_export.train.staged import StagedConfig, StagedTrainer  # noqa: E402

from ...models.c2f.specs import SMALL  # noqa: E402


@pytest.fixture(params=[SMALL, SMALL.without_z1()], ids=["z1", "without-z1"])
def model(request: pytest.FixtureRequest) -> CoarseToFine:
    made = build_network(request.param, seed=4).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith(("bias", "beta", "gamma", "top_scale")):
                parameter += 0.2 * torch.rand_like(parameter)
        made.g_a[-1].weight *= 30
    return made


def test_every_width_is_named(model: CoarseToFine) -> None:
    widths = widths_of(model.spec)
    assert with_widths(model.spec, widths) == model.spec
    assert with_widths(model.spec, scaled(model.spec, 1.0)) == model.spec
    half = scaled(model.spec, 0.5)
    assert half == {name: math.ceil(width / 2) for name, width in widths.items()}
    assert widths_of(with_widths(model.spec, half)) == half
    assert widths["fine.h_s.2"] == 3  # after the shuffle


@pytest.mark.parametrize(
    "edit",
    [lambda w: w.pop("latents"), lambda w: w.update(more=3), lambda w: w.update(latents=0),
     lambda w: w.update(latents=7)],
    ids=["missing", "unknown", "none", "wider"],
)  # fmt: skip
def test_other_widths_are_refused(model: CoarseToFine, edit) -> None:  # type: ignore[no-untyped-def]
    widths = widths_of(model.spec)
    edit(widths)
    with pytest.raises(OptionError):
        prune_network(model, widths, magnitude_importance(model))
    for share in (0.0, 1.5):
        with pytest.raises(OptionError):
            scaled(model.spec, share)


def test_groups_couple_what_belongs_together(model: CoarseToFine) -> None:
    groups = groups_of(model)
    sides = {name: {(m.layer, m.side) for m in members} for name, members in groups.items()}
    assert {("predictor3.mean", "out"), ("predictor3.log_scale", "out"), ("g_a.6", "out"),
            ("h_a2.0", "in"), ("g_s.0", "in")} == sides["latents"]  # fmt: skip
    assert {("g_a.0", "out"), ("g_a.1", "both"), ("g_a.2", "in")} == sides["g_a.0"]
    joined = {("reconstruction.block1", "in"), ("reconstruction.block3", "out"),
              ("reconstruction.up4", "in")}  # fmt: skip
    assert joined < sides["g_s.2"]
    assert joined < sides["reconstruction.up.2"]
    assert _channels(groups, "fine.h_s.2", "h_s2.3")[1] == (1, 4, 7, 10)
    assert _channels(groups, "fine.h_a.0", "h_a2.2")[3] == (3, 7, 11, 15)
    assert _channels(groups, "reconstruction.up.2", "reconstruction.block1")[2] == (14,)
    assert _channels(groups, "fine.predictor.2", "predictor3.mean")[1] == tuple(range(9, 18))
    if model.spec.coarse is None:
        assert ("top_scale", "out") in sides["fine.latents"]
    else:
        assert ("top_scale", "out") in sides["coarse.latents"]
        assert _channels(groups, "coarse.features", "predictor2.conv1")[1] == (1, 3, 5, 7)
        assert _channels(groups, "coarse.features", "reconstruction.up1")[1] == (14,)


def _channels(groups: Groups, width: str, layer: str) -> tuple[tuple[int, ...], ...]:
    (found,) = [m.channels for m in groups[width] if m.layer == layer and m.side != "both"]
    return found


@torch.no_grad()
def _silence(model: CoarseToFine, groups: Groups, kept: dict[str, list[int]]) -> None:
    """Makes every channel that is not kept a constant zero for its readers."""
    for name, members in groups.items():
        gone = set(range(len(members[0].channels))) - set(kept[name])
        for member in (m for m in members if m.side == "out" and m.layer != "top_scale"):
            layer = model.get_submodule(member.layer)
            channels = [c for index in gone for c in member.channels[index]]
            weight = layer.weight.transpose(0, 1) if isinstance(
                layer, torch.nn.ConvTranspose2d) else layer.weight  # fmt: skip
            weight[channels] = 0
            layer.bias[channels] = 0


@torch.no_grad()
def test_a_network_without_its_silent_channels_is_the_same(model: CoarseToFine) -> None:
    """All widths at once, other channels in each: numbering, concatenations, shuffles, GDN."""
    groups, half = groups_of(model), scaled(model.spec, 0.5)
    generator = torch.Generator().manual_seed(8)
    scores = {
        n: torch.rand(w, generator=generator).double() for n, w in widths_of(model.spec).items()
    }
    importance = Importance("random", scores, dict.fromkeys(scores, 1.0))
    kept = {name: importance.best(name, count) for name, count in half.items()}
    _silence(model, groups, kept)
    pruned, _ = prune_network(model, half, importance)
    assert widths_of(pruned.spec) == half
    x = torch.rand(2, 3, 128, 64) * 2 - 1
    whole, slim = model.analyse(x), pruned.analyse(x)
    assert whole.z3.any()
    torch.testing.assert_close(slim.z3, whole.z3[:, kept["latents"]])
    torch.testing.assert_close(slim.z2, whole.z2[:, kept["fine.latents"]])
    side, slim_side = model.side(whole), pruned.side(slim)
    for found, all_of_it in (
        (slim_side.z3.mean, side.z3.mean),
        (slim_side.z3.scale, side.z3.scale),
    ):
        torch.testing.assert_close(found, all_of_it[:, kept["latents"]])
    z2 = kept["fine.latents"]
    torch.testing.assert_close(slim_side.z2.scale, side.z2.scale[:, z2])
    if whole.z1 is not None:
        torch.testing.assert_close(slim.z1, whole.z1[:, kept["coarse.latents"]])
        top = side.z1.scale[:, kept["coarse.latents"]]
        torch.testing.assert_close(slim_side.z1.scale, top)
    torch.testing.assert_close(pruned.synthesise(slim), model.synthesise(whole))


def test_half_a_network_trains_and_survives_a_file(
    model: CoarseToFine,
    make_frame,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pools = [Pool("test", [make_frame(96, 96, 1)])]
    sampling = Sampling(batches=1, batch=1, crop=64)
    random = torch.random.get_rng_state()
    importance = taylor_importance(model, pools, Objective("mse", 0.02), sampling)
    Planner(model, importance)
    assert torch.equal(random, torch.random.get_rng_state())
    pruned, history = prune_network(model, scaled(model.spec, 0.5), importance)
    assert all(torch.equal(before[name], model.state_dict()[name]) for name in before)
    save(tmp_path / "half.safetensors", pruned, {"pruning": history})
    loaded, state = load(tmp_path / "half.safetensors")
    again = replay(model, json.loads(json.dumps(state["pruning"])))
    for name, tensor in pruned.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
        assert torch.equal(again.state_dict()[name], tensor)
    config = StagedConfig("app-specific-tune", 2, "mse", 0.02, batch=1, crop=64)
    trained = StagedTrainer(loaded, config, pools).run()
    assert not torch.equal(trained.g_a[0].weight, pruned.g_a[0].weight)


@pytest.mark.parametrize("name", ["c2f-xsmall", "c2f-small", "c2f-sota-low"])
@pytest.mark.parametrize("z1", [True, False], ids=["z1", "without-z1"])
@torch.no_grad()
def test_half_of_a_published_topology(name: str, z1: bool) -> None:
    """At an eighth of its widths, since full ones take seconds to trace."""
    size = SIZES[name] if z1 else SIZES[name].without_z1()
    spec = with_widths(size, scaled(size, 1 / 8))
    model = build_network(spec).eval()
    pruned, history = prune_network(model, scaled(spec, 0.5), magnitude_importance(model))
    assert pruned.spec == with_widths(spec, scaled(spec, 0.5))
    assert C2FSpec.from_json(history["after"]) == pruned.spec
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    latents = pruned.analyse(x)
    assert isinstance(latents, Latents)
    assert pruned.synthesise(latents).shape == x.shape
    side = pruned.side(latents)
    assert side.z3.mean.shape == latents.z3.shape


def test_importance_of_another_network(model: CoarseToFine) -> None:
    other = build_network(replace(model.spec, g_a=(6, 8, 9)))
    with pytest.raises(OptionError, match="another network"):
        prune_network(model, widths_of(model.spec), magnitude_importance(other))
    with pytest.raises(OptionError, match="without frames"):
        taylor_importance(model, [Pool("none", [])], Objective("mse", 1.0))


@torch.no_grad()
def test_channels_that_do_nothing_go_first(model: CoarseToFine, make_frame) -> None:  # type: ignore[no-untyped-def]
    for name, axis in (("g_a.2", 1), ("reconstruction.up2", 0), ("reconstruction.pixels", 1)):
        weight = model.get_submodule(name).weight
        weight.select(axis, 2).zero_()
    pools = [Pool("test", [make_frame(64, 64, 1)])]
    sampling = Sampling(batches=1, batch=1, crop=64)
    scores = taylor_importance(model, pools, Objective("mse", 0.02), sampling).scores
    for width in ("g_a.0", "reconstruction.up.0", "reconstruction.tail.1"):
        assert int(scores[width].argmin()) == 2
        assert float(scores[width][2]) == 0.0
