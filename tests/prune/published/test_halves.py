"""Each family, half of all its widths: it still trains, and what it learnt can be shipped."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_pruning")
pytest.importorskip("onnx")

from c3d_export.deploy.bundle import Provenance  # noqa: E402
from c3d_export.deploy.hyperprior.bundle import build_bundle, export_network  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine  # noqa: E402
from c3d_export.models.families import Network  # noqa: E402
from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network  # noqa: E402
from c3d_export.models.mbt.spec import uniform_spec  # noqa: E402
from c3d_export.prune.importance import Sampling  # noqa: E402
from c3d_export.prune.published.apply import prune_network  # noqa: E402
from c3d_export.prune.published.families import scaled, widths_of  # noqa: E402
from c3d_export.prune.published.importance import taylor_importance  # noqa: E402
from c3d_export.runtime.bundle import parse_bundle  # noqa: E402
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec  # noqa: E402
from c3d_export.runtime.images import Frame  # noqa: E402
from c3d_export.runtime.sessions import SessionOptions  # noqa: E402
from c3d_export.runtime.stream import parse_stream  # noqa: E402
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
    if isinstance(network, MeanScaleHyperprior):
        _ship_mbt(network, pools[0].frames[0])


@torch.no_grad()
def _ship_mbt(network: MeanScaleHyperprior, frame: Frame) -> None:
    """Latents decode to those of the integer network, the picture to that of the float one."""
    export = export_network(network, [frame])
    bundle = parse_bundle(build_bundle(export, Provenance("half")))
    codec = HyperpriorCodec(bundle, SessionOptions(flavour="float", threads=1))
    y, z = (torch.from_numpy(a.astype(np.float32)).permute(2, 0, 1)[None]
            for a in codec.analyse(frame))  # fmt: skip
    stream = codec.encode(frame)
    y_hat = codec.decode_latents(parse_stream(stream))
    wanted = export.path.code(y, z).y_hat[0].permute(1, 2, 0).numpy()
    assert np.array_equal(y_hat, wanted)
    assert len(np.unique(y_hat)) > 9
    given = torch.from_numpy(y_hat.astype(np.float32)) / (1 << codec.path.fraction)
    x_hat = network.g_s(given.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    shown = codec.decode(stream)
    off = np.abs(shown - (x_hat * 255).round().clamp(0, 255).numpy())
    assert off.max() <= 1
    assert shown.std() > 5, "a flat picture compares nothing"
