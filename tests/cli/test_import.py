"""`import`: what is written, what is said, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from c3d_export.models.mbt.network import build_network
from c3d_export.models.mbt.saving import load
from c3d_export.models.mbt.spec import uniform_spec

from .conftest import Run


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pth.tar"
    network = build_network(uniform_spec("tiny", "mbt2018", 8, 12))
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, path)
    return path


def test_a_checkpoint_becomes_a_model(run: Run, workspace: Path, checkpoint: Path) -> None:
    done = run("import", checkpoint, "--family", "compressai", "-o", "mine", "--json")
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    assert (result["network"], result["ignored"]) == ("mbt2018", ["epoch"])
    network, state = load(workspace / "models" / "mine" / "model.safetensors")
    wanted = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(t, wanted[name]) for name, t in network.state_dict().items())
    assert (state["stage"], state["source"]["file"]) == ("import", "tiny.pth.tar")


def test_what_is_there_is_only_replaced_by_force(
    run: Run, workspace: Path, checkpoint: Path
) -> None:
    command = ("import", checkpoint, "--family", "compressai", "-o", "mine")
    assert run(*command).exit_code == 0
    again = run(*command)
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert run(*command, "--force").exit_code == 0


def test_faults_are_listed_and_nothing_is_written(
    run: Run, workspace: Path, checkpoint: Path
) -> None:
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    del state["h_a.2.bias"]
    torch.save(state, checkpoint)
    done = run("import", checkpoint, "--family", "compressai", "-o", "mine")
    assert (done.exit_code, done.stdout) == (5, "")
    assert "  missing h_a.2.bias\n" in done.stderr
    assert "1 tensors do not fit; nothing was written" in done.stderr
    assert not workspace.exists()
    listed = run("import", checkpoint, "--family", "compressai", "-o", "mine", "--json")
    assert json.loads(listed.stdout) == {"faults": ["missing h_a.2.bias"]}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("none.pt", "--family", "compressai", "-o", "mine"), 2),
        (("none.pt", "--family", "hevc", "-o", "mine"), 2),
        (("none.pt", "--family", "compressai", "-o", "../mine"), 2),
        (("none.pt", "--family", "compressai"), 2),
    ],
)
def test_wrong_usage(run: Run, workspace: Path, arguments: tuple[str, ...], code: int) -> None:
    assert run("import", *arguments).exit_code == code
    assert not workspace.exists()
