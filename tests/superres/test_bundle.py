"""The file of an up-scaler, and what happens to damaged and foreign ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import (
    BundleError,
    BundleFormatError,
    BundleGraphError,
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    BundleVersionError,
    MissingInputError,
    MissingModelError,
)
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.superres import rcan
from c3d_export.superres.bundle import MANIFEST, NETWORK, OPERATORS, parse_bundle, read_bundle
from c3d_export.superres.options import pipelines
from c3d_export.superres.rcan import RcanUpscaler, open_rcan

onnx = pytest.importorskip("onnx")

Manifest = dict[str, Any]


def _forged(
    data: bytes,
    edit: Callable[[Manifest], object] | None = None,
    network: Callable[[Any], object] | None = None,
) -> bytes:
    """The bundle with its manifest or its graph changed, hash and size in agreement."""
    members = unpack_archive(data)
    manifest = json.loads(members[MANIFEST])
    if network is not None:
        model = onnx.load_from_string(members[NETWORK])
        network(model)
        members[NETWORK] = model.SerializeToString()
    graph = members[NETWORK]
    manifest["members"] = {NETWORK: {"sha256": sha256_bytes(graph), "size": len(graph)}}
    if edit is not None:
        edit(manifest)
    return pack_archive({**members, MANIFEST: json.dumps(manifest).encode()})


def test_what_is_written_can_be_read(tiny_upscaler: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tiny-x2.c3u"
    path.write_bytes(tiny_upscaler)
    bundle = read_bundle(path)
    assert bundle.name == "tiny-x2"
    assert bundle.spec.factor == 2
    assert bundle.manifest["licence"] == "CC0-1.0"
    assert parse_bundle(_forged(tiny_upscaler)).graph == bundle.graph


def test_the_graph_uses_every_operator_that_a_reader_allows(tiny_upscaler: bytes) -> None:
    model = onnx.load_from_string(parse_bundle(tiny_upscaler).graph)
    assert {node.op_type.encode() for node in model.graph.node} == {kind for kind, _ in OPERATORS}


def test_every_truncation_is_refused(tiny_upscaler: bytes) -> None:
    for end in (*range(40), *range(0, len(tiny_upscaler), 997)):
        with pytest.raises(BundleError):
            parse_bundle(tiny_upscaler[:end])


def test_every_changed_byte_is_refused(tiny_upscaler: bytes) -> None:
    source = random.Random(2)
    for _ in range(200):
        changed = bytearray(tiny_upscaler)
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
        with pytest.raises(BundleError) as caught:
            parse_bundle(bytes(changed))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda m: m.update(format="c3d-export bundle"), BundleManifestError, "no up-scaler"),
        (lambda m: m.update(version=2), BundleVersionError, "format version 2"),
        (lambda m: m["network"].update(factor=7), BundleManifestError, "enlarge 7 times"),
        (lambda m: m.pop("network"), BundleManifestError, "malformed"),
        (lambda m: m["network"].update(depth=3), BundleManifestError, "malformed"),
        (lambda m: m.pop("members"), BundleMemberError, "alone"),
        (lambda m: m["members"].update(x={}), BundleMemberError, "alone"),
        (lambda m: m["members"][NETWORK].update(size=3), BundleHashError, "differs from its hash"),
    ],
)
def test_manifests_that_lie_are_refused(
    edit: Callable[[Manifest], object],
    error: type[BundleError],
    message: str,
    tiny_upscaler: bytes,
) -> None:
    with pytest.raises(error, match=message):
        parse_bundle(_forged(tiny_upscaler, edit))


def test_members_are_exactly_two(tiny_upscaler: bytes) -> None:
    members = unpack_archive(tiny_upscaler)
    for left in (MANIFEST, NETWORK):
        rest = {name: data for name, data in members.items() if name != left}
        with pytest.raises((BundleManifestError, BundleMemberError)):
            parse_bundle(pack_archive(rest))
    with pytest.raises(BundleMemberError):
        parse_bundle(pack_archive({**members, "more.txt": b""}))


def _external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _other_operator(model: Any) -> None:
    model.graph.node[-1].op_type = "Loop"


def _other_input(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


@pytest.mark.parametrize("edit", [_external, _other_operator, _other_input])
def test_graphs_that_we_do_not_write_are_refused(
    edit: Callable[[Any], None], tiny_upscaler: bytes
) -> None:
    with pytest.raises(BundleGraphError):
        parse_bundle(_forged(tiny_upscaler, network=edit))


def test_a_graph_of_another_factor_than_its_manifest(tiny_upscaler: bytes) -> None:
    import numpy as np

    data = _forged(tiny_upscaler, lambda m: m["network"].update(factor=3))
    upscaler = RcanUpscaler(parse_bundle(data), threads=1)
    with pytest.raises(BundleGraphError, match="instead of"):
        upscaler(np.zeros((4, 4, 3), np.uint8), (12, 12), 3)


def _fewer_channels(model: Any) -> None:
    tail = next(node for node in model.graph.node if node.name == "residual")
    tail.attribute[0].i = 3


def test_a_graph_whose_layers_do_not_fit(tiny_upscaler: bytes) -> None:
    import numpy as np

    from c3d_export.core.errors import C3DError

    data = _forged(tiny_upscaler, network=_fewer_channels)

    def use() -> None:
        RcanUpscaler(parse_bundle(data), threads=1)(np.zeros((4, 4, 3), np.uint8), (8, 8), 2)

    with pytest.raises(C3DError) as caught:
        use()
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


def test_a_codec_bundle_is_no_up_scaler(tiny_bytes: bytes) -> None:
    with pytest.raises(BundleManifestError, match=r"give one that ends in \.c3u"):
        parse_bundle(tiny_bytes)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no up-scaler at"):
        open_rcan(tmp_path / "none.c3u")
    with pytest.raises(MissingInputError):
        open_rcan(tmp_path)
    (tmp_path / "empty.c3u").write_bytes(b"")
    with pytest.raises(BundleFormatError):
        open_rcan(tmp_path / "empty.c3u")


def test_without_a_shipped_one_the_command_that_makes_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rcan, "shipped_folders", lambda: (tmp_path,))
    with pytest.raises(MissingModelError, match="train --task sr"):
        open_rcan()


def test_rcan_is_left_out_at_factors_that_it_cannot(tiny_upscaler: bytes, tmp_path: Path) -> None:
    from c3d_export.core.errors import OptionError

    path = tmp_path / "tiny.c3u"
    path.write_bytes(tiny_upscaler)
    made = pipelines(None, [], [2, 1.5], ["fsr", "rcan"], path)
    assert [item.supersampled for item in made] == ["2 fsr", "2 rcan", "1.5 fsr"]
    with pytest.raises(OptionError, match="enlarges 2 times"):
        pipelines(None, [], [1.5, 1.3], ["rcan"], path)
