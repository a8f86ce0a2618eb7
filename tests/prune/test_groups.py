"""The groups that Torch-Pruning finds, against the network as it is written."""

from __future__ import annotations

import copy

import pytest
import torch

from c3d_export.core.errors import C3DError
from c3d_export.models.network import Codec, macs_per_pixel
from c3d_export.models.spec import SIZES
from c3d_export.prune import groups
from c3d_export.prune.cost import cost_of
from c3d_export.prune.graph import trace
from c3d_export.prune.groups import FIXED, Part, prunable_widths, widths_of
from c3d_export.prune.widths import spec_widths, with_widths


def _channels(part: Part, layer: str, side: str, index: int) -> tuple[int, ...]:
    found = [m for m in part.members if (m.layer, m.side) == (layer, side)]
    assert len(found) == 1
    return found[0].channels[index]


def test_every_width_of_the_spec_has_its_groups(shared_model: Codec) -> None:
    widths = prunable_widths(shared_model)
    assert {w.name: w.now for w in widths} == spec_widths(SIZES["xsmall"])
    assert {w.name: w.stage for w in widths if w.name.startswith("h_")} == {
        "h_a": 32,
        "h_s.0": 32,
        "h_s.1": 16,
        "h_s.2": 16,
    }


@pytest.mark.parametrize("name", SIZES)
def test_widths_by_name_describe_the_spec(name: str) -> None:
    assert with_widths(SIZES[name], spec_widths(SIZES[name])) == SIZES[name]


def test_a_trunk_couples_its_entry_its_blocks_and_its_exit(parts: dict[str, Part]) -> None:
    members = {(m.layer, m.side) for m in parts["g_a.high"].members}
    assert members == {
        ("g_a.patch", "out"),
        ("g_a.high.0.conv1", "in"),
        ("g_a.high.0.conv2", "out"),
        ("g_a.down", "in"),
    }


@pytest.mark.parametrize(
    ("part", "layer", "width"),
    [("g_s.high", "g_s.up", 48), ("h_s.0", "h_s.conv1", 48), ("h_s.1", "h_s.conv2", 64)],
)
def test_a_channel_after_a_pixel_shuffle_has_four_outputs_before_it(
    parts: dict[str, Part], part: str, layer: str, width: int
) -> None:
    expected = (5, width + 5, 2 * width + 5, 3 * width + 5)
    assert _channels(parts[part], layer, "out", 5) == expected


def test_the_two_inputs_of_the_concatenation_keep_their_places(parts: dict[str, Part]) -> None:
    assert parts["g_ep.features"].size == 64
    assert parts["g_ep.latents"].size == 64
    assert _channels(parts["g_ep.features"], "g_ep.conv1", "in", 3) == (3,)
    assert _channels(parts["g_ep.latents"], "g_ep.conv1", "in", 3) == (64 + 3,)


def test_no_group_reaches_latents_planes_or_pixels(parts: dict[str, Part]) -> None:
    reached = {(m.layer, m.side) for part in parts.values() for m in part.members}
    assert not reached & FIXED.keys()


def test_a_side_that_the_spec_does_not_expect_is_an_internal_error(
    shared_model: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {side: why for side, why in FIXED.items() if side != ("h_a.conv2", "out")}
    monkeypatch.setattr(groups, "FIXED", fewer)
    with pytest.raises(C3DError, match=r"h_a\.conv2"):
        prunable_widths(shared_model)


def test_the_cost_agrees_with_the_networks_own_count(shared_model: Codec) -> None:
    graph = trace(copy.deepcopy(shared_model))
    cost = cost_of(graph, widths_of(graph))
    widths = spec_widths(shared_model.spec) | {"g_s.high": 24, "h_s.1": 40, "g_ep": 32}
    expected = macs_per_pixel(with_widths(shared_model.spec, widths))
    assert cost.by_transform(widths) == pytest.approx(expected)


def test_looking_for_groups_changes_nothing(model: Codec) -> None:
    before = copy.deepcopy(model.state_dict())
    model.train().quantize(True)
    prunable_widths(model)
    assert model.training
    assert model.quantized
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
