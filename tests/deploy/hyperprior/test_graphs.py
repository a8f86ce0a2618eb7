"""The graphs of float transforms: only what a host's list allows, and nothing less."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from c3d_export.core.errors import BundleGraphError, CertificateError
from c3d_export.deploy.hyperprior import restore
from c3d_export.deploy.hyperprior.restore import restore_path, restore_transforms
from c3d_export.deploy.hyperprior.tables import factorised_tables
from c3d_export.deploy.hyperprior.validate import validate_hyperprior
from c3d_export.models.mbt.entropy import EntropyBottleneck
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.graphcheck import check_hyperprior_graph
from c3d_export.runtime.graphlists import HYPERPRIOR_OPERATORS

from .conftest import Made


def test_the_lists_of_a_host_are_what_is_written(made: Made) -> None:
    used: dict[tuple[bytes, bytes], set[bytes]] = {}
    for data in made.export.graphs.values():
        for node in onnx.load_model_from_string(data).graph.node:
            key = (node.op_type.encode(), node.domain.encode())
            used.setdefault(key, set()).update(a.name.encode() for a in node.attribute)
    allowed = {
        key: set(attributes) - {b"group"} for key, attributes in HYPERPRIOR_OPERATORS.items()
    }
    assert used == allowed


def test_a_graph_of_another_operator_is_refused(made: Made) -> None:
    model = onnx.load_model_from_string(made.export.graphs["g_s"])
    check_hyperprior_graph(model.SerializeToString(), "g_s")
    model.graph.node[1].op_type = "Loop"
    with pytest.raises(BundleGraphError, match="Loop"):
        check_hyperprior_graph(model.SerializeToString(), "g_s")


def test_no_path_of_this_host_is_in_a_graph(made: Made) -> None:
    for data in made.export.graphs.values():
        assert b"/root" not in data
        assert b"/home" not in data
        assert b".py" not in data


@torch.no_grad()
def test_a_bundle_gives_its_networks_back(made: Made) -> None:
    """The integers bit for bit, the transforms to what float32 keeps of GDN's parameters."""
    path, wanted = restore_path(made.bundle), made.export.path
    layers = [*path.h_s.layers()]
    pairs = zip(layers, wanted.h_s.layers(), strict=True)
    for got, layer in pairs:
        for name, buffer in layer.named_buffers():
            assert torch.equal(getattr(got, name), buffer), name
    assert path.certificates() == wanted.certificates()
    network = restore_transforms(made.bundle)
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(network.g_a(x), made.export.network.g_a(x), rtol=1e-4, atol=1e-4)


def test_certificates_of_other_weights_are_refused(made: Made, repack: object) -> None:
    def edit(manifest: dict[str, list[dict[str, int]]]) -> None:
        manifest["certificates"][0]["largest_sum"] -= 1

    assert callable(repack)
    forged = parse_bundle(repack(made.data, edit=edit))
    with pytest.raises(CertificateError, match="not those of the bundle's weights"):
        validate_hyperprior(forged, [])


@torch.no_grad()
def test_tables_of_z_are_the_factorised_prior() -> None:
    torch.manual_seed(4)
    prior = EntropyBottleneck(3)
    prior.quantiles[:, 0, 1] = torch.tensor([-0.3, 0.0, 0.4])
    low, high = np.array([-5, 0, -300], np.int16), np.array([7, 9, 300], np.int16)
    bank = factorised_tables(prior, low, high)
    assert bank.shapes[:, 2:].tolist() == [[5, 7], [0, 9], [255, 255]]
    first = bank.frequencies[: 5 + 7 + 2] / 2.0 ** bank.shapes[0, 0]
    distance = torch.tensor([0, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7.0])
    wanted = prior.likelihood(prior.medians()[:, None, None] + distance)[0, 0].numpy()
    np.testing.assert_allclose(first[:-1], wanted, rtol=0.02, atol=2.0**-14)


def test_a_bias_beyond_float32_is_restored() -> None:
    """Its parts are exact in float32, the whole of them is not."""
    parts = {"h_s.1.upper.bias": 1 << 23, "h_s.1.lower.bias": 5}
    constants = {name: np.array([value], np.float32) for name, value in parts.items()}
    assert restore._whole(constants, "h_s.1", "bias", 16) == [(1 << 27) + 5]
