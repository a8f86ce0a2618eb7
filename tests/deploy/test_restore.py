"""Bundles are enough to go on from: the same integers, frozen again from floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from c3d_export import __version__
from c3d_export.core.errors import BundleGraphError, BundleManifestError
from c3d_export.deploy.bundle import Export, Provenance, build_bundle, export_network
from c3d_export.deploy.restore import (
    frozen_from_bundle,
    parameters_from,
    spec_of,
    tables_from,
    trainable_from_bundle,
)
from c3d_export.models.network import Codec
from c3d_export.quantize.freeze import Parameters, freeze, parameters_of
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.bundle import Bundle, parse_bundle

Repack = Callable[..., bytes]


@pytest.fixture(scope="module")
def trainable(tiny_bundle: Bundle) -> Codec:
    return trainable_from_bundle(tiny_bundle)


def _integers(frozen: Codec) -> dict[str, torch.Tensor]:
    """Weights, biases and scales of every layer."""
    return {name: t for name, t in frozen.named_buffers() if not name.endswith("center")}


def _assert_same(one: Codec, other: Codec) -> None:
    first, second = _integers(one), _integers(other)
    assert first.keys() == second.keys()
    assert len(first) > 60
    assert [n for n in first if not torch.equal(first[n], second[n])] == []


def test_the_integers_come_back(tiny_bundle: Bundle, tiny_export: Export) -> None:
    assert spec_of(tiny_bundle) == tiny_export.frozen.spec
    _assert_same(frozen_from_bundle(tiny_bundle), tiny_export.frozen)


def test_the_trainable_network_freezes_to_the_same_integers(
    trainable: Codec, tiny_export: Export
) -> None:
    first, second = _integers(freeze(trainable)), _integers(tiny_export.frozen)
    assert first.keys() == second.keys()
    differ = [n for n in first if not torch.equal(first[n], second[n])]
    # The one layer so wide that the sum of its weights sets the grid: once they are rounded, the
    # sum is another, by so little that they are the same integers again.
    assert set(differ) <= {"h_a.conv1.scale"}
    for name in differ:
        assert torch.allclose(first[name], second[name], rtol=1e-2, atol=0)


def _same_parameters(one: Parameters, other: Parameters, names: tuple[str, ...]) -> None:
    for name in names:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_the_parameters_come_back(
    trainable: Codec, tiny_bundle: Bundle, tiny_export: Export
) -> None:
    rated = ("step", "offset", "reciprocal", "planes", "z_index")
    _same_parameters(parameters_from(tiny_bundle), tiny_export.parameters, (*rated, "rounding"))
    _same_parameters(parameters_of(trainable), tiny_export.parameters, rated)


def test_the_tables_come_back(tiny_bundle: Bundle, tiny_export: Export) -> None:
    bank = tables_from(tiny_bundle)
    for name in ("frequencies", "shapes"):
        assert np.array_equal(getattr(bank, name), getattr(tiny_export.bank, name))


def test_exporting_it_again_writes_the_same_graphs(trainable: Codec, tiny_export: Export) -> None:
    again = export_network(trainable).graphs
    assert again.keys() == tiny_export.graphs.keys()
    differ = {name for name in again if again[name] != tiny_export.graphs[name]}
    assert differ <= {"graphs/h_a.weights"}  # the scale of its widest layer, see above


def test_it_can_be_trained(trainable: Codec, tiny_model: Codec) -> None:
    assert not any(p.isnan().any() for p in trainable.parameters())
    assert trainable.state_dict().keys() == tiny_model.state_dict().keys()
    frame = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        pictures = [m.eval()(frame, torch.tensor([3])).x_hat for m in (trainable, tiny_model)]
    # The float networks differ by the rounding of the weights.
    assert float((pictures[0] - pictures[1]).abs().mean()) < 6.0


@pytest.mark.parametrize("spec", [{}, {"latents": "many"}, {"unknown": 1}, {"g_a": "text"}])
def test_a_network_of_another_family(
    tiny_bytes: bytes, repack: Repack, spec: dict[str, Any]
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        kept = {k: manifest["spec"][k] for k in ("qualities", "latents", "hyper", "planes")}
        manifest["spec"] = kept if not spec else {**manifest["spec"], **spec}

    with pytest.raises(BundleManifestError):
        frozen_from_bundle(parse_bundle(repack(tiny_bytes, None, edit)))


def test_layers_of_another_width(tiny_bytes: bytes, repack: Repack) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["spec"]["h_a"] += 1

    with pytest.raises(BundleManifestError, match=r"h_a\.conv1"):
        frozen_from_bundle(parse_bundle(repack(tiny_bytes, None, edit)))


def test_a_graph_in_the_place_of_another(tiny_bytes: bytes, repack: Repack) -> None:
    members = unpack_archive(tiny_bytes)
    parts = ("qlinear", "float", "weights")
    moved = {f"graphs/g_a.{part}": members[f"graphs/h_a.{part}"] for part in parts}
    with pytest.raises(BundleGraphError, match="g_a"):
        parse_bundle(repack(tiny_bytes, moved))


def test_layers_that_are_not_the_networks(tiny_bundle: Bundle) -> None:
    graphs = {**tiny_bundle.graphs, ("g_a", "qlinear"): tiny_bundle.graphs["h_a", "qlinear"]}
    with pytest.raises(BundleManifestError, match="g_a"):
        frozen_from_bundle(Bundle(tiny_bundle.id, tiny_bundle.manifest, tiny_bundle.arrays, graphs))


def test_building_twice_gives_the_same_bytes(tiny_export: Export, tiny_bytes: bytes) -> None:
    provenance = Provenance("tiny", "synthetic", "CC0-1.0", {"steps": 0})
    assert build_bundle(tiny_export, provenance) == tiny_bytes


def test_another_name_is_another_codec_with_the_same_members(
    tiny_export: Export, tiny_bytes: bytes
) -> None:
    other = build_bundle(tiny_export, Provenance("other"))
    assert parse_bundle(other).id != parse_bundle(tiny_bytes).id
    members, wanted = unpack_archive(other), unpack_archive(tiny_bytes)
    assert {n for n in wanted if members[n] != wanted[n]} == {"manifest.json", "card.md"}


def test_a_bundle_says_where_it_comes_from(tiny_bundle: Bundle, tiny_bytes: bytes) -> None:
    manifest = tiny_bundle.manifest
    told = {k: manifest[k] for k in ("name", "game", "licence", "training")}
    assert told == {
        "name": "tiny",
        "game": "synthetic",
        "licence": "CC0-1.0",
        "training": {"steps": 0},
    }
    assert manifest["provenance"]["versions"]["c3d-export"] == __version__
    assert {"numpy", "onnx", "python", "torch"} < manifest["provenance"]["versions"].keys()
    card = unpack_archive(tiny_bytes)["card.md"].decode()
    assert card.startswith("# tiny\n")
    assert "frames of synthetic" in card
    assert "CC0-1.0" in card
