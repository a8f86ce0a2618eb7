"""Times of a coarse-to-fine codec against the same network run as it was published.

    python scripts/compare_published_form.py NETWORK FRAME [MODEL.safetensors]

NETWORK: a published size, as c2f-small; its weights are random (latents scaled to some units), or
those of a saved model. Both sides in one run, alternately, the least of some calls; by default one
thread each and processor seconds, which other programs disturb least; with `--wall N` N threads and
seconds by the clock.

As published: PyTorch; predictors cut the neighbourhood of every position out and run on patches;
an encoder runs the whole network, synthesis included. What is left out there is what the published
coder takes (a process for each latent, bit by bit), so that theirs is faster here than it was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.c2f.bundle import as_tensor, export_network
from c3d_export.models.c2f import MODELS
from c3d_export.models.c2f.frames import from_network
from c3d_export.models.c2f.network import CoarseToFine, build_network
from c3d_export.models.c2f.predictor import Predictor
from c3d_export.models.c2f.saving import load
from c3d_export.models.c2f.spec import SIZES, WITHOUT_Z1
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.c2f.codec import CoarseToFineCodec
from c3d_export.runtime.images import Frame, read_image
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import parse_stream


def network_of(name: str, frame: Frame, model: Path | None) -> CoarseToFine:
    """Random weights give latents of some units, as trained ones do."""
    if model is not None:
        return load(model)[0]
    size = SIZES[name.removesuffix(WITHOUT_Z1)]
    network = build_network(size.without_z1() if name.endswith(WITHOUT_Z1) else size, 1).eval()
    x = as_tensor(frame[:256, :256])
    layers = [network.g_a[-1], network.h_a2[-1]] + ([network.h_a1[-1]] if network.h_a1 else [])
    with torch.no_grad():
        for layer, level, wide in zip(layers, ("z3", "z2", "z1"), (2.0, 1.0, 0.5), strict=False):
            layer.weight.mul_(wide / getattr(network.latents(x), level).std())
    return network


class Literal:
    """The network as it was published. Patches go by in portions, as there."""

    def __init__(self, network: CoarseToFine) -> None:
        self.network = network

    def predict(self, predictor: Predictor, h: Tensor) -> tuple[Tensor, Tensor]:
        """h: (1, c, rows, columns) -> mean and log-scale of every position, (positions, n)."""
        columns = F.unfold(h, 5, padding=2)[0].T
        return predictor.on_patch(columns.reshape(len(columns), -1, 5, 5))

    def encode(self, frame: Frame) -> Any:
        """All that the published forward pass computes."""
        n = self.network
        z = n.analyse(as_tensor(frame))
        return self.decode(z)

    def decode(self, z: Any) -> Any:
        """From latents to the picture; parameters of the coder on the way."""
        n, h1 = self.network, None
        said = []
        if n.h_s1 is not None and n.predictor2 is not None:
            h1 = n.h_s1(z.z1)
            said.append(self.predict(n.predictor2, h1))
        h2 = n.h_s2(z.z2)
        said.append(self.predict(n.predictor3, h2))
        y = n.g_s(z.z3)
        return n.reconstruction(y, h2, h1), said


def least(calls: dict[str, Callable[[], Any]], clock: Callable[[], float], repeats: int) -> Any:
    """Seconds of each, taken in turn."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = clock()
            call()
            found[name].append(clock() - begin)
    return {name: min(times) for name, times in found.items()}


def psnr(shown: Any, frame: Frame) -> float:
    """dB."""
    return float(10 * np.log10(255**2 / np.mean((shown - frame.astype(np.float64)) ** 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=sorted(MODELS))
    parser.add_argument("frame", type=Path)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--wall", type=int, default=0, metavar="THREADS")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    threads, clock = given.wall or 1, time.perf_counter if given.wall else time.process_time
    torch.set_num_threads(threads)
    frame = read_image(given.frame)
    network = network_of(given.network, frame, given.model)
    export = export_network(network, [frame])
    bundle = parse_bundle(export.bundle(Provenance("compared"), []))
    codec = CoarseToFineCodec(bundle, SessionOptions(threads=threads))
    floating = CoarseToFineCodec(bundle, SessionOptions(flavour="float", threads=threads))
    literal, stream = Literal(network), codec.encode(frame)
    parsed = parse_stream(stream)
    known = codec.decode_latents(parsed).latents
    with torch.inference_mode():
        z = network.analyse(as_tensor(frame))
        calls = {
            "encode, as published": lambda: literal.encode(frame),
            "encode, here": lambda: codec.encode(frame),
            "decode, as published": lambda: literal.decode(z),
            "decode, here, float synthesis": lambda: floating.decode(stream),
            "decode, here": lambda: codec.decode(stream),
            "of which latents": lambda: codec.decode_latents(parsed),
        }
        least(calls, clock, 1)
        found = least(calls, clock, given.repeats)
        x_hat = literal.decode(z)[0]
    theirs = from_network(x_hat, *frame.shape[:2])[0].permute(1, 2, 0).numpy()
    ours = {"float": floating.decode(stream), "integer": codec.decode(stream)}
    same = all(
        np.array_equal(a, b[0].permute(1, 2, 0).numpy())
        for a, b in ((known.z3, z.z3), (known.z2, z.z2))
    )
    ratios = {
        way: found[f"{way[:6]}, as published"] / found[f"{way[:6]}, here{way[6:]}"]
        for way in ("encode", "decode, float synthesis", "decode")
    }
    about = {
        "network": given.network,
        "bpp": 8 * len(stream) / frame[..., 0].size,
        "same latents": same,
        "psnr": {
            name: psnr(shown, frame) for name, shown in [("published", theirs), *ours.items()]
        },
        "pixels": {
            name: {
                "largest": float(np.abs(shown - theirs).max()),
                "differing": float((shown != theirs).mean()),
            }
            for name, shown in ours.items()
        },
    }
    print(json.dumps({**about, "seconds": found, "times as fast": ratios}, indent=2))


if __name__ == "__main__":
    main()
