"""Measuring operations: probes compute what they say, and the cache remembers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from c3d_export.deploy import latency_cache
from c3d_export.deploy.latency import COPIES, LEAD, Bench, Measured, measure, probe
from c3d_export.deploy.latency_cache import latency_of
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import SIZES
from c3d_export.prune.latency import Shape
from c3d_export.prune.planner import Planner
from c3d_export.runtime.providers import import_runtime, open_session

TINY = Bench((64, 64), threads=1)
CASES = [
    (Shape("conv", 1, 1, 4, 6, 48, 32), "QLinearConv", (4, 6, 32)),
    (Shape("conv", 3, 2, 4, 6, 16, 48), "QLinearConv", (2, 3, 48)),
    (Shape("depthwise", 3, 1, 4, 6, 32, 32), "QLinearConv", (4, 6, 32)),
    (Shape("product", 1, 1, 4, 6, 32, 80), "MatMulInteger", (4, 6, 80)),
    (Shape("add", 1, 1, 4, 6, 32, 32), "QLinearAdd", (4, 6, 32)),
    (Shape("shuffle", 1, 1, 4, 6, 32, 32), "Transpose", (8, 12, 32)),
]


@pytest.mark.parametrize(("shape", "kind", "result"), CASES)
def test_a_probe_holds_the_operation_and_needs_its_result(
    shape: Shape, kind: str, result: tuple[int, int, int]
) -> None:
    model = probe(shape, "qlinear")
    kinds = [node.op_type for node in onnx.load_model_from_string(model).graph.node]
    leads = COPIES if kind == "QLinearConv" else 0
    assert kinds.count(kind) == COPIES + leads
    session = open_session(import_runtime(), model, "cpu", threads=1)
    x = np.zeros((1, shape.rows, shape.columns, LEAD), np.uint8)
    outputs = session.run(None, {"x": x})
    assert [tuple(output) for output in outputs] == [(1, *result)] * COPIES


@pytest.mark.parametrize("shape", [case[0] for case in CASES])
def test_the_float_flavour_has_probes_too(shape: Shape) -> None:
    session = open_session(import_runtime(), probe(shape, "float"), "cpu", threads=1)
    x = np.zeros((1, shape.rows, shape.columns, LEAD), np.uint8)
    assert len(session.run(None, {"x": x})) == COPIES


def test_more_work_takes_longer() -> None:
    light, heavy = (Shape("conv", 3, 1, 45, 80, width, width) for width in (16, 128))
    state = torch.random.get_rng_state()
    times = measure([light, heavy], None, TINY, rounds=5).points
    assert times[heavy] > 4 * times[light]  # the work is 64 times as much
    assert torch.equal(torch.random.get_rng_state(), state)


def test_graphs_are_measured_beside_shapes_or_alone() -> None:
    network, shape = build_network(SIZES["xsmall"]), Shape("add", 1, 1, 4, 4, 16, 16)
    both = measure([shape], network, TINY, rounds=1)
    assert set(both.points) == {shape}
    assert set(both.graphs) == {"g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s"}
    assert all(ms > 0 for ms in both.graphs.values())
    alone = measure([], network, TINY, rounds=1)
    assert (set(alone.points), set(alone.graphs)) == (set(), set(both.graphs))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many shapes each call of the measurement was for, -1 with graphs; nothing is measured."""
    calls: list[int] = []

    def count(shapes: list[Shape], network: Codec | None, *_: object, **__: object) -> Measured:
        calls.append(len(shapes) if network is None else -len(shapes))
        graphs = {} if network is None else {"g_a": float(network.spec.g_a.high)}
        return Measured(dict.fromkeys(shapes, 1.0), graphs)

    monkeypatch.setattr(latency_cache, "measure", count)
    return calls


def test_what_was_measured_once_is_remembered(counted: list[int], tmp_path: Path) -> None:
    network = build_network(SIZES["xsmall"])
    shapes = Planner(network).shapes(TINY.size)
    folder = tmp_path / "latency"
    first = latency_of(folder, network, shapes[:-2], TINY, "a processor")
    assert latency_of(folder, network, shapes[:-2], TINY, "a processor") == first
    whole = latency_of(folder, network, shapes, TINY, "a processor")
    assert counted == [2 - len(shapes), 2]
    assert set(whole.points) == {shape.key for shape in shapes}
    assert whole.host["processor"] == "a processor"
    assert (whole.host["flavour"], whole.host["size"]) == ("qlinear", "64x64")
    # Another host, another flavour: other numbers, in files of their own.
    latency_of(folder, network, shapes, TINY, "another")
    latency_of(folder, network, shapes, Bench((64, 64), "float", 1), "a processor")
    assert counted[2:] == [-len(shapes)] * 2
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"points": {}}', '{"graphs": {}, "host": {}, "points": {}}', "NEGATIVE"],
)
def test_a_damaged_cache_is_measured_anew(counted: list[int], tmp_path: Path, damage: str) -> None:
    network = build_network(SIZES["xsmall"])
    shapes = Planner(network).shapes(TINY.size)
    first = latency_of(tmp_path, network, shapes, TINY, "a processor")
    (path,) = tmp_path.iterdir()
    if damage == "NEGATIVE":
        damage = path.read_text(encoding="utf-8").replace("1.0", "-1.0", 1)
        assert json.loads(damage)
    path.write_text(damage, encoding="utf-8")
    assert latency_of(tmp_path, network, shapes, TINY, "a processor") == first
    assert counted == [-len(shapes)] * 2


def test_graphs_of_other_widths_are_measured_for_themselves(
    counted: list[int], tmp_path: Path
) -> None:
    network, slim = build_network(SIZES["small"]), build_network(SIZES["xsmall"])
    shapes = Planner(network).shapes(TINY.size)
    assert latency_of(tmp_path, network, shapes, TINY, "a processor").graphs == {"g_a": 48.0}
    assert latency_of(tmp_path, slim, shapes, TINY, "a processor").graphs == {"g_a": 32.0}
    assert latency_of(tmp_path, network, shapes, TINY, "a processor").graphs == {"g_a": 48.0}
    assert counted == [-len(shapes), 0]
    latency_of(tmp_path, network, shapes, TINY, "a processor", again=True)
    assert counted[2:] == [-len(shapes)]
