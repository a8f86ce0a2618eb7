"""Opening a codec: what computes wrongly is refused, and only what is allowed takes its place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import (
    BundleFormatError,
    C3DWarning,
    KnownAnswerError,
    OptionError,
    ProviderMissingError,
)
from c3d_export.runtime import codec as codec_module
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.sessions import Refusal, Sessions

Repack = Callable[..., bytes]
MakeFrame = Callable[..., Any]
Break = Callable[..., None]


@pytest.fixture
def break_flavours(monkeypatch: pytest.MonkeyPatch) -> Break:
    """break_flavours(*names): these compute g_s's sums one too high, as a faulty host might."""

    def install(*names: str) -> None:
        run = Sessions.run

        def wrong(self: Sessions, graph: str, feed: Any) -> dict[str, Any]:
            outputs = run(self, graph, feed)
            if self.flavour in names and graph == "g_s":
                outputs["pixels_sum"] = outputs["pixels_sum"] + np.uint8(1)
            return outputs

        monkeypatch.setattr(Sessions, "run", wrong)

    return install


@pytest.fixture
def edited_path(tiny_bytes: bytes, repack: Repack, tmp_path: Path) -> Path:
    """A bundle whose float graph h_s cuts negative values off; hashes and sizes are right."""
    onnx = pytest.importorskip("onnx")
    member = "graphs/h_s.float"
    model = onnx.load_from_string(unpack_archive(tiny_bytes)[member])
    (low,) = (tensor for tensor in model.graph.initializer if tensor.name == "value_-128")
    low.raw_data = np.float32(0).tobytes()
    path = tmp_path / "edited.c3b"
    path.write_bytes(repack(tiny_bytes, {member: model.SerializeToString()}))
    return path


def test_a_good_host_refuses_nothing(tiny_path: Path) -> None:
    codec = open_codec(tiny_path, flavour=("qlinear", "float"), threads=1)
    assert codec.sessions.flavour == "qlinear"
    assert codec.refused == ()


def test_without_permission_nothing_takes_the_place_of_the_default(
    tiny_path: Path, break_flavours: Break
) -> None:
    break_flavours("qlinear")
    with pytest.raises(KnownAnswerError, match="flavour qlinear first in the graph g_s"):
        open_codec(tiny_path, threads=1)


def test_one_name_allows_no_other(tiny_path: Path, break_flavours: Break) -> None:
    break_flavours("float")
    for flavour in ("float", ["float"]):
        with pytest.raises(KnownAnswerError, match="flavour float") as caught:
            open_codec(tiny_path, flavour=flavour, threads=1)
        assert "qlinear" not in str(caught.value)


@pytest.mark.parametrize("order", [("qlinear", "float"), ("float", "qlinear")])
def test_the_next_allowed_flavour_is_used_and_told_of(
    tiny_path: Path, break_flavours: Break, order: tuple[str, str]
) -> None:
    break_flavours(order[0])
    with pytest.warns(C3DWarning, match=f"flavour {order[0]} .*; {order[1]} is used") as caught:
        codec = open_codec(tiny_path, flavour=order, threads=1)
    assert codec.sessions.flavour == order[1]
    assert codec.refused == (Refusal(order[0], "graph g_s"),)
    # The warning points to the line that opened the codec.
    assert [warning.filename for warning in caught] == [__file__]


def test_a_fallback_computes_what_the_default_would(
    tiny_path: Path, break_flavours: Break, make_frame: MakeFrame
) -> None:
    frame = make_frame(33, 50, 3)
    wanted = open_codec(tiny_path, threads=1).encode(frame, 3)
    break_flavours("qlinear")
    with pytest.warns(C3DWarning):
        codec = open_codec(tiny_path, flavour=["qlinear", "float"], threads=1)
    assert codec.encode(frame, 3) == wanted


def test_a_program_can_make_the_warning_an_error(tiny_path: Path, break_flavours: Break) -> None:
    break_flavours("qlinear")
    with warnings.catch_warnings():
        warnings.simplefilter("error", C3DWarning)
        with pytest.raises(C3DWarning):
            open_codec(tiny_path, flavour=["qlinear", "float"], threads=1)


def test_where_all_are_refused_each_is_named(tiny_path: Path, break_flavours: Break) -> None:
    break_flavours("qlinear", "float")
    with pytest.raises(KnownAnswerError) as caught:
        open_codec(tiny_path, flavour=("qlinear", "float"), threads=1)
    for flavour in ("qlinear", "float"):
        assert f"flavour {flavour} first in the graph g_s" in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_graph_that_was_edited_is_refused(edited_path: Path) -> None:
    """Not the host but the bundle is wrong, and only in the float flavour."""
    assert open_codec(edited_path, threads=1).refused == ()
    with pytest.raises(KnownAnswerError, match="flavour float first in the graph h_s"):
        open_codec(edited_path, flavour="float", threads=1)
    with pytest.warns(C3DWarning, match="first in the graph h_s"):
        codec = open_codec(edited_path, flavour=("float", "qlinear"), threads=1)
    assert codec.sessions.flavour == "qlinear"


def test_an_error_that_is_no_difference_ends_the_search(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no kernel")

    monkeypatch.setattr(Sessions, "run", broken)
    with pytest.raises(BundleFormatError, match="do not run: no kernel"):
        open_codec(tiny_path, flavour=("qlinear", "float"), threads=1)


def test_a_misspelt_second_choice_is_told_before_anything_is_read() -> None:
    with pytest.raises(OptionError, match="int4"):
        open_codec("no such file", flavour=("qlinear", "int4"))


def test_cuda_has_no_other_flavour_to_fall_back_on(tiny_path: Path) -> None:
    with pytest.raises(OptionError, match="device cuda has no flavour 'qlinear'"):
        open_codec(tiny_path, "cuda", flavour=("float", "qlinear"))


def test_another_device_is_never_used(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderMissingError):
        open_codec(tiny_path, "cuda")


def test_the_bundle_is_read_once(
    tiny_path: Path, break_flavours: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is used, even where the file changes meanwhile."""
    reads: list[object] = []
    read = codec_module.read_admitted

    def counted(path: object) -> object:
        reads.append(path)
        return read(path)  # type: ignore[arg-type]

    break_flavours("qlinear")
    monkeypatch.setattr(codec_module, "read_admitted", counted)
    with pytest.warns(C3DWarning):
        open_codec(tiny_path, flavour=("qlinear", "float"), threads=1)
    assert reads == [tiny_path]
