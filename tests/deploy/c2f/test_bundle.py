"""From a network to a bundle and back: the same bytes, the same integers, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from c3d_export.core.errors import (
    BitMismatchError,
    BundleError,
    BundleGraphError,
    BundleManifestError,
    CertificateError,
    OptionError,
)
from c3d_export.deploy.c2f.bundle import as_tensor, build_bundle, export_network
from c3d_export.deploy.c2f.restore import restore_path, restore_transforms, steps
from c3d_export.deploy.families import make_bundle, validate_family
from c3d_export.deploy.floatbundle import npy
from c3d_export.models.c2f.network import build_network
from c3d_export.quantize.post.c2f_tables import BINS
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.c2f.bundle import LARGEST
from c3d_export.runtime.c2f.known import check_known_answers
from c3d_export.runtime.graphcheck import check_model
from c3d_export.runtime.graphlists import C2F_OPERATORS, c2f_ports

from ...models.c2f.specs import SMALL
from ..hyperprior.conftest import picture
from .bundles import PROVENANCE, Made, gaussian_tables, made_of, with_constants

Repack = Callable[..., bytes]


def test_the_same_network_and_frames_give_the_same_bytes() -> None:
    made, frames = made_of(False), [picture(128, 128, seed) for seed in range(2)]
    assert make_bundle(made.export.network, frames, PROVENANCE) == made.data


def test_a_bundle_is_what_was_exported(made: Made) -> None:
    bundle, export = made.bundle, made.export
    assert (bundle.family, bundle.name, bundle.qualities) == ("c2f", "tiny", 1)
    spec = {**export.network.spec.to_json(), "qualities": 1}
    assert bundle.manifest["spec"] == _as_json(spec)
    assert bundle.manifest["fraction"] == export.path.fraction
    assert np.array_equal(bundle.arrays["bins"], BINS)
    for name, bank in (("", export.bank), ("top_", export.top)):
        assert np.array_equal(bundle.arrays[f"{name}frequencies"], bank.frequencies)
        assert np.array_equal(bundle.arrays[f"{name}shapes"], bank.shapes)
    assert {f"{graph}": data for (graph, _), data in bundle.graphs.items()} == export.graphs
    for name, level in (("z2", export.path.fine), ("z1", export.path.coarse)):
        assert (f"{name}_low" in bundle.arrays) == (level is not None)
        if level is not None:
            assert np.array_equal(bundle.arrays[f"{name}_high"], level.source.high)
    check_known_answers(made.codec)
    check_known_answers(made.graph_codec)


def _as_json(value: object) -> object:
    import json

    return json.loads(json.dumps(value))


def test_tables_are_fitted_to_the_frames(made: Made) -> None:
    """What the calibration had costs less by them than by the Gaussians of the network."""
    codec, plain = made.codec, replace(made.export, bank=gaussian_tables()).codec(PROVENANCE)
    sizes = [0, 0]
    for seed in range(2):
        latents = codec.analyse(picture(128, 128, seed))
        for n, way in enumerate((codec, plain)):
            sizes[n] += sum(map(len, way.packed(latents)))
    assert sizes[0] < 0.95 * sizes[1]


def test_the_lists_of_a_host_are_what_is_written(made: Made) -> None:
    used: dict[tuple[bytes, bytes], set[bytes]] = {}
    graphs = {**made_of(True).export.graphs, **made.export.graphs}
    for data in graphs.values():
        for node in onnx.load_model_from_string(data).graph.node:
            key = (node.op_type.encode(), node.domain.encode())
            used.setdefault(key, set()).update(a.name.encode() for a in node.attribute)
    allowed = {key: set(attributes) - {b"group"} for key, attributes in C2F_OPERATORS.items()}
    assert used == allowed
    coarse = made.export.path.coarse is not None
    assert c2f_ports(coarse).keys() == made.export.graphs.keys()


def test_a_graph_of_another_operator_is_refused(made: Made) -> None:
    coarse = made.export.path.coarse is not None
    for name, ports in c2f_ports(coarse).items():
        model = onnx.load_model_from_string(made.export.graphs[name])
        check_model(model.SerializeToString(), name, name, ports, C2F_OPERATORS)
        model.graph.node[-1].op_type = "Loop"
        with pytest.raises(BundleGraphError, match="Loop"):
            check_model(model.SerializeToString(), name, name, ports, C2F_OPERATORS)


def test_no_path_of_this_host_is_in_a_graph(made: Made) -> None:
    for data in made.export.graphs.values():
        assert not any(part in data for part in (b"/root", b"/home", b".py", b"torch"))


@torch.no_grad()
def test_a_bundle_gives_its_networks_back(made: Made) -> None:
    """The integers bit for bit, the transforms to what float32 keeps of GDN's parameters."""
    path, wanted = restore_path(made.bundle), made.export.path
    assert path.fraction == wanted.fraction
    assert path.levels().keys() == wanted.levels().keys()
    for name, level in path.levels().items():
        layers = wanted.levels()[name].named_layers()
        for (got_name, got), (layer_name, layer) in zip(level.named_layers(), layers, strict=True):
            assert got_name == layer_name
            for buffer_name, buffer in layer.named_buffers():
                assert torch.equal(getattr(got, buffer_name), buffer), (layer_name, buffer_name)
    assert path.certificates() == wanted.certificates()
    biases = [layer.bias.abs().max() for level in path.levels().values()
              for _, layer in level.named_layers()]  # fmt: skip
    # With z1 one is beyond what float32 holds.
    assert (max(biases) > 2**24) == (wanted.coarse is not None)
    network, own = restore_transforms(made.bundle), made.export.network
    x = as_tensor(picture(64, 64, 3))
    torch.testing.assert_close(network.g_a(x), own.g_a(x), rtol=1e-4, atol=1e-4)
    z = own.analyse(x)
    torch.testing.assert_close(network.h_a2(z.z3), own.h_a2(z.z3))
    h1 = None if own.h_s1 is None else own.h_s1(z.z1)
    pictures = [n.reconstruct(z.z3, own.h_s2(z.z2), h1) for n in (network, own)]
    torch.testing.assert_close(*pictures, rtol=1e-4, atol=1e-4)
    unit = steps(made.bundle)
    assert torch.equal(unit["h2"].reshape(-1), wanted.fine.features.step.float())
    assert ("h1" in unit) == (wanted.coarse is not None)


def test_validation_finds_no_difference(made: Made) -> None:
    report = validate_family(made.bundle, [("one", picture(70, 64, 9))])
    assert report.differing == 0
    report.require_exact()
    levels = len(made.export.path.levels())
    assert report.certificates == 9 * levels + 15
    # A frame and noise, three outputs, four ways as graphs and eight in C; the streams; pixels of
    # noise by eight ways and of the frame by two.
    subjects = 2
    assert len(report.integers) == levels * subjects * 3 * 12 + 2 + 10
    ways = {row.way for row in report.integers}
    assert {f"kernel {k}, {t} threads" for k in range(4) for t in (1, 2)} < ways
    assert {f"graph, level {o}, {t} threads" for o in ("none", "all") for t in (1, 2)} < ways
    assert sum(row.compared for row in report.integers) > 25_000
    assert {row.subject for row in report.floats} == {"known frame", "one"}
    assert max(row.largest for row in report.floats) <= 1
    assert max(row.differing_percent for row in report.floats) < 1


def _heavier(constants: dict[str, np.ndarray]) -> None:
    constants["predictor.index.lower.weight"][...] += 4


def test_validation_tells_of_other_integers(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that adds one to one mean."""
    from c3d_export.runtime.c2f.level import Level

    call = Level.__call__

    def wrong(self: Level, z: np.ndarray) -> object:
        out = call(self, z)
        out[2].reshape(-1)[3] += 1
        return out

    monkeypatch.setattr(Level, "__call__", wrong)
    report = validate_family(made.bundle, [])
    assert report.differing == len(made.export.path.levels()) * 8
    with pytest.raises(BitMismatchError, match=r"mean of noise \(kernel 0, 1 threads\)"):
        report.require_exact()


def test_certificates_of_other_weights_are_refused(made: Made, repack: Repack) -> None:
    def edit(manifest: dict[str, list[dict[str, int]]]) -> None:
        manifest["certificates"][0]["largest_sum"] -= 1

    forged = parse_bundle(repack(made.data, edit=edit))
    with pytest.raises(CertificateError, match="not those of the bundle's weights"):
        validate_family(forged, [])
    graph = with_constants(made.bundle.graphs["side3", "float"], _heavier)
    forged = parse_bundle(repack(made.data, {"graphs/side3.float": graph}))
    with pytest.raises(CertificateError):
        validate_family(forged, [])


def test_a_proof_that_does_not_hold_is_refused(made: Made, repack: Repack) -> None:
    """z may be larger than what the weights were made for."""
    a = made.bundle.arrays
    changes = {
        f"arrays/z2_{end}.npy": npy(np.full_like(a[f"z2_{end}"], sign * LARGEST))
        for end, sign in (("low", -1), ("high", 1))
    }
    forged = parse_bundle(repack(made.data, changes))
    with pytest.raises(CertificateError, match=r"side3\.h_s\.0 cannot be exact"):
        validate_family(forged, [])


SPECS: dict[str, Callable[[dict[str, object]], object]] = {
    "no widths": lambda s: s.pop("g_a"),
    "widths of text": lambda s: s.update(g_s=["a", "b", "c"]),
    "an unknown field": lambda s: s.update(more=1),
    "all the memory there is": lambda s: s.update(g_a=[9000, 9000, 9000]),
}


@pytest.mark.parametrize("fault", SPECS)
def test_widths_that_are_none_of_ours_do_not_restore(
    fault: str, made: Made, repack: Repack
) -> None:
    forged = parse_bundle(repack(made.data, edit=lambda m: SPECS[fault](m["spec"])))
    with pytest.raises(BundleManifestError, match="widths"):
        restore_transforms(forged)


def test_widths_of_another_network_do_not_restore(made: Made, repack: Repack) -> None:
    """Wider ones take no memory: a hostile spec asks for as much as there is."""
    for widths in ([7, 8, 10], [8192, 8192, 8192]):
        forged = parse_bundle(repack(made.data, edit=lambda m, w=widths: m["spec"].update(g_a=w)))
        with pytest.raises(BundleGraphError, match="none of ours"):
            restore_transforms(forged)


LEVELS: dict[str, Callable[[dict[str, Any]], object]] = {
    "missing": lambda c: c.pop("predictor.conv2.radix"),
    "infinite": lambda c: c.update({"h_s.1.radix": np.float32(np.inf)}),
    "two": lambda c: c.update({"h_s.1.radix": np.float32([4, 4])}),
    "fewer": lambda c: c.update({"h_s.0.scale": c["h_s.0.scale"][:, 1:]}),
}


@pytest.mark.parametrize("fault", LEVELS)
def test_levels_that_are_none_of_ours_do_not_validate(
    fault: str, made: Made, repack: Repack
) -> None:
    graph = with_constants(made.bundle.graphs["side3", "float"], LEVELS[fault])
    with pytest.raises(BundleError):
        validate_family(parse_bundle(repack(made.data, {"graphs/side3.float": graph})), [])


def test_networks_without_room_or_frames_are_refused() -> None:
    with pytest.raises(OptionError, match="no frames"):
        export_network(made_of(True).export.network, [])
    coarse = SMALL.coarse
    assert coarse is not None
    wide = build_network(replace(SMALL, coarse=replace(coarse, latents=257)))
    with pytest.raises(OptionError, match="257 coarsest latents"):
        export_network(wide, [picture(64, 64)])


def test_known_answers_are_asked_of_what_is_shipped(made: Made) -> None:
    """An export that another network's tables were put into gives other answers."""
    other = replace(made.export, bank=gaussian_tables())
    answers = [
        parse_bundle(build_bundle(export, PROVENANCE)).manifest["known_answers"]
        for export in (made.export, other)
    ]
    graphs = len(made.export.path.levels())
    assert answers[0][:graphs] == answers[1][:graphs]
    assert answers[0][graphs] != answers[1][graphs]
    assert answers[0][-1] == answers[1][-1], "the latents are the same"
