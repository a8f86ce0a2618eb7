"""Writes golden streams of the families with float transforms into a new folder.

Run once per released format, from the root: `python -m tests.golden.make_families
tests/golden/families`. What is in the repository is never written again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.hyperprior.bundle import build_bundle, export_network
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.floatcodec import FloatCodec
from c3d_export.runtime.images import Frame
from c3d_export.runtime.known import known_frame

from ..deploy.c2f.bundles import made_of
from ..deploy.hyperprior.conftest import picture, random_network
from .families import Answer, answer_of

WIDTHS = (8, 12)
"""Channels of z and of y."""
SIZES = ((1, 1), (17, 31), (72, 104))


def mbt(architecture: str) -> bytes:
    frames = [picture(192, 256, seed) for seed in range(2)]
    export = export_network(random_network(architecture, frames[0], *WIDTHS), frames)
    return build_bundle(export, Provenance("tiny", "synthetic", "CC0-1.0"))


MAKERS: dict[str, Callable[[], bytes]] = {
    "mbt2018-mean": lambda: mbt("mbt2018-mean"),
    "mbt2018": lambda: mbt("mbt2018"),
    "c2f": lambda: made_of(True).data,
}


def frames() -> dict[str, Frame]:
    return {f"{width}x{height}": known_frame()[:height, :width].copy() for height, width in SIZES}


def write(folder: Path, bundle: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "tiny.c3b").write_bytes(bundle)
    codec = open_codec(folder / "tiny.c3b")
    assert isinstance(codec, FloatCodec)
    answers: dict[str, Answer] = {}
    for size, frame in frames().items():
        stream = codec.encode(frame)
        (folder / f"{size}.c3s").write_bytes(stream)
        answers[f"{size}.c3s"] = answer_of(codec, stream)
    (folder / "answers.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    for name, make in MAKERS.items():
        write(Path(sys.argv[1]) / name, make())
