"""What the integer entropy path of mbt2018 and mbt2018-mean costs against float likelihoods.

    python scripts/entropy_path_cost.py train ARCHITECTURE N M LAMBDA STEPS FRAMES OUT.safetensors
    python scripts/entropy_path_cost.py measure CALIBRATION FRAMES MODEL...
    python scripts/entropy_path_cost.py bytes CALIBRATION FRAMES MODEL...

`train` makes a small network from random weights (128x128 crops, Adam 1e-3): not good, but with
latents, means and scales of a trained one. `measure` takes networks of one architecture in the
order of their rates: bits of both paths for the latents that each codes, PSNR of both pictures,
and the BD-rate of integers against float over those that are better than the ones before. `bytes`
compares whole files with the bits that the float likelihoods promise for the same latents: with the
tables of a bundle, which are fitted to frames, and with those of plain Gaussians. CALIBRATION,
FRAMES: folders of images.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from c3d_export.data.frames import load_frames
from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.hyperprior.bundle import export_network
from c3d_export.models.entropy import TABLES
from c3d_export.models.mbt.network import JointAutoregressive, MeanScaleHyperprior, build_network
from c3d_export.models.mbt.saving import load, save
from c3d_export.models.mbt.spec import uniform_spec
from c3d_export.quantize.post.mbt import EntropyPath, by_waves
from c3d_export.quantize.post.mbt_convert import analyse, convert_entropy
from c3d_export.quantize.tables import build_tables, table_scale
from c3d_export.runtime.images import read_image

CROP = 128
BATCH = 4
FEW = 3
"""Frames of the calibration."""


def evenly(folder: str, count: int = 0) -> list[Path]:
    """`count` images of a folder, evenly spaced, or all."""
    paths = sorted(Path(folder).glob("*.*"))
    return paths[:: max(1, len(paths) // count)][:count] if count else paths


def frames_of(folder: str, count: int = 0) -> list[Tensor]:
    """(1, 3, H, W), 0..1, cut to multiples of 16."""
    frames, _ = load_frames(evenly(folder, count))
    found = [torch.from_numpy(f.copy()).permute(2, 0, 1)[None].float() / 255 for f in frames]
    return [x[:, :, : x.shape[2] // 16 * 16, : x.shape[3] // 16 * 16] for x in found]


def crops(frames: list[Tensor], rng: np.random.Generator) -> Tensor:
    made = []
    for _ in range(BATCH):
        x = frames[rng.integers(len(frames))]
        top, left = rng.integers(x.shape[2] - CROP), rng.integers(x.shape[3] - CROP)
        made.append(x[:, :, top : top + CROP, left : left + CROP])
    return torch.cat(made)


def train(
    architecture: str, n: int, m: int, weight: float, steps: int, folder: str, out: str
) -> None:
    frames, rng = frames_of(folder, 24), np.random.default_rng(1)
    network = build_network(uniform_spec(f"{architecture}-{weight}", architecture, n, m)).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for step in range(steps):
        if step == steps * 3 // 4:
            optimizer.param_groups[0]["lr"] = 2e-4
        x = crops(frames, rng)
        result = network(x)
        bpp = result.bits().sum() / (BATCH * CROP**2)
        mse = (result.x_hat - x).square().mean()
        loss = weight * 255**2 * mse + bpp + network.entropy_bottleneck.auxiliary_loss() / 1e3
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 49:
            print(step + 1, f"{float(bpp):.3f} bpp {-10 * float(mse.log10()):.2f} dB", flush=True)
    save(Path(out), network.eval(), {"name": network.spec.name, "steps": steps})


def bits(symbols: Tensor, scales: Tensor, network: MeanScaleHyperprior) -> float:
    """Of symbols that are already distances from their means."""
    zero = torch.zeros_like(symbols)
    return float(-network.gaussian_conditional.likelihood(symbols, scales, zero).log2().sum())


def code_in_float(
    network: MeanScaleHyperprior, y: Tensor, z_hat: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """symbols, scales and y_hat as compressai's coder has them."""

    def quantise(y: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        symbols = (y - mean).round()
        return symbols, symbols + mean

    params = network.h_s(z_hat)[:, :, : y.shape[2], : y.shape[3]]
    if not isinstance(network, JointAutoregressive):
        scales, means = params.chunk(2, 1)
        symbols, y_hat = quantise(y, means)
        return symbols, scales, y_hat
    context = network.context_prediction

    def at(windows: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        seen = F.conv2d(windows, context.masked_weight(), context.bias)
        scales, means = network.entropy_parameters(torch.cat([params, seen], 1)).chunk(2, 1)
        return scales, means

    symbols, scales, y_hat = by_waves(y, params, at, quantise)
    return symbols, scales, y_hat


def psnr(x_hat: Tensor, x: Tensor) -> float:
    return float(-10 * (x_hat.clamp(0, 1) - x).square().mean().log10())


@torch.no_grad()
def compare(network: MeanScaleHyperprior, path: EntropyPath, x: Tensor) -> list[list[float]]:
    """[bits, PSNR] of float, of integers with exact scales' tables, and table cost alone."""
    y, z = analyse(network, x)
    z = path.clipped_z(z)
    z_hat = z + network.entropy_bottleneck.medians()[:, None, None]
    values = z_hat.transpose(0, 1).reshape(z.shape[1], 1, -1)
    side = float(-network.entropy_bottleneck.likelihood(values).clamp_min(1e-9).log2().sum())
    symbols, scales, y_hat = code_in_float(network, y, z_hat)
    real = [side + bits(symbols, scales, network), psnr(network.g_s(y_hat), x)]
    table = torch.tensor([table_scale(i) for i in range(TABLES)])
    coded = path.code(y, z)
    whole = coded.y_hat.float() / (1 << path.fraction)
    cost = bits(coded.symbols.float(), table[coded.indexes.long()], network)
    return [real, [side + cost, psnr(network.g_s(whole), x)]]


def measure(calibration: str, folder: str, models: list[str]) -> None:
    few, frames, rows = frames_of(calibration, FEW), frames_of(folder, 4), []
    for model in models:
        network, _ = load(Path(model))
        path = convert_entropy(network, few)
        path.certificates()
        found = np.mean([compare(network, path, x) for x in frames], 0)
        pixels = frames[0].shape[2] * frames[0].shape[3]
        (b0, p0), (b1, p1) = found
        row = {"bpp": b0 / pixels, "psnr": p0, "int_bpp": b1 / pixels, "int_psnr": p1}
        rows.append({key: round(float(value), 5) for key, value in row.items()})
        print(model, rows[-1], f"rate {100 * (b1 / b0 - 1):+.3f} %", flush=True)
    rising = [row for i, row in enumerate(rows) if all(row["psnr"] > r["psnr"] for r in rows[:i])]
    if len(rising) > 2:
        from bjontegaard import bd_rate

        columns = [[row[key] for row in rising] for key in ("bpp", "psnr", "int_bpp", "int_psnr")]
        found = bd_rate(*columns, method="pchip", min_overlap=0)
        print(json.dumps({"points": len(rising), "bd_rate_percent": found}))


@torch.no_grad()
def promised_bytes(network: MeanScaleHyperprior, y_hat: Tensor, z_hat: Tensor) -> float:
    """By the float likelihoods of decoded latents."""
    params = network.h_s(z_hat)[:, :, : y_hat.shape[2], : y_hat.shape[3]]
    if isinstance(network, JointAutoregressive):
        context = network.context_prediction(y_hat)
        params = network.entropy_parameters(torch.cat([params, context], 1))
    likelihood = network.gaussian_conditional.likelihood(y_hat, *params.chunk(2, 1))
    values = z_hat.transpose(0, 1).reshape(z_hat.shape[1], 1, -1)
    side = network.entropy_bottleneck.likelihood(values)
    return float(-likelihood.log2().sum() - side.log2().sum()) / 8


def compare_bytes(calibration: str, folder: str, models: list[str]) -> None:
    few = [read_image(p) for p in evenly(calibration, FEW)]
    for model in models:
        network, _ = load(Path(model))
        print(model, flush=True)
        export = export_network(network, few)
        plain = replace(export, bank=build_tables()).codec(Provenance("rate"))
        codec = export.codec(Provenance("rate"))
        medians = network.entropy_bottleneck.medians()[:, None, None]
        for path in evenly(folder, 4):
            frame = read_image(path)
            y, z = codec.analyse(frame)
            latents = codec.code(y, z)
            y_hat, z_whole = (
                torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None]
                for x in (latents.y_hat, z)
            )
            wanted = promised_bytes(network, y_hat / (1 << export.path.fraction), z_whole + medians)
            sizes = [len(one.encode(frame)) for one in (codec, plain)]
            off = [f"{size} bytes ({100 * (size / wanted - 1):+.2f} %)" for size in sizes]
            print(f"{path.name}: {wanted:.0f} promised, {off[0]}, plain {off[1]}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["train", architecture, n, m, weight, steps, folder, out]:
            train(architecture, int(n), int(m), float(weight), int(steps), folder, out)
        case ["measure", calibration, folder, *models] if models:
            measure(calibration, folder, models)
        case ["bytes", calibration, folder, *models] if models:
            compare_bytes(calibration, folder, models)
        case _:
            sys.exit(__doc__)
