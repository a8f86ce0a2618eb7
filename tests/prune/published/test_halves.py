"""Each family, half of all its widths: it still trains, and what it learnt can be shipped."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_pruning")
pytest.importorskip("onnx")

from c3d_export.deploy.bundle import Provenance  # noqa: E402
from c3d_export.deploy.families import make_bundle, validate_family  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine  # noqa: E402
from c3d_export.models.families import Network  # noqa: E402
from c3d_export.models.mbt.network import build_network  # noqa: E402
from c3d_export.models.mbt.spec import uniform_spec  # noqa: E402
from c3d_export.prune.importance import Sampling  # noqa: E402
from c3d_export.prune.published.apply import prune_network  # noqa: E402
from c3d_export.prune.published.families import scaled, widths_of  # noqa: E402
from c3d_export.prune.published.importance import taylor_importance  # noqa: E402
from c3d_export.runtime.bundle import parse_bundle  # noqa: E402
from c3d_export.runtime.families import open_family  # noqa: E402
from c3d_export.runtime.images import Frame  # noqa: E402
from c3d_export.runtime.sessions import SessionOptions  # noqa: E402
from c3d_export.train.crops import Pool  # noqa: E402
from c3d_export.train.objectives import Objective  # noqa: E402
from c3d_export.train.staged import StagedConfig, StagedTrainer, Step  # noqa: E402

from ...models.c2f.specs import SMALL  # noqa: E402

OBJECTIVE = Objective("mse", 0.013)
MAKE = {
    "mbt2018-mean": lambda: build_network(uniform_spec("tiny", "mbt2018-mean", 16, 24)),
    "mbt2018": lambda: build_network(uniform_spec("tiny", "mbt2018", 16, 24)),
    "c2f": lambda: CoarseToFine(SMALL),
    "c2f-without-z1": lambda: CoarseToFine(SMALL.without_z1()),
}


@pytest.fixture
def pools(make_frame) -> list[Pool]:  # type: ignore[no-untyped-def]
    return [Pool("test", [make_frame(96, 96, seed) for seed in range(2)])]


def _half(name: str, pools: list[Pool]) -> tuple[Network, list[Step]]:
    """Trained, cut, trained again: the network, and the steps after the cut."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        whole = MAKE[name]()
    config = StagedConfig("app-specific-tune", 15, "mse", OBJECTIVE.weight, batch=2, crop=64,
                          learning_rate=5e-3)  # fmt: skip
    StagedTrainer(whole, config, pools).run()
    sampling = Sampling(batches=2, batch=1, crop=64)
    importance = taylor_importance(whole, pools, OBJECTIVE, sampling)
    half = scaled(whole.spec, 0.5)
    pruned, _ = prune_network(whole, half, importance)
    assert widths_of(pruned.spec) == half
    steps: list[Step] = []
    trained = StagedTrainer(pruned, config, pools).run(report=steps.append)
    return trained, steps


@pytest.mark.parametrize("name", MAKE)
def test_half_a_network_trains_and_is_shipped(name: str, pools: list[Pool]) -> None:
    network, steps = _half(name, pools)
    losses = [step.loss for step in steps]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    _ship(network, pools[0].frames[0])


def _ship(network: Network, frame: Frame) -> None:
    """Integers decode to those of PyTorch, float pixels to its own; the picture is one."""
    bundle = parse_bundle(make_bundle(network, [frame], Provenance("half")))
    report = validate_family(bundle, [("frame", frame)])
    report.require_exact()
    assert sum(row.compared for row in report.integers) > 10_000
    assert max(row.largest for row in report.floats) <= 1
    exact, floating = (
        open_family(bundle, SessionOptions(flavour=flavour, threads=1))
        for flavour in ("qlinear", "float")
    )
    stream = exact.encode(frame)
    shown = exact.decode(stream)
    assert shown.shape == frame.shape
    assert shown.std() > 5, "a flat picture compares nothing"
    assert np.abs(shown.astype(int) - floating.decode(stream)).max() <= 3
