"""Slimming of mbt2018 and mbt2018-mean: groups, values that stay, tables, further training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_pruning")

from c3d_export.core.errors import OptionError  # noqa: E402
from c3d_export.models.mbt.gdn import GDN  # noqa: E402
from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network  # noqa: E402
from c3d_export.models.mbt.spec import MbtSpec  # noqa: E402
from c3d_export.models.saving import load, save  # noqa: E402
from c3d_export.prune.importance import Importance, Sampling  # noqa: E402
from c3d_export.prune.mbt.widths import sizes_of  # noqa: E402
from c3d_export.prune.published.apply import prune_network, replay  # noqa: E402
from c3d_export.prune.published.families import scaled, widths_of, with_widths  # noqa: E402
from c3d_export.prune.published.groups import Groups, groups_of  # noqa: E402
from c3d_export.prune.published.importance import (  # noqa: E402
    magnitude_importance,
    taylor_importance,
)
from c3d_export.train.crops import Pool  # noqa: E402
from c3d_export.train.objectives import Objective  # noqa: E402


def _spec(architecture: str) -> MbtSpec:
    """Widths differ where they may, so that no axis can stand for another."""
    context = (17, 15) if architecture == "mbt2018" else ()
    return MbtSpec("tiny", architecture, 6, 5, (7, 8, 9), (10, 11, 12), (13, 14), (16, 18), context)


@pytest.fixture(params=["mbt2018-mean", "mbt2018"])
def model(request: pytest.FixtureRequest) -> MeanScaleHyperprior:
    """With latents of some size, and no two channels alike."""
    made = build_network(_spec(request.param), seed=4).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith(("bias", "beta", "gamma")) or name.startswith("entropy_bottleneck"):
                parameter += 0.2 * torch.rand(parameter.shape, generator=generator)
        made.g_a[6].weight *= 40
        made.h_a[4].weight *= 40
    return made


def test_every_width_is_named(model: MeanScaleHyperprior) -> None:
    widths, half = widths_of(model.spec), scaled(model.spec, 0.5)
    assert with_widths(model.spec, widths) == model.spec
    assert half == {name: math.ceil(width / 2) for name, width in widths.items()}
    assert widths_of(with_widths(model.spec, half)) == half
    followers = {"params": 6, "context": 6} if model.spec.has_context else {}
    assert sizes_of(half) == {**half, **followers}


@pytest.mark.parametrize(
    "edit",
    [lambda w: w.pop("latents"), lambda w: w.update(params=3), lambda w: w.update(hyper=0),
     lambda w: w.update(latents=7)],
    ids=["missing", "unknown", "none", "wider"],
)  # fmt: skip
def test_other_widths_are_refused(model: MeanScaleHyperprior, edit) -> None:  # type: ignore[no-untyped-def]
    widths = widths_of(model.spec)
    edit(widths)
    with pytest.raises(OptionError):
        prune_network(model, widths, magnitude_importance(model))


def test_groups_couple_what_belongs_together(model: MeanScaleHyperprior) -> None:
    groups = groups_of(model)
    sides = {name: {(m.layer, m.side) for m in members} for name, members in groups.items()}
    around = {("g_a.6", "out"), ("h_a.0", "in"), ("g_s.0", "in")}
    assert sides["g_a.0"] == {("g_a.0", "out"), ("g_a.1", "both"), ("g_a.2", "in")}
    assert sides["hyper"] == {("h_a.4", "out"), ("entropy_bottleneck", "both"), ("h_s.0", "in")}
    if not model.spec.has_context:
        assert sides["latents"] == {*around, ("h_s.4", "out")}
        assert _channels(groups, "latents", "h_s.4")[1] == (1, 7)  # scale and mean
        return
    assert sides["latents"] == {
        *around, ("entropy_parameters.4", "out"), ("context_prediction", "in")
    }  # fmt: skip
    assert _channels(groups, "latents", "entropy_parameters.4")[1] == (1, 7)
    assert _channels(groups, "params", "entropy_parameters.0")[1] == (1,)
    assert _channels(groups, "context", "entropy_parameters.0")[1] == (13,)
    assert len(groups["params"][0].channels) == len(groups["context"][0].channels) == 12


def _channels(groups: Groups, width: str, layer: str) -> tuple[tuple[int, ...], ...]:
    (found,) = [m.channels for m in groups[width] if m.layer == layer]
    return found


def _half_at_random(model: MeanScaleHyperprior) -> tuple[Importance, dict[str, list[int]]]:
    """Other channels in each group, and which of them stay in half a network."""
    generator = torch.Generator().manual_seed(8)
    sizes = sizes_of(widths_of(model.spec))
    scores = {name: torch.rand(n, generator=generator).double() for name, n in sizes.items()}
    importance = Importance("random", scores, dict.fromkeys(scores, 1.0))
    half = sizes_of(scaled(model.spec, 0.5))
    return importance, {name: importance.best(name, count) for name, count in half.items()}


@torch.no_grad()
def _silence(model: MeanScaleHyperprior, groups: Groups, kept: dict[str, list[int]]) -> None:
    """Makes every channel that is not kept a constant zero for its readers."""
    for name, members in groups.items():
        gone = set(range(len(members[0].channels))) - set(kept[name])
        for member in (m for m in members if m.side == "out"):
            layer = model.get_submodule(member.layer)
            channels = [c for index in gone for c in member.channels[index]]
            weight = layer.weight
            if isinstance(layer, torch.nn.ConvTranspose2d):
                weight = weight.transpose(0, 1)
            weight[channels] = 0
            layer.bias[channels] = 0
    # z_hat of a silent channel is its median.
    silent = sorted(set(range(model.spec.hyper)) - set(kept["hyper"]))
    model.entropy_bottleneck.quantiles[silent, 0, 1] = 0


@torch.no_grad()
def test_a_network_without_its_silent_channels_is_the_same(model: MeanScaleHyperprior) -> None:
    """All widths at once: numbering, halves of scales and means, concatenation, GDN, priors."""
    importance, kept = _half_at_random(model)
    _silence(model, groups_of(model), kept)
    pruned, _ = prune_network(model, scaled(model.spec, 0.5), importance)
    assert widths_of(pruned.spec) == scaled(model.spec, 0.5)
    x = torch.rand(2, 3, 128, 64)
    whole, slim = model(x), pruned(x)
    y = kept["latents"]
    assert whole.y_hat.abs().max() > 3
    for found, all_of_it in (
        (slim.y_hat, whole.y_hat),
        (slim.scales, whole.scales),
        (slim.means, whole.means),
        (slim.y_likelihoods, whole.y_likelihoods),
    ):
        torch.testing.assert_close(found, all_of_it[:, y])
    torch.testing.assert_close(slim.z_likelihoods, whole.z_likelihoods[:, kept["hyper"]])
    torch.testing.assert_close(slim.x_hat, whole.x_hat)


def test_channels_that_stay_keep_their_values(model: MeanScaleHyperprior) -> None:
    importance, kept = _half_at_random(model)
    pruned, _ = prune_network(model, scaled(model.spec, 0.5), importance)
    rows, columns = kept["g_a.1"], kept["g_a.0"]
    assert torch.equal(pruned.g_a[2].weight, model.g_a[2].weight[rows][:, columns])
    gdn = pruned.g_a[3]
    assert isinstance(gdn, GDN)
    assert torch.equal(gdn.gamma, model.g_a[3].gamma[rows][:, rows])
    for one, other in zip(
        pruned.entropy_bottleneck.parameters(), model.entropy_bottleneck.parameters(), strict=True
    ):
        assert torch.equal(one, other[kept["hyper"]])


def test_tables_of_the_old_widths_do_not_stay(model: MeanScaleHyperprior) -> None:
    """CompressAI's checkpoints hold some: those of z are for as many channels as there were."""
    model.entropy_bottleneck._offset = torch.zeros(5, dtype=torch.int32)
    model.gaussian_conditional.scale_table = torch.ones(64)
    pruned, _ = prune_network(model, scaled(model.spec, 0.5), magnitude_importance(model))
    assert pruned.entropy_bottleneck._offset.numel() == 0
    assert pruned.gaussian_conditional.scale_table.numel() == 0


def test_a_pruning_survives_a_file(model: MeanScaleHyperprior, make_frame, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pools = [Pool("test", [make_frame(96, 96, 1)])]
    sampling = Sampling(batches=2, batch=1, crop=64)
    random = torch.random.get_rng_state()
    importance = taylor_importance(model, pools, Objective("mse", 0.013), sampling)
    assert torch.equal(random, torch.random.get_rng_state())
    pruned, history = prune_network(model, scaled(model.spec, 0.5), importance)
    assert all(torch.equal(before[name], model.state_dict()[name]) for name in before)
    assert not model.training
    save(tmp_path / "half.safetensors", pruned, {"pruning": history})
    saved = load(tmp_path / "half.safetensors")
    again = replay(model, json.loads(json.dumps(saved.state["pruning"])))
    for name, tensor in pruned.state_dict().items():
        assert torch.equal(saved.network.state_dict()[name], tensor)
        assert torch.equal(again.state_dict()[name], tensor)
    with pytest.raises(OptionError, match="other widths"):
        replay(pruned, history)


@torch.no_grad()
def test_channels_that_do_nothing_go_first(model: MeanScaleHyperprior, make_frame) -> None:  # type: ignore[no-untyped-def]
    for name, axis in (("g_a.2", 1), ("g_s.4", 0), ("h_s.2", 0)):
        model.get_submodule(name).weight.select(axis, 2).zero_()
    pools = [Pool("test", [make_frame(64, 64, 1)])]
    sampling = Sampling(batches=1, batch=1, crop=64)
    scores = taylor_importance(model, pools, Objective("mse", 0.02), sampling).scores
    for width in ("g_a.0", "g_s.1", "h_s.0"):
        assert int(scores[width].argmin()) == 2
        assert float(scores[width][2]) == 0.0
