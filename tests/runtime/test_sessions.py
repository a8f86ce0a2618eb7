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
    ProviderMissingError,
    RuntimeConflictError,
)
from c3d_export.runtime import sessions
from c3d_export.runtime.bundle import GRAPHS, Bundle
from c3d_export.runtime.sessions import SessionOptions, Sessions, import_runtime


@pytest.mark.parametrize(
    "options",
    [
        {"device": "gpu"},
        {"device": ""},
        {"device": "CPU"},
        {"device": []},
        {"flavour": "int4"},
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


def test_cuda_where_there_is_none(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    ort = import_runtime()
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderMissingError, match=r"c3d-export\[gpu\]"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


def test_cuda_that_is_listed_but_cannot_be_used(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing driver shows when a session is made: an error, and no session on the CPU."""
    ort = import_runtime()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA failure 35\nmore lines")

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", broken)
    with pytest.raises(ProviderMissingError, match=r"CUDA failure 35$"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


def test_a_cuda_session_may_not_fall_back(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    ort = import_runtime()
    seen: list[tuple[Any, Any]] = []
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(
        ort, "InferenceSession", lambda _, options, providers: seen.append((options, providers))
    )
    Sessions(tiny_bundle, SessionOptions("cuda"))
    assert len(seen) == len(GRAPHS)
    for options, providers in seen:
        assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        ((name, chosen),) = providers
        assert name == "CUDAExecutionProvider"
        # EXHAUSTIVE would choose another algorithm in every process.
        assert chosen["cudnn_conv_algo_search"] != "EXHAUSTIVE"


def test_both_runtimes_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "1.28.0")
    with pytest.raises(RuntimeConflictError, match="pip uninstall"):
        import_runtime()


def test_no_runtime_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "installed_runtimes", dict)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(LibraryMissingError, match=r"c3d-export\[cpu\]"):
        import_runtime()


def test_the_installed_runtime_is_told() -> None:
    found = sessions.installed_runtimes()
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
