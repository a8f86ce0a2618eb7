"""Known answers: their frame is the same everywhere, and a difference closes the codec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export import _arith
from c3d_export.core.errors import (
    BundleFormatError,
    BundleGraphError,
    BundleManifestError,
    KnownAnswerError,
)
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.known import (
    check_known_answers,
    compute_known_answers,
    known_frame,
    require_known_answers,
)
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


@pytest.mark.parametrize("field", ["payload", "frame"])
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
        ("g_s", "pixels_sum"),
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
def test_no_answers(tiny_bytes: bytes, repack: Repack, tmp_path: Path, answers: object) -> None:
    path = tmp_path / "none.c3b"
    path.write_bytes(repack(tiny_bytes, None, lambda m: m.update(known_answers=answers)))
    with pytest.raises(BundleManifestError, match="no known answers") as caught:
        open_codec(path, threads=1)
    assert caught.value.exit_code == 5


def _answers(edit: Callable[[list[Any]], object]) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        edit(manifest["known_answers"])

    return change


INCOMPLETE: dict[str, Callable[[list[Any]], object]] = {
    "a graph less": lambda answers: answers.pop(2),
    "an output less": lambda answers: answers[0]["outputs"].pop("head_sum"),
    "no outputs": lambda answers: answers[1]["outputs"].clear(),
    "another output": lambda answers: answers[1]["outputs"].update(y=1),
    "outputs of another type": lambda answers: answers[1].update(outputs=[1]),
    "a checksum that is text": lambda answers: answers[1]["outputs"].update(z="1"),
    "a checksum that is true": lambda answers: answers[1]["outputs"].update(z=True),
    "a graph twice": lambda answers: answers.insert(0, answers[0]),
    "an unknown graph": lambda answers: answers[0].update(graph="g_x"),
    "another order": lambda answers: answers.reverse(),
    "graphs only": lambda answers: answers.__delitem__(slice(6, None)),
    "frames only": lambda answers: answers.__delitem__(slice(0, 6)),
    "a quality less": lambda answers: answers.pop(),
    "another quality": lambda answers: answers[-1].update(quality=7),
    "no payload": lambda answers: answers[-1].pop("payload"),
    "a field more": lambda answers: answers[-1].update(note="x"),
    "text": lambda answers: answers.append("text"),
}


@pytest.mark.parametrize("fault", INCOMPLETE)
def test_answers_that_do_not_cover_everything(
    tiny_bytes: bytes, repack: Repack, fault: str
) -> None:
    """What no answer covers could differ without a sign."""
    bundle = parse_bundle(repack(tiny_bytes, None, _answers(INCOMPLETE[fault])))
    with pytest.raises(BundleManifestError, match="do not cover every output"):
        require_known_answers(bundle)


def test_whole_answers_pass(tiny_bundle: Bundle) -> None:
    assert len(require_known_answers(tiny_bundle)) == 9


def test_a_host_that_computes_other_numbers(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Sessions.run

    def drifting(self: Sessions, graph: str, feed: Any) -> dict[str, Any]:
        out = run(self, graph, feed)
        if graph == "g_s":
            out["pixels_sum"] = out["pixels_sum"] ^ np.uint8(2)
        return out

    codec = Codec(tiny_bundle, ONE)
    check_known_answers(codec)
    monkeypatch.setattr(Sessions, "run", drifting)
    with pytest.raises(KnownAnswerError):
        check_known_answers(codec)


@pytest.mark.parametrize("swapped", ["h_s", "g_s", "h_a"])
def test_graphs_that_are_in_each_others_place(
    tiny_bytes: bytes, repack: Repack, swapped: str
) -> None:
    """Hashes, sizes and arrays are right."""
    from c3d_export.runtime.archive import unpack_archive

    members = unpack_archive(tiny_bytes)
    parts = ("qlinear", "float", "weights")
    moved = {f"graphs/{swapped}.{part}": members[f"graphs/g_ep.{part}"] for part in parts}
    with pytest.raises(BundleGraphError, match="not the one that its place is for"):
        parse_bundle(repack(tiny_bytes, moved))


def test_graphs_that_pass_the_check_and_do_not_run(
    tiny_bytes: bytes, repack: Repack, tmp_path: Path
) -> None:
    """One error, no bare built-in: the network takes other channels than the manifest says."""
    path = tmp_path / "narrow.c3b"
    path.write_bytes(repack(tiny_bytes, None, _other_features))
    with pytest.raises(BundleFormatError, match="do not run"):
        open_codec(path, threads=1)


def _other_features(manifest: dict[str, Any]) -> None:
    manifest["spec"]["h_s"][2] += 8
