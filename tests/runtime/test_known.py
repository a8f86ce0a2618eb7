"""Known answers: their frame is the same everywhere, and a difference closes the codec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export import _arith
from c3d_export.core.errors import BundleFormatError, BundleManifestError, KnownAnswerError
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.known import check_known_answers, compute_known_answers, known_frame
from c3d_export.runtime.sessions import SessionOptions, Sessions

Repack = Callable[..., bytes]
ONE = SessionOptions(threads=1)
CHECKSUM = 0x83768E7


def test_the_frame_never_changes() -> None:
    """Bundles in the field hold answers for it: this number must stay."""
    frame = known_frame()
    assert frame.shape == (72, 104, 3)
    assert frame.dtype == np.uint8
    assert _arith.crc32c(frame) == CHECKSUM


def test_the_frame_has_edges_gradients_and_noise() -> None:
    frame = known_frame().astype(int)
    assert np.unique(frame).size > 200
    assert np.abs(np.diff(frame, axis=1)).max() > 60
    assert frame.shape[0] % 16
    assert frame.shape[1] % 16


def test_answers_cover_the_ends_and_the_middle(tiny_codec: Codec) -> None:
    every = compute_known_answers(tiny_codec)
    graphs, answers = every[:6], every[6:]
    assert [answer["graph"] for answer in graphs] == ["g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s"]
    assert [answer["quality"] for answer in answers] == [1, 4, 8]
    assert len({answer["payload"] for answer in answers}) == 3
    assert len({answer["frame"] for answer in answers}) == 3
    assert every == tiny_codec.bundle.manifest["known_answers"]


@pytest.mark.parametrize("flavour", ["qlinear", "float"])
def test_both_flavours_give_them(tiny_path: Path, flavour: str) -> None:
    assert open_codec(tiny_path, flavour=flavour, threads=1).sessions.flavour == flavour


@pytest.mark.parametrize("field", ["payload", "frame", "quality"])
def test_another_answer(tiny_bytes: bytes, repack: Repack, tmp_path: Path, field: str) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["known_answers"][-2][field] ^= 1

    path = tmp_path / "other.c3b"
    path.write_bytes(repack(tiny_bytes, None, edit))
    with pytest.raises(KnownAnswerError, match="flavour qlinear"):
        open_codec(path, threads=1)


@pytest.mark.parametrize(
    ("graph", "output"),
    [
        ("g_a", "head_sum"),
        ("h_a", "z"),
        ("h_s", "index"),
        ("g_cp", "index"),
        ("g_ep", "mean"),
        ("g_s", "base_out"),
    ],
)
def test_one_unit_in_one_output_of_a_graph(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, graph: str, output: str
) -> None:
    run = Sessions.run

    def off_by_one(self: Sessions, name: str, feed: Any) -> dict[str, Any]:
        outputs = run(self, name, feed)
        if name == graph:
            outputs[output] = outputs[output].copy()
            outputs[output].flat[3] ^= 1
        return outputs

    codec = Codec(tiny_bundle, ONE)
    monkeypatch.setattr(Sessions, "run", off_by_one)
    with pytest.raises(KnownAnswerError):
        check_known_answers(codec)


@pytest.mark.parametrize("answers", [None, [], {}, "text"])
def test_no_answers(tiny_bytes: bytes, repack: Repack, answers: object) -> None:
    data = repack(tiny_bytes, None, lambda m: m.update(known_answers=answers))
    with pytest.raises(BundleManifestError, match="known answers"):
        check_known_answers(Codec(parse_bundle(data), ONE))


def test_a_host_that_computes_other_numbers(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Sessions.run

    def drifting(self: Sessions, graph: str, feed: Any) -> dict[str, Any]:
        out = run(self, graph, feed)
        if graph == "g_s":
            out["base_out"] = out["base_out"] ^ np.uint8(2)
        return out

    codec = Codec(tiny_bundle, ONE)
    check_known_answers(codec)
    monkeypatch.setattr(Sessions, "run", drifting)
    with pytest.raises(KnownAnswerError):
        check_known_answers(codec)


@pytest.mark.parametrize("swapped", ["h_s", "g_s", "h_a"])
def test_graphs_that_are_in_each_others_place(
    tiny_bytes: bytes, tiny_path: Path, repack: Repack, tmp_path: Path, swapped: str
) -> None:
    """Hashes, sizes and arrays are right, and yet nothing fits: one error, no bare built-in."""
    from c3d_export.runtime.archive import unpack_archive

    members = unpack_archive(tiny_bytes)
    parts = ("qlinear", "float", "weights")
    moved = {f"graphs/{swapped}.{part}": members[f"graphs/g_ep.{part}"] for part in parts}
    path = tmp_path / "swapped.c3b"
    path.write_bytes(repack(tiny_bytes, moved))
    with pytest.raises(BundleFormatError, match="do not run"):
        open_codec(path, threads=1)
