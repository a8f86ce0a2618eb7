"""Sessions: the device that was asked for or an error, never another one."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import (
    BundleFormatError,
    LibraryMissingError,
    OptionError,
    RuntimeConflictError,
)
from c3d_export.runtime import providers
from c3d_export.runtime.bundle import Bundle
from c3d_export.runtime.providers import import_runtime, installed_runtimes
from c3d_export.runtime.sessions import SessionOptions, Sessions, session_choices


@pytest.mark.parametrize(
    "options",
    [
        {"device": "gpu"},
        {"device": ""},
        {"device": "CPU"},
        {"device": []},
        {"flavour": "int4"},
        {"flavour": ""},
        {"device": "cuda", "flavour": "qlinear"},
        {"threads": -1},
        {"threads": 100_000},
        {"threads": "two"},
        {"threads": 1.5},
    ],
    ids=str,
)
def test_options_that_do_not_exist(tiny_bundle: Bundle, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Sessions(tiny_bundle, SessionOptions(**options))


def test_flavours_by_device() -> None:
    assert SessionOptions().resolved_flavour() == "qlinear"
    assert SessionOptions(flavour="float").resolved_flavour() == "float"
    assert SessionOptions("cuda").resolved_flavour() == "float"


def test_no_flavour_is_one_choice_and_a_list_is_an_order() -> None:
    assert session_choices("cpu", None, 1) == [SessionOptions("cpu", "qlinear", 1)]
    assert session_choices("cuda", None, 0) == [SessionOptions("cuda", "float", 0)]
    assert session_choices("cpu", "float", 0) == [SessionOptions("cpu", "float", 0)]
    both = [choice.flavour for choice in session_choices("cpu", ("float", "qlinear"), 0)]
    assert both == ["float", "qlinear"]


@pytest.mark.parametrize(
    "flavour",
    [[], (), ["qlinear", "qlinear"], ["qlinear", "int4"], ["qlinear", None, None], 7, {"float"}],
    ids=str,
)
def test_lists_of_flavours_that_are_none(flavour: Any) -> None:
    """All names are looked at before one is tried: a misspelt second choice is told at once."""
    with pytest.raises(OptionError):
        session_choices("cpu", flavour, 1)


def test_both_runtimes_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "1.28.0")
    with pytest.raises(RuntimeConflictError, match="pip uninstall"):
        import_runtime()


def test_no_runtime_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "installed_runtimes", dict)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(LibraryMissingError, match=r"c3d-export\[cpu\]"):
        import_runtime()


def test_the_installed_runtime_is_told() -> None:
    found = installed_runtimes()
    assert len(found) == 1
    assert set(found) <= {"onnxruntime", "onnxruntime-gpu"}


def test_a_graph_that_is_none(tiny_bundle: Bundle) -> None:
    broken = {**tiny_bundle.graphs, ("g_s", "qlinear"): b"no graph"}
    bundle = Bundle(tiny_bundle.id, tiny_bundle.manifest, tiny_bundle.arrays, broken)
    with pytest.raises(BundleFormatError, match="refuses a graph"):
        Sessions(bundle, SessionOptions(threads=1))


def test_outputs_come_by_name_without_the_batch(tiny_bundle: Bundle) -> None:
    made = Sessions(tiny_bundle, SessionOptions(threads=1))
    z_hat = np.zeros((1, 2, tiny_bundle.hyper + 4), np.uint8)
    out = made.run("h_s", {"z_hat": z_hat})
    shapes = {name: value.shape for name, value in out.items()}
    assert shapes == {"features": (4, 8, 64), "mean": (4, 8, 80), "index": (4, 8, 80)}
