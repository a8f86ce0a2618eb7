"""State dicts go both ways between compressai and this package, and mean the same.

compressai lives in an environment of its own (scripts/test-compressai makes it).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor

from c3d_export.models.importing import import_checkpoint
from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network
from c3d_export.models.mbt.spec import uniform_spec

ROOT = Path(__file__).parents[3]
ENVIRONMENT = Path(os.environ.get("C3D_COMPRESSAI") or ROOT / ".venv-compressai")
PYTHON = ENVIRONMENT / "bin" / "python"
COMPARED = ("x_hat", "y_likelihoods", "z_likelihoods", "scales", "means")
ARCHITECTURES = ("mbt2018-mean", "mbt2018")

pytestmark = pytest.mark.skipif(
    not PYTHON.is_file(), reason="no environment with compressai; scripts/test-compressai makes one"
)


def reference(*arguments: object) -> None:
    command = [str(PYTHON), str(ROOT / "scripts" / "compressai_reference.py"), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    subprocess.run(command, check=True, timeout=300, env=environment)


def compare(network: MeanScaleHyperprior, theirs: dict[str, Tensor]) -> None:
    with torch.no_grad():
        ours = network.eval()(theirs["x"])
    for name in COMPARED:
        torch.testing.assert_close(getattr(ours, name), theirs[name], rtol=1e-5, atol=1e-5)
    assert (ours.y_likelihoods < 0.5).any(), "all latents are zero: nothing was compared"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_their_weights_give_their_numbers_here(architecture: str, tmp_path: Path) -> None:
    made = tmp_path / "made.pt"
    reference("make", architecture, 16, 24, 3, made)
    content = torch.load(made, weights_only=True)
    checkpoint = tmp_path / "checkpoint.pth.tar"
    torch.save({"epoch": 1, "state_dict": content["state"]}, checkpoint)
    network = import_checkpoint(checkpoint, "compressai").network
    assert isinstance(network, MeanScaleHyperprior)
    compare(network, content)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_our_weights_give_our_numbers_there(architecture: str, tmp_path: Path) -> None:
    network = build_network(uniform_spec("tiny", architecture, 16, 24), seed=4)
    with torch.no_grad():
        for layer in (network.g_a[6], network.h_a[4]):
            layer.weight.mul_(40.0)
        network.entropy_bottleneck.quantiles[:, :, 1] += 0.3
    torch.save(network.state_dict(), tmp_path / "ours.pt")
    reference("run", architecture, tmp_path / "ours.pt", tmp_path / "theirs.pt")
    compare(network, torch.load(tmp_path / "theirs.pt", weights_only=True))
