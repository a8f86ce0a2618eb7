"""What compressai itself makes of a network; run by its environment's Python, not by ours.

    python scripts/compressai_reference.py make ARCHITECTURE N M SEED OUT.pt
    python scripts/compressai_reference.py run ARCHITECTURE IN.pt OUT.pt
    python scripts/compressai_reference.py time ARCHITECTURE IN.pt THREADS REPEATS

`make` writes a state dict with random weights, tables made, and what the network gives for a
frame; `run` loads a state dict that was written elsewhere, and writes the same. `time` prints the
seconds of compress and decompress as JSON. All files are of tensors alone.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import json
import sys
import time
import types
from typing import Any

import torch


class _Anything:
    """Stands for any class or decorator."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, target: Any) -> Any:
        return target


class _Stub(types.ModuleType):
    """A module in which every name is there."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Anything,), {})


class _Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """torchvision and torch_geometric have no part in these models, and may have no CPU build."""

    packages = ("torchvision", "torch_geometric")

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name.split(".")[0] not in self.packages:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None: ...


sys.meta_path.append(_Stubs())  # behind the real finders

with contextlib.redirect_stdout(sys.stderr):
    from compressai.models import JointAutoregressiveHierarchicalPriors, MeanScaleHyperprior

CLASSES = {"mbt2018-mean": MeanScaleHyperprior, "mbt2018": JointAutoregressiveHierarchicalPriors}


def randomised(architecture: str, n: int, m: int, seed: int) -> torch.nn.Module:
    """Random weights, medians and normalisations that are no defaults."""
    torch.manual_seed(seed)
    network = CLASSES[architecture](n, m)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "quantiles" in name:
                parameter[:, :, 1] += torch.rand_like(parameter[:, :, 1]) - 0.5
            elif name.endswith(("beta", "gamma")):
                parameter.add_(0.05 * torch.rand_like(parameter))
        network.g_a[6].weight.mul_(40.0)  # latents of some units, so that they are not all zero
        network.h_a[4].weight.mul_(40.0)
    network.update()
    return network.eval()


def frame(height: int = 128, width: int = 192) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    small = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    large = torch.nn.functional.interpolate(small, scale_factor=8, mode="bilinear")
    return (large + 0.05 * torch.rand(large.shape, generator=generator)).clamp(0, 1)


@torch.no_grad()
def outputs(network: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What `models/mbt/network.py`'s Output has, from compressai's parts."""
    out = network(x)
    y = network.g_a(x)
    z_hat, _ = network.entropy_bottleneck(network.h_a(y))
    gaussians = network.h_s(z_hat)
    if isinstance(network, JointAutoregressiveHierarchicalPriors):
        whole = network.gaussian_conditional.quantize(y, "dequantize")
        context = network.context_prediction(whole)
        gaussians = network.entropy_parameters(torch.cat((gaussians, context), 1))
    scales, means = gaussians.chunk(2, 1)
    found = {"y_likelihoods": out["likelihoods"]["y"], "z_likelihoods": out["likelihoods"]["z"]}
    return {"x_hat": out["x_hat"], "scales": scales, "means": means, **found}


def write(path: str, network: torch.nn.Module) -> None:
    x = frame()
    torch.save({"state": network.state_dict(), "x": x, **outputs(network, x)}, path)


def loaded(architecture: str, state: dict[str, torch.Tensor]) -> torch.nn.Module:
    network = CLASSES[architecture].from_state_dict(state)
    network.update()
    return network.eval()


Clocks = tuple[float, float]
"""Wall and processor seconds."""


def clocks() -> Clocks:
    return time.perf_counter(), time.process_time()


def since(begin: Clocks) -> Clocks:
    wall, processor = clocks()
    return wall - begin[0], processor - begin[1]


class Timed(torch.nn.Module):
    """A module that keeps how long its last call took."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.took = inner, (0.0, 0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        begin = clocks()
        out = self.inner(x)
        self.took = since(begin)
        return out


@torch.no_grad()
def timings(network: torch.nn.Module, x: torch.Tensor, repeats: int) -> dict[str, Any]:
    """The least [wall, processor] seconds of some calls each; the entropy part is decompress
    without g_s."""
    network.g_s = Timed(network.g_s)
    network.g_s(torch.zeros(1, network.M, 4, 4))  # the first call also sets up kernels
    found: dict[str, list[Clocks]] = {"encode": [], "decode": [], "entropy": []}
    for _ in range(repeats):
        begin = clocks()
        out = network.compress(x)
        found["encode"].append(since(begin))
        begin = clocks()
        x_hat = network.decompress(out["strings"], out["shape"])["x_hat"]
        found["decode"].append(since(begin))
        whole, part = found["decode"][-1], network.g_s.took
        found["entropy"].append((whole[0] - part[0], whole[1] - part[1]))
    size = sum(len(string) for strings in out["strings"] for string in strings)
    least = {
        key: [min(column) for column in zip(*rows, strict=True)] for key, rows in found.items()
    }
    return {**least, "bytes": size, "psnr": float(-10 * torch.log10((x_hat - x).square().mean()))}


def main(arguments: list[str]) -> None:
    match arguments:
        case ["make", architecture, n, m, seed, out]:
            write(out, randomised(architecture, int(n), int(m), int(seed)))
        case ["run", architecture, source, out]:
            write(out, loaded(architecture, torch.load(source, weights_only=True)))
        case ["time", architecture, source, threads, repeats]:
            content = torch.load(source, weights_only=True)
            torch.set_num_threads(int(threads))
            network = loaded(architecture, content["state"])
            print(json.dumps(timings(network, content["x"], int(repeats))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
