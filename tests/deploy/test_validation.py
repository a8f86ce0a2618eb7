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

from c3d_export.core.errors import BitMismatchError, CertificateError, KnownAnswerError
from c3d_export.deploy.validate import (
    CONFIGURATIONS,
    Configuration,
    ValidationRow,
    validate_bundle,
)
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.bundle import GRAPHS, Bundle, parse_bundle
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.sessions import Sessions

MakeFrame = Callable[..., NDArray[np.uint8]]
Repack = Callable[..., bytes]
ONE = (Configuration("qlinear", "all", 1),)


def test_configurations_cover_flavours_optimisation_and_threads() -> None:
    chosen = {(c.flavour, c.level, c.threads) for c in CONFIGURATIONS}
    flavours, levels = ("qlinear", "float"), ("none", "all")
    assert chosen == {(f, level, t) for f in flavours for level in levels for t in (1, 2)}


def test_a_good_bundle_has_no_differing_value(tiny_bundle: Bundle, make_frame: MakeFrame) -> None:
    seen: list[ValidationRow] = []
    configurations = [c for c in CONFIGURATIONS if c.threads == 1 or c.level == "all"]
    report = validate_bundle(
        tiny_bundle, [make_frame(33, 49, 2)], [1, 8], configurations, seen.append
    )
    assert report.differing == 0
    assert report.rows == tuple(seen)
    assert len(seen) == len(configurations) * (len(GRAPHS) + 2)
    assert report.compared == sum(row.compared for row in seen) > 100_000
    assert {row.what for row in seen} == {
        *GRAPHS,
        "frame 49x33 quality 1",
        "frame 49x33 quality 8",
    }
    report.require_exact()
    assert json.loads(json.dumps(report.to_json()))["differing"] == 0


@pytest.mark.parametrize(
    ("graph", "output"),
    [
        ("g_a", "head_sum"),
        ("h_a", "z"),
        ("h_s", "mean"),
        ("g_cp", "mean"),
        ("g_ep", "index"),
        ("g_s", "base_out"),
    ],
)
def test_one_output_off_by_one_is_named(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, graph: str, output: str
) -> None:
    run = Sessions.run

    def off_by_one(self: Sessions, name: str, feed: Any) -> dict[str, NDArray[Any]]:
        out = run(self, name, feed)
        if name == graph:
            out[output] = out[output].copy()
            out[output][2, 3, 4] ^= 1
        return out

    monkeypatch.setattr(Sessions, "run", off_by_one)
    report = validate_bundle(tiny_bundle, [], None, ONE)
    assert report.differing == 1
    (row,) = (row for row in report.rows if row.differing)
    assert row.what == graph
    assert row.first.startswith(f"{output}[2, 3, 4]: ")
    with pytest.raises(BitMismatchError, match=rf"{graph} differs in 1 of .*{output}\[2, 3, 4\]"):
        report.require_exact()


def test_a_wrong_pixel_of_a_frame_is_found(
    tiny_bundle: Bundle, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Sessions.run

    def off_by_two(self: Sessions, name: str, feed: Any) -> dict[str, NDArray[Any]]:
        out = run(self, name, feed)
        if name == "g_s" and out["base_out"].shape[0] == 1:
            out["base_out"] = out["base_out"].copy()
            flat = out["base_out"].reshape(-1)
            flat[0] = flat[0] ^ 2
        return out

    monkeypatch.setattr(Sessions, "run", off_by_two)
    report = validate_bundle(tiny_bundle, [make_frame(16, 16, 3)], [4], ONE)
    (row,) = (row for row in report.rows if row.differing)
    assert row.what == "frame 16x16 quality 4"
    assert row.differing == 1
    assert row.first.startswith("pixels[0, 0, 0]: ")


Change = Callable[[NDArray[np.int8]], None]


def _edit_weights(data: bytes, graph: str, name: str, change: Change) -> bytes:
    """The weights member of a graph, one layer of it changed in place."""
    model = onnx.load_from_string(unpack_archive(data)[f"graphs/{graph}.weights"])
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    array = np.array(numpy_helper.to_array(tensor))
    assert array.dtype == np.int8
    change(array)
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    changed: bytes = model.SerializeToString(deterministic=True)
    return changed


def _one_unit(weight: NDArray[np.int8]) -> None:
    """From the latent of most energy to the first colour of the first pixel."""
    weight[0, 0] += np.int8(1 if weight[0, 0] < 0 else -1)


def _all_signs(weight: NDArray[np.int8]) -> None:
    np.negative(weight, out=weight)


@pytest.mark.parametrize(
    ("graph", "layer", "change"),
    [
        ("g_s", "base.weight", _one_unit),
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
    changed = _edit_weights(tiny_bytes, graph, layer, change)
    assert changed != unpack_archive(tiny_bytes)[member]
    path = tmp_path / "forged.c3b"
    path.write_bytes(repack(tiny_bytes, {member: changed}))
    with pytest.raises(KnownAnswerError):
        open_codec(path, threads=1)


def test_the_control_of_the_controls(tiny_bytes: bytes, repack: Repack, tmp_path: Path) -> None:
    path = tmp_path / "same.c3b"
    path.write_bytes(repack(tiny_bytes))
    assert path.read_bytes() == tiny_bytes
    open_codec(path, threads=1)


def test_weights_that_the_certificate_forbids_are_refused(
    tiny_bytes: bytes, repack: Repack
) -> None:
    changed = _edit_weights(tiny_bytes, "h_s", "conv2.weight", lambda weight: weight.fill(127))
    bundle = parse_bundle(repack(tiny_bytes, {"graphs/h_s.weights": changed}))
    with pytest.raises(CertificateError, match=r"h_s\.conv2"):
        validate_bundle(bundle, [], None, ONE)
