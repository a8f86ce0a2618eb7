"""Validation: silent on a good bundle, exact about one wrong bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from c3d_export.core.errors import BitMismatchError, KnownAnswerError
from c3d_export.deploy.bundle import Export
from c3d_export.deploy.compare import FRAME, KNOWN, ValidationRow
from c3d_export.deploy.graph_certificates import check_certificates
from c3d_export.deploy.matrix import Configuration, FrameJob, NamedFrame, Plan
from c3d_export.deploy.restore import frozen_from_bundle
from c3d_export.deploy.validate import count_rows, validate_bundle
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.bundle import FLAVOURS, GRAPHS, Bundle, parse_bundle
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.sessions import Sessions

MakeFrame = Callable[..., NDArray[np.uint8]]
Repack = Callable[..., bytes]
QLINEAR, FLOAT = (Configuration(flavour, "all", 1) for flavour in FLAVOURS)
BOTH = (QLINEAR, FLOAT)
GRAPHS_ONLY = Plan((QLINEAR,), ((5, 7),), known_answers=False)


def _frames(frame: NDArray[np.uint8], *qualities: int, configurations: Any = (QLINEAR,)) -> Plan:
    jobs = tuple(FrameJob(NamedFrame("f.png", frame), q, configurations) for q in qualities)
    return Plan((), (), jobs)


def test_a_good_bundle_has_no_differing_value(
    tiny_bundle: Bundle, tiny_export: Export, make_frame: MakeFrame
) -> None:
    seen: list[ValidationRow] = []
    frame = NamedFrame("f.png", make_frame(33, 49, 2))
    everywhere, dealt = (FrameJob(frame, 1, BOTH), FrameJob(frame, 8, (FLOAT,)))
    plan = Plan(BOTH, ((1, 1), (5, 7)), (everywhere, dealt))
    report = validate_bundle(tiny_bundle, plan, network=tiny_export.frozen, report=seen.append)
    assert report.exact
    assert report.differing == 0
    assert report.rows == tuple(seen)
    assert len(seen) == count_rows(plan) == 2 * (1 + 2 * len(GRAPHS)) + 2 + 1
    assert report.compared == sum(row.compared for row in seen) > 100_000
    assert {row.what for row in seen} == {*GRAPHS, FRAME, KNOWN}
    assert report.divergence is None
    assert {item.flavour for item in report.certificates} == set(FLAVOURS)
    report.require_exact()
    told = json.loads(json.dumps(report.to_json()))
    assert (told["differing"], told["exact"], len(told["rows"])) == (0, True, len(seen))
    assert told["rows"][0]["level"] == "all"


def test_a_bundle_is_its_own_reference_without_a_network(tiny_bundle: Bundle) -> None:
    report = validate_bundle(tiny_bundle, Plan((QLINEAR,), ((1, 1),)))
    assert report.exact


def test_what_did_not_run_is_not_exact(tiny_bundle: Bundle) -> None:
    assert not validate_bundle(tiny_bundle, Plan((), ())).exact


@pytest.mark.parametrize(
    ("graph", "output"),
    [
        ("g_a", "head_sum"),
        ("h_a", "z"),
        ("h_s", "mean"),
        ("g_cp", "mean"),
        ("g_ep", "index"),
        ("g_s", "pixels_sum"),
    ],
)
def test_one_output_off_by_one_is_named(
    tiny_bundle: Bundle,
    tiny_export: Export,
    monkeypatch: pytest.MonkeyPatch,
    graph: str,
    output: str,
) -> None:
    run = Sessions.run

    def off_by_one(self: Sessions, name: str, feed: Any) -> dict[str, NDArray[Any]]:
        out = run(self, name, feed)
        if name == graph:
            out[output] = out[output].copy()
            out[output][1, 1, 4] ^= 1
        return out

    monkeypatch.setattr(Sessions, "run", off_by_one)
    report = validate_bundle(tiny_bundle, GRAPHS_ONLY, network=tiny_export.frozen)
    assert report.differing == 1
    (row,) = (row for row in report.rows if row.differing)
    assert row.what == graph
    assert row.first.startswith(f"{output}[1, 1, 4]: ")
    named = rf"{graph} 7x5 differs in 1 of .*{output}\[1, 1, 4\].*cpu, flavour qlinear"
    with pytest.raises(BitMismatchError, match=named):
        report.require_exact()


def test_a_wrong_pixel_of_a_frame_is_found(
    tiny_bundle: Bundle,
    tiny_export: Export,
    make_frame: MakeFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Sessions.run

    def off_by_eight(self: Sessions, name: str, feed: Any) -> dict[str, NDArray[Any]]:
        out = run(self, name, feed)
        if name == "g_s":
            out["correction_out"] = out["correction_out"].copy()
            flat = out["correction_out"].reshape(-1)
            flat[0] = flat[0] ^ 16
        return out

    monkeypatch.setattr(Sessions, "run", off_by_eight)
    plan = _frames(make_frame(16, 16, 3), 4)
    report = validate_bundle(tiny_bundle, plan, network=tiny_export.frozen)
    (row,) = (row for row in report.rows if row.differing)
    assert str(row) == "f.png 16x16 quality 4"
    assert row.differing == 1
    assert row.first.startswith("pixels[0, 0, 0]: ")
    with pytest.raises(BitMismatchError, match="look at the passes"):
        report.require_exact()


@pytest.mark.parametrize("cut", [0, 3])
def test_a_wrong_or_short_stream_is_found(
    tiny_bundle: Bundle,
    tiny_export: Export,
    make_frame: MakeFrame,
    monkeypatch: pytest.MonkeyPatch,
    cut: int,
) -> None:
    encode = Codec.encode

    def wrong(self: Codec, frame: NDArray[np.uint8], quality: int | None = None) -> bytes:
        data = bytearray(encode(self, frame, quality))
        data[-1 - cut] ^= 1
        return bytes(data[: len(data) - cut])

    monkeypatch.setattr(Codec, "encode", wrong)
    plan = _frames(make_frame(16, 16, 3), 4)
    report = validate_bundle(tiny_bundle, plan, network=tiny_export.frozen)
    (row,) = report.rows
    assert row.differing == cut + 1
    assert row.first.startswith("stream[")


def test_a_host_that_cannot_decode_the_references_stream_has_no_pixel_right(
    tiny_bundle: Bundle,
    tiny_export: Export,
    make_frame: MakeFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Sessions.run

    def other_indexes(self: Sessions, name: str, feed: Any) -> dict[str, NDArray[Any]]:
        out = run(self, name, feed)
        if name == "g_ep":
            out["index"] = 255 - out["index"]
        return out

    monkeypatch.setattr(Sessions, "run", other_indexes)
    frame = make_frame(16, 16, 3)
    report = validate_bundle(tiny_bundle, _frames(frame, 4), network=tiny_export.frozen)
    (row,) = report.rows
    assert row.differing >= frame.size
    assert row.first.startswith("the reference's stream: ")


Change = Callable[[NDArray[np.int8]], None]


def _edit(data: bytes, member: str, name: str, change: Change) -> bytes:
    """A member with one initialiser changed in place."""
    model = onnx.load_from_string(unpack_archive(data)[member])
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    array = np.array(numpy_helper.to_array(tensor))
    change(array)
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    changed: bytes = model.SerializeToString(deterministic=True)
    assert changed != unpack_archive(data)[member]
    return changed


def _one_unit(weight: NDArray[np.int8]) -> None:
    """From the latent of most energy to the first colour of the first pixel."""
    weight[0, 0] += np.int8(1 if weight[0, 0] < 0 else -1)


def _all_signs(weight: NDArray[np.int8]) -> None:
    np.negative(weight, out=weight)


def _forged(data: bytes, repack: Repack, member: str, name: str, change: Change) -> Bundle:
    """The certificate tells of the new weights."""
    changed = _edit(data, member, name, change)
    path = f"{member.removeprefix('graphs/').removesuffix('.weights')}.{name.rpartition('.')[0]}"

    def certify_again(manifest: dict[str, Any]) -> None:
        bundle = parse_bundle(repack(data, {member: changed}))
        found = check_certificates(bundle, frozen_from_bundle(bundle))
        by_layer = {c.certificate.layer: c.certificate.to_json() for c in found}
        for item in manifest["certificates"]:
            if item["layer"] == path:
                assert item != by_layer[path]
                item.update(by_layer[path])

    return parse_bundle(repack(data, {member: changed}, certify_again))


@pytest.mark.parametrize("configuration", BOTH, ids=FLAVOURS)
def test_a_damaged_graph_is_named_down_to_the_node(
    tiny_bytes: bytes, tiny_export: Export, repack: Repack, configuration: Configuration
) -> None:
    """Packed again with right hashes, and certified again."""
    bundle = _forged(tiny_bytes, repack, "graphs/g_s.weights", "pixels.weight", _one_unit)
    plan = Plan((configuration,), ((5, 7),), known_answers=False)
    report = validate_bundle(bundle, plan, network=tiny_export.frozen)
    found = report.divergence
    assert found is not None
    assert found.layer == "g_s.pixels"
    assert found.node == ("pixels_sum" if configuration == QLINEAR else "pixels.weight.float")
    assert [row.what for row in report.rows if row.differing] == ["g_s"]
    with pytest.raises(BitMismatchError, match=r"first node pixels.* of layer g_s\.pixels"):
        report.require_exact()
    told = json.loads(json.dumps(report.to_json()))["divergence"]
    assert (told["layer"], told["flavour"]) == ("g_s.pixels", configuration.flavour)


def test_damage_that_only_frames_show_is_named_too(
    tiny_bytes: bytes, tiny_export: Export, repack: Repack, make_frame: MakeFrame
) -> None:
    bundle = _forged(tiny_bytes, repack, "graphs/h_s.weights", "mean.weight", _all_signs)
    plan = _frames(make_frame(33, 49, 2), 8, configurations=(FLOAT,))
    report = validate_bundle(bundle, plan, network=tiny_export.frozen)
    assert report.differing > 0
    found = report.divergence
    assert found is not None
    assert (found.graph, found.node, found.layer) == ("h_s", "mean.weight.float", "h_s.mean")


def test_a_graph_that_does_not_run_is_a_difference(
    tiny_bytes: bytes, tiny_export: Export, repack: Repack, make_frame: MakeFrame
) -> None:
    member = "graphs/g_s.float"
    model = onnx.load_from_string(unpack_archive(tiny_bytes)[member])
    (node,) = (n for n in model.graph.node if n.name == "high.0.spatial.sum")
    (pads,) = (a for a in node.attribute if a.name == "pads")
    pads.ints[:] = [0, 0, 0, 0]
    bundle = parse_bundle(repack(tiny_bytes, {member: model.SerializeToString()}))
    plan = Plan((FLOAT,), ((5, 7),), (FrameJob(NamedFrame("f", make_frame(16, 16)), 4, (FLOAT,)),))
    report = validate_bundle(bundle, plan, network=tiny_export.frozen)
    wrong = {row.what: row for row in report.rows if row.differing}
    assert wrong.keys() == {KNOWN, "g_s", FRAME}
    assert wrong["g_s"].differing == wrong["g_s"].compared
    assert wrong["g_s"].first.startswith("does not run: ")
    assert report.divergence is not None
    assert report.divergence.node == "high.0.spatial.sum"


def test_weights_that_changed_after_the_export_fail_the_known_answers(
    tiny_bytes: bytes, repack: Repack
) -> None:
    """The bundle agrees with itself, its certificates too."""
    bundle = _forged(tiny_bytes, repack, "graphs/g_s.weights", "pixels.weight", _all_signs)
    report = validate_bundle(bundle, Plan((QLINEAR,), ((1, 1),)))
    assert {row.what for row in report.rows if row.differing} == {KNOWN}
    assert report.divergence is None
    with pytest.raises(BitMismatchError, match=r"known answers differ in .* answers .*weights"):
        report.require_exact()


@pytest.mark.parametrize(
    ("graph", "layer", "change"),
    [
        ("g_s", "pixels.weight", _one_unit),
        # Elsewhere rounding may hide one unit: four fine indexes, for one, share a table.
        ("g_a", "linear.weight", _all_signs),
        ("h_a", "conv1.weight", _all_signs),
        ("h_s", "mean.weight", _all_signs),
        ("h_s", "index.weight", _all_signs),
        ("g_ep", "index.weight", _all_signs),
        ("g_s", "correction.weight", _all_signs),
    ],
)
def test_wrong_weights_are_caught_when_the_codec_is_opened(
    tiny_bytes: bytes, repack: Repack, tmp_path: Path, graph: str, layer: str, change: Change
) -> None:
    """Every hash is right: only the known answers can tell."""
    member = f"graphs/{graph}.weights"
    path = tmp_path / "forged.c3b"
    path.write_bytes(repack(tiny_bytes, {member: _edit(tiny_bytes, member, layer, change)}))
    with pytest.raises(KnownAnswerError):
        open_codec(path, threads=1)


def test_the_control_of_the_controls(tiny_bytes: bytes, repack: Repack, tmp_path: Path) -> None:
    path = tmp_path / "same.c3b"
    path.write_bytes(repack(tiny_bytes))
    assert path.read_bytes() == tiny_bytes
    open_codec(path, threads=1)


def test_all_that_a_report_tells_of_a_certificate(tiny_bundle: Bundle, tiny_export: Export) -> None:
    report = validate_bundle(tiny_bundle, Plan((), ()), network=tiny_export.frozen)
    told = report.to_json()["certificates"][0]
    assert told.keys() == {
        *("flavour", "fault", "layer", "largest_sum", "largest_pair", "scale_min", "scale_max"),
        "weights",
    }
