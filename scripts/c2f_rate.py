"""What the integer entropy path of coarse-to-fine networks costs against float likelihoods.

    python scripts/c2f_rate.py CALIBRATION FRAMES MODEL.safetensors...

Both paths code the same rounded latents, so that the difference in bits is all there is: whole
files (every byte, with the tables of a bundle, fitted to CALIBRATION, and with those of plain
Gaussians) against the bits of the float network's likelihoods. BD-rates over the models, against
these bits and the same pictures. CALIBRATION, FRAMES: folders of images of one game.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.c2f.bundle import as_tensor, export_network
from c3d_export.evaluate.curves import bd_rate
from c3d_export.models.c2f.network import CoarseToFine
from c3d_export.models.c2f.saving import load
from c3d_export.quantize.post.c2f_tables import predicted_tables, top_tables
from c3d_export.runtime.images import Frame, list_images, read_image
from c3d_export.runtime.sessions import SessionOptions

CALIBRATION_FRAMES = 4


@torch.no_grad()
def promised(network: CoarseToFine, frame: Frame) -> float:
    """Bits of the float likelihoods of the rounded latents."""
    return float(torch.stack(network(as_tensor(frame)).bits).sum())


def measure(path: Path, calibration: list[Frame], frames: list[Frame]) -> dict[str, Any]:
    network = load(path)[0]
    fitted = export_network(network, calibration)
    scales = fitted.path.top.double().numpy()
    plain = replace(fitted, bank=predicted_tables(), top=top_tables(scales))
    pixels = sum(frame[..., 0].size for frame in frames)
    codecs = {
        name: export.codec(Provenance("rate"), SessionOptions())
        for name, export in (("fitted", fitted), ("plain", plain))
    }
    streams = {n: [codec.encode(frame) for frame in frames] for n, codec in codecs.items()}
    shown = zip(streams["fitted"], frames, strict=True)
    errors = [np.mean((codecs["fitted"].decode(s) - f.astype(float)) ** 2) for s, f in shown]
    bits = sum(promised(network, frame) for frame in frames)
    made = {name: 8 * sum(map(len, parts)) for name, parts in streams.items()}
    return {
        "model": path.parent.name,
        "psnr": float(10 * np.log10(255**2 / np.mean(errors))),
        "bpp_promised": bits / pixels,
        **{f"bpp_{name}": total / pixels for name, total in made.items()},
        **{f"percent_{name}": 100 * (total / bits - 1) for name, total in made.items()},
    }


def main() -> None:
    given = [list_images(Path(folder)) for folder in sys.argv[1:3]]
    few = given[0][:: max(1, len(given[0]) // CALIBRATION_FRAMES)][:CALIBRATION_FRAMES]
    calibration, frames = ([read_image(path) for path in paths] for paths in (few, given[1]))
    rows = []
    for name in sys.argv[3:]:
        rows.append(measure(Path(name), calibration, frames))
        print(json.dumps(rows[-1]), flush=True)
    rows.sort(key=lambda row: row["bpp_promised"])
    for name in ("fitted", "plain"):
        points = [[(r[f"bpp_{which}"], r["psnr"]) for r in rows] for which in ("promised", name)]
        print(name, bd_rate(*points), flush=True)


if __name__ == "__main__":
    main()
