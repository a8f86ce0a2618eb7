"""Milliseconds between measured widths, and of whole networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import SIZES, StageSpec
from c3d_export.prune.latency import Latency, axis, nodes
from c3d_export.prune.planner import Planner
from c3d_export.prune.timing import Clock

HD = (1280, 720)
GRAPHS = dict.fromkeys(("g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s"), 10.0)


def _clock(planner: Planner, size: tuple[int, int] = HD) -> Clock:
    """A host where time is a sum of terms in inputs, in outputs and in their product."""
    points = {s.key: 1.0 + s.inputs + 2.0 * s.outputs + 0.01 * s.inputs * s.outputs
              for s in planner.shapes(size)}  # fmt: skip
    planner.use_latency(Latency({}, points, GRAPHS), size)
    assert planner.clock is not None
    return planner.clock


@pytest.fixture(scope="module")
def clock() -> Clock:
    return _clock(Planner(build_network(SIZES["small"])))


def test_an_axis_has_its_ends_and_what_is_measured_between() -> None:
    assert axis(32, 96) == (32, 48, 64, 80, 96)
    assert axis(40, 100) == (40, 48, 64, 80, 96, 100)
    assert axis(16, 48, factor=4) == (64, 128, 192)
    assert axis(452, 452) == (452,)
    assert axis(240, 300) == (240, 256, 288, 300)


def test_neighbours_share_a_width_between_them() -> None:
    assert nodes(272, (256, 288)) == [(256, 0.5), (288, 0.5)]
    assert nodes(256, (256, 288)) == [(256, 1.0)]
    assert nodes(40, (32, 48, 64)) == [(32, 0.5), (48, 0.5)]


def test_lines_between_measured_widths_are_exact_where_time_is_bilinear() -> None:
    wide = replace(SIZES["xsmall"], g_s=StageSpec(48, (48,), 384, (384,)))
    clock = _clock(Planner(build_network(wide)))
    layers = {layer.path: layer for layer in clock.cost.layers}
    widths = {**clock.over.high, "g_s.low": 272, "g_s.low_inner.0": 304}
    conv = 1.0 + 272 + 2.0 * 304 + 0.01 * 272 * 304
    assert clock.layer(layers["g_s.low.0.conv1"], widths) == pytest.approx(conv)
    # With the addition behind it, whose time has the square of a width.
    conv, add = 1.0 + 304 + 2.0 * 272 + 0.01 * 304 * 272, 1.0 + 3.0 * 272 + 0.01 * 272**2
    both = clock.layer(layers["g_s.low.0.conv2"], widths)
    assert both == pytest.approx(conv + add + 0.01 * 16**2)
    spatial = 1.0 + 3.0 * 304 + 0.01 * 304**2
    assert clock.layer(layers["g_s.low.0.spatial"], widths) == pytest.approx(spatial + 0.01 * 16**2)


def test_a_block_that_is_left_out_takes_no_time(clock: Clock) -> None:
    then = {**clock.over.high, "g_s.high_inner.3": 0}
    layers = [x for x in clock.cost.layers if x.path.startswith("g_s.high.3.")]
    assert len(layers) == 3
    assert all(clock.layer(layer, then) == 0.0 for layer in layers)
    saved = sum(clock.layer(layer, clock.over.high) for layer in layers)
    assert clock.by_transform(then)["g_s"] == pytest.approx(10.0 - saved)


def test_ways_are_sums_of_the_graphs_that_they_run(clock: Clock) -> None:
    now = clock.over.high
    assert clock.by_transform(now) == GRAPHS
    assert clock.of_way("encode", now) == 50.0
    assert clock.of_way("decode", now) == 40.0
    assert clock.of_way("both", now) == 50.0


def test_positions_are_those_of_padded_frames(shared_model: Codec) -> None:
    planner = Planner(shared_model)
    shapes = {(s.kind, s.kernel, s.stride, s.rows, s.columns) for s in planner.shapes((1920, 1080))}
    # 1080 rows are 68 latents of 16 pixels, 136 patches of 8, and 17 hyper-latents of 64.
    assert ("conv", 3, 2, 136, 240) in shapes
    assert ("depthwise", 3, 1, 68, 120) in shapes
    assert ("conv", 1, 1, 17, 30) in shapes
    assert {rows for *_, rows, _ in shapes} == {17, 34, 68, 136}


def test_a_target_with_other_widths_is_inside_the_table(shared_model: Codec) -> None:
    """h_s and g_ep shrink for a target alone, and below what a search would ask for."""
    small = build_network(SIZES["small"])
    planner = Planner(small)
    target = SIZES["xsmall"]
    points = {shape.key: 1.0 for shape in planner.shapes(HD, target)}
    planner.use_latency(Latency({}, points, GRAPHS), HD, target)
    made = planner.by_target(target)
    assert made.ms is not None
    assert made.ms.then["g_s"] < made.ms.now["g_s"]
    assert shared_model.spec == made.after
