"""Times of this package's codec against compressai's own compress and decompress.

    python scripts/compare_compressai.py ARCHITECTURE QUALITY FRAME PYTHON [THREADS [WEIGHTS]]

The same weights and the same frame, THREADS threads each (default 1), one run, first theirs, then
ours: the least [wall, processor] seconds of a few calls (of one call of mbt2018 there, which takes
a minute). Ours decodes with g_s in integers, as bundles do on hosts' processors, and in float.
PYTHON: of an environment with compressai (scripts/test-compressai makes one). WEIGHTS: an imported
or trained network (model.safetensors); without it random ones of trained ones' rate. compressai
needs sides that are multiples of 64 and gets the frame with its edges repeated; this package's
codec gets it as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.hyperprior.bundle import as_tensor, export_network
from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network
from c3d_export.models.mbt.saving import load
from c3d_export.models.mbt.spec import SPECS
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec
from c3d_export.runtime.images import Frame, read_image
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import parse_stream

REPEATS = 7


def spreads(m: int) -> torch.Tensor:
    """(M,) standard deviations of latents: a few wide channels and many that are nearly always
    zero, some .4 bpp."""
    return (8.0 * 0.93 ** torch.arange(m)).clamp_min(0.03)


def weights(name: str, frame: Frame) -> MeanScaleHyperprior:
    """Random, with what time depends on as in trained ones: latents of few channels, scales that
    fit them, means of half their size."""
    network = build_network(SPECS[name], seed=1).eval()
    m = network.spec.latents
    last = network.get_submodule("entropy_parameters.4" if network.spec.has_context else "h_s.4")
    with torch.no_grad():
        x = as_tensor(frame[:256, :256])
        scale_outputs(network.g_a[6], network.g_a(x), spreads(m))
        scale_outputs(
            network.h_a[4], network.h_a(network.g_a(x)), 0.2 * spreads(network.spec.hyper)
        )
        params = network(x)
        wide = torch.cat([0.2 * spreads(m), 0.5 * spreads(m)])
        scale_outputs(last, torch.cat([params.scales, params.means], 1), wide)
        last.bias[:m] = spreads(m)
    return network


def scale_outputs(layer: nn.Conv2d, seen: torch.Tensor, wanted: torch.Tensor) -> None:
    """The layer's outputs get these standard deviations (O,), and mean 0."""
    factor = wanted / seen.std((0, 2, 3)).clamp_min(1e-9)
    layer.weight.mul_(factor[:, None, None, None])
    layer.bias.copy_((layer.bias - seen.mean((0, 2, 3))) * factor)


def theirs(
    architecture: str, network: MeanScaleHyperprior, frame: Frame, python: str, threads: int
) -> Any:
    edges = ((0, -frame.shape[0] % 64), (0, -frame.shape[1] % 64), (0, 0))
    x = as_tensor(np.pad(frame, edges, "edge"))
    script = Path(__file__).with_name("compressai_reference.py")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        torch.save({"state": network.state_dict(), "x": x}, path)
        repeats = 1 if network.spec.has_context else REPEATS
        command = [python, str(script), "time", architecture, str(path), str(threads), str(repeats)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": ""}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def seconds(call: Callable[[], Any]) -> list[float]:
    """The least wall and processor seconds of some calls."""
    found = []
    for _ in range(REPEATS):
        begin = time.perf_counter(), time.process_time()
        call()
        found.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    return [min(column) for column in zip(*found, strict=True)]


def ours(network: MeanScaleHyperprior, frame: Frame, threads: int) -> dict[str, Any]:
    export = export_network(network, [frame[:256, :256], frame[-256:, -256:]])
    bundle = parse_bundle(export.bundle(Provenance("timing"), []))
    codec = HyperpriorCodec(bundle, SessionOptions(threads=threads))
    floating = HyperpriorCodec(bundle, SessionOptions(flavour="float", threads=threads))
    stream = codec.encode(frame)
    parsed = parse_stream(stream)
    return {
        "encode": seconds(lambda: codec.encode(frame)),
        "decode": seconds(lambda: codec.decode(stream)),
        "decode, float g_s": seconds(lambda: floating.decode(stream)),
        "entropy": seconds(lambda: codec.decode_latents(parsed)),
        "bytes": len(stream),
        "psnr": psnr(codec.decode(stream), frame),
        "psnr, float g_s": psnr(floating.decode(stream), frame),
    }


def psnr(shown: Frame, frame: Frame) -> float:
    return float(10 * np.log10(255**2 / np.mean((shown.astype(np.float64) - frame) ** 2)))


def main(
    architecture: str, quality: str, path: str, python: str, threads: str = "1", model: str = ""
) -> None:
    torch.set_num_threads(1)
    frame = read_image(Path(path))
    network = load(Path(model))[0] if model else weights(f"{architecture}-{quality}", frame)
    there = theirs(architecture, network, frame, python, int(threads))
    here = ours(network, frame, int(threads))
    there["decode, float g_s"] = there["decode"]
    ratios = {
        key: [round(a / b, 2) for a, b in zip(there[key], here[key], strict=True)]
        for key in ("encode", "decode", "decode, float g_s", "entropy")
    }
    print(json.dumps({"compressai": there, "here": here, "times as fast": ratios}))


if __name__ == "__main__":
    if not 5 <= len(sys.argv) <= 7:
        sys.exit(__doc__)
    main(*sys.argv[1:])
