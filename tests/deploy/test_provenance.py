"""What a bundle says of its making, and that the same making gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c3d_export.core import jsonio
from c3d_export.deploy.provenance import Provenance, frames_record, versions

pytest.importorskip("torch")
pytest.importorskip("onnx")

from c3d_export.deploy.bundle import Export, build_bundle

STAGES = [
    {"name": "g", "stage": "train", "frames": {"digest": "a", "games": {"x": 3}}},
    {"name": "g", "stage": "prune"},
    {"name": "g", "stage": "tune", "frames": {"digest": "b", "games": {"x": 1}}},
    {"name": "g", "stage": "tune", "frames": {"digest": "a", "games": {"x": 3}}},
]


def test_frames_are_named_by_their_pixels_and_order() -> None:
    small, large = np.zeros((2, 3, 3), np.uint8), np.ones((4, 1, 3), np.uint8)
    wanted = hashlib.sha256(b"2x3\n" + bytes(18) + b"4x1\n" + b"\1" * 12).hexdigest()
    assert frames_record([small, large]) == {"frames": 2, "pixels": wanted}
    others = ([large, small], [small], [small.reshape(3, 2, 3), large], [small + 1, large])
    assert wanted not in {frames_record(frames)["pixels"] for frames in others}
    # A view is its pixels, not the memory that it is a part of.
    assert frames_record([large[:, ::-1], large[::2]]) == frames_record([large, large[:2]])


def test_the_entry_of_the_manifest() -> None:
    fitted = {"frames": 1, "pixels": "0"}
    entry = Provenance("g", training={"stages": STAGES}, fitted=fitted).to_json()
    assert [data["digest"] for data in entry["trained_on"]] == ["a", "b"]
    assert entry["fitted_to"] == fitted
    assert entry["versions"] == dict(versions())
    jsonio.dumps(entry)
    assert Provenance("g").to_json()["trained_on"] == []


_BUILD = """
import hashlib, pickle, sys
from c3d_export.deploy.bundle import build_bundle
export, provenance = pickle.loads(sys.stdin.buffer.read())
print(hashlib.sha256(build_bundle(export, provenance)).hexdigest())
"""


def test_another_process_with_another_order_of_hashes_gives_the_same_bytes(
    tiny_export: Export, tmp_path: Path
) -> None:
    provenance = Provenance("tiny", "synthetic", "CC0-1.0", {"stages": STAGES})
    done = subprocess.run(
        [sys.executable, "-c", _BUILD],
        input=pickle.dumps((tiny_export, provenance)),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    here = hashlib.sha256(build_bundle(tiny_export, provenance)).hexdigest()
    assert done.stdout.decode().strip() == here
