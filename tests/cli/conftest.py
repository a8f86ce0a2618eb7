"""A small bundle, some frames, and a way to run commands in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from torch import nn

from c3d_export.cli.main import main
from c3d_export.deploy.bundle import Provenance, build_bundle, export_network
from c3d_export.models.klt import initialize_from_frames
from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import build_network
from c3d_export.models.spec import SIZES
from c3d_export.runtime.images import write_image

Run = Callable[..., Result]
Frame = NDArray[np.uint8]


def make_bundle(frame: Frame, name: str, *, qualities: int = 3) -> bytes:
    """The untrained network of the smallest size, as the transform codec of one frame."""
    network = build_network(replace(SIZES["xsmall"], qualities=qualities))
    initialize_from_frames(network, [torch.from_numpy(frame.copy())], [1.0])
    _leave_zero(network)
    return build_bundle(export_network(network), Provenance(name))


def _leave_zero(network: nn.Module) -> None:
    """The first steps of a training give every layer weights; one of zeros has no integer scale."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, IntConv2d):
                module.weight.add_(torch.randn_like(module.weight), alpha=1e-3)


@pytest.fixture(scope="session")
def bundle_data(frame: Frame) -> bytes:
    return make_bundle(frame, "tiny")


@pytest.fixture
def bundle(bundle_data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.c3b"
    path.write_bytes(bundle_data)
    return path


@pytest.fixture
def images(frame: Frame, tmp_path: Path) -> Path:
    """A folder of two frames, of two sizes."""
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "a.png", frame)
    write_image(folder / "b.png", np.ascontiguousarray(frame[:33, :50]))
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace and store, in a place where neither samples nor shipped bundles are."""
    monkeypatch.setattr("c3d_export.data.locate.source_root", lambda: None)
    monkeypatch.setattr("c3d_export.runtime.shipped.shipped_folders", lambda: (tmp_path / "none",))
    monkeypatch.setenv("C3D_WORKSPACE", str(tmp_path / "work"))
    monkeypatch.setenv("C3D_STORE", str(tmp_path / "store"))
    return tmp_path / "work"


@pytest.fixture
def run(workspace: Path) -> Run:
    """Runs a command; the result has exit_code, stdout, stdout_bytes and stderr."""

    def invoke(*args: object, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)

    return invoke
