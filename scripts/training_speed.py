"""Times our training step against a plain one, and compares what both have learnt.

scripts/training_speed.py --frames DIR --game NAME [--sizes xsmall,small] [--threads 1] [--rounds 9]
scripts/training_speed.py --frames DIR --game NAME --losses 500 --seeds 3 --crop 128
scripts/training_speed.py --frames DIR --game NAME --work
scripts/training_speed.py --frames DIR --game NAME --compiled
scripts/training_speed.py --frames DIR --game NAME --precision bfloat16

The plain loop is what one writes with PyTorch at hand: float32, NCHW, autograd of the formulas, no
fused or in-place operations, convolutions for 1x1 layers too, Muon in a loop over the matrices as
its authors publish it, torch.optim.Adam for the rest, an average of the weights in a loop. Network,
crops, noise, loss and rules of learning are the same, so that both learn the same but for rounding.

Each loop has a process of its own, and they take turns, some steps each. Other work on the machine
delays both; the seconds of the processor that a step takes are told beside those of the clock.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "toolchain"))

from c3d_export.core.heap import keep_freed_memory  # noqa: E402
from c3d_export.data.frames import load_frames  # noqa: E402
from c3d_export.data.locate import locate_game  # noqa: E402
from c3d_export.models import latents, layers, transforms  # noqa: E402
from c3d_export.models.entropy import gaussian_bits, scale_of  # noqa: E402
from c3d_export.models.spec import spec_of_size  # noqa: E402
from c3d_export.train import loop, optimizer  # noqa: E402
from c3d_export.train.config import TrainConfig  # noqa: E402
from c3d_export.train.crops import Crops, Pool  # noqa: E402
from c3d_export.train.optimizer import MuonAdam  # noqa: E402
from c3d_export.train.precision import usual_precision  # noqa: E402
from c3d_export.train.service import new_network  # noqa: E402

STEPS_A_TURN = 2


def straight(x: Tensor, value: Tensor) -> Tensor:
    return x + (value - x).detach()


def rate(
    y: Tensor, mean: Tensor, index: Tensor, step: Tensor, offset: Tensor, noise: Tensor
) -> Tensor:
    scale = scale_of((index - offset).clamp(0.0, 255.0))
    return gaussian_bits((y - mean) / step + noise, scale).sum((1, 2, 3))


def decode(y: Tensor, mean: Tensor, step: Tensor) -> Tensor:
    symbol = (y - mean) / step
    return (mean + straight(symbol, symbol.round()) * step).clamp(-128.0, 127.0)


def activity(v: Tensor, factor: Tensor, raw: int, base: int, quantized: bool) -> Tensor:
    moved = v * factor
    low = moved.abs().clamp(max=latents.KNEE)
    high = (moved.abs().clamp(max=latents.CEILING) - low) / latents.SHALLOW
    size = low + high
    return torch.cat([v[:, :raw], size[:, raw:base] * moved[:, raw:base].sign(), size], 1)


def spread(fine: Tensor, runs: list[tuple[int, int]], offsets: Tensor | None) -> Tensor:
    return torch.cat([fine[:, first : first + count] for first, count in runs], 1)


def space_to_depth(x: Tensor, r: int) -> Tensor:
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // r, r, w // r, r).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(b, r * r * c, h // r, w // r)


def depth_to_space(x: Tensor, r: int) -> Tensor:
    b, c, h, w = x.shape
    x = x.reshape(b, r, r, c // (r * r), h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(b, c // (r * r), h * r, w * r)


def picture(linear: Tensor, correction: Tensor, units: tuple[float, float]) -> Tensor:
    coarse, fine = (depth_to_space(x, math.isqrt(x.shape[1] // 3)) for x in (linear, correction))
    return coarse * units[0] + fine * units[1]


def squared_error(x_hat: Tensor, frame: Tensor) -> Tensor:
    return (x_hat + 128.0 - frame).square().mean((1, 2, 3))


def convolution(self: layers.IntConv2d, x: Tensor) -> Tensor:
    weight, bias = self.effective()
    out = F.conv2d(x, weight, bias, self.stride, self.padding, groups=self.groups)
    return F.hardtanh(out, *self.range) if self.rounding else out


def residual(self: layers.ResidualBlock, x: Tensor) -> Tensor:
    return F.hardtanh(x + self.conv2(self.spatial(self.conv1(x))), 0.0, 255.0)


def make_plain() -> None:
    """Puts the plain functions in the place of ours, in this process."""
    for module, functions in (
        (latents, (rate, decode, activity, spread)),
        (layers, (straight, space_to_depth, depth_to_space)),
        (transforms, (space_to_depth, depth_to_space, picture)),
        (loop, (squared_error,)),
    ):
        for function in functions:
            setattr(module, function.__name__, function)
    layers.IntConv2d.forward = convolution  # type: ignore[method-assign]
    layers.ResidualBlock.forward = residual  # type: ignore[method-assign]


class PlainMuon(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        a, b, c = optimizer.NEWTON_SCHULZ
        for group in self.param_groups:
            (parameter,) = group["params"]
            state = self.state[parameter]
            momentum = state.setdefault("momentum", torch.zeros_like(parameter))
            momentum.lerp_(parameter.grad, 1 - optimizer.MOMENTUM)
            x = parameter.grad.lerp(momentum, optimizer.MOMENTUM).flatten(1)
            tall = x.shape[0] > x.shape[1]
            x = x.T if tall else x
            x = x / (x.norm() + 1e-7)
            for _ in range(optimizer.ITERATIONS):
                square = x @ x.T
                x = a * x + (b * square + c * square @ square) @ x
            size = math.sqrt(max(x.shape))
            moved = (x.T if tall else x).reshape(parameter.shape)
            parameter.mul_(1 - optimizer.DECAY * group["lr"] / group["factor"])
            parameter.add_(moved, alpha=-group["lr"] * size)


class PlainTrainer(loop.Trainer):
    def _make_optimizer(self) -> MuonAdam:
        made = super()._make_optimizer()
        matrices, others = (
            [dict(g) for g in made.param_groups if g["muon"] is muon] for muon in (True, False)
        )
        self.muon = PlainMuon(matrices, {"lr": 0.0})
        betas, epsilon = optimizer.BETAS, optimizer.EPSILON
        self.adam = torch.optim.Adam(others, lr=0.0, betas=betas, eps=epsilon)
        return made

    def train_step(self) -> tuple[float, float, float]:
        c = self.config
        torch.manual_seed(c.seed * 1_000_003 + self.step)
        pixels, frames = self._cut(self.step).on("cpu")
        crops = Crops(pixels.contiguous(), frames)
        self._prepare(crops.pixels)
        loss, figures = self._loss(crops)
        for one in (self.muon, self.adam):
            loop.set_learning_rate(one, self.learning_rate())
            one.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), c.clip)
        self.muon.step()
        self.adam.step()
        self.step += 1
        decay = min(c.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
        ratio, bpp, mse = figures.mean(1).tolist()
        return ratio, bpp, mse


def make_trainer(plain: bool, size: str, seed: int, options: argparse.Namespace) -> loop.Trainer:
    frames, _ = load_frames(locate_game([options.frames], options.game, "train"))
    pools = [Pool(options.game, frames)]
    model = new_network(spec_of_size(size), pools, seed)
    precision = "float32" if plain else options.precision or usual_precision("cpu")
    if options.compiled:
        model.forward = torch.compile(model.forward, dynamic=False)  # type: ignore[method-assign]
    steps = options.losses or 10_000
    config = TrainConfig(steps, crop=options.crop, seed=seed, precision=precision)
    if not plain:
        keep_freed_memory()
        return loop.Trainer(model, config, pools, None)
    make_plain()
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return PlainTrainer(model, config, pools, None)


def serve(
    pipe: Connection, plain: bool, size: str, seed: int, threads: int, options: argparse.Namespace
) -> None:
    """Makes as many steps as it is asked for; answers with seconds of the clock and the processor
    a step, and means of loss ratio, bpp and MSE."""
    torch.set_num_threads(threads)
    trainer = make_trainer(plain, size, seed, options)
    trainer.model.train()
    while count := pipe.recv():
        clock, processor = time.monotonic(), time.process_time()
        figures = [trainer.train_step() for _ in range(count)]
        spent = time.monotonic() - clock, time.process_time() - processor
        means = [statistics.fmean(column) for column in zip(*figures, strict=True)]
        pipe.send(([seconds / count for seconds in spent], means))


class Pair:
    """The two loops, ours and the plain one, each in its process."""

    def __init__(self, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes = [], []
        for plain in (False, True):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, plain, *arguments), daemon=True)
            process.start()
            self.pipes.append(ours)
            self.processes.append(process)

    def turn(self, steps: int) -> list[tuple[list[float], list[float]]]:
        """One after the other."""
        answers = []
        for pipe in self.pipes:
            pipe.send(steps)
            answers.append(pipe.recv())
        return answers

    def together(self, steps: int) -> list[tuple[list[float], list[float]]]:
        for pipe in self.pipes:
            pipe.send(steps)
        return [pipe.recv() for pipe in self.pipes]

    def close(self) -> None:
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(0)
            process.join()


def compare_times(size: str, threads: int, options: argparse.Namespace) -> None:
    pair = Pair(size, 0, threads, options)
    pair.turn(3)  # the first steps load libraries, and centre activations
    turns = [pair.turn(STEPS_A_TURN) for _ in range(options.rounds)]
    pair.close()
    cells = [size, str(threads)]
    for kind in (0, 1):
        own, plain = ([turn[i][0][kind] for turn in turns] for i in (0, 1))
        ratio = statistics.median(b / a for a, b in zip(own, plain, strict=True))
        cells += [f"{statistics.median(own):.3f}", f"{statistics.median(plain):.3f}"]
        cells += [f"{ratio:.2f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def psnr(mse: float) -> float:
    return 10 * math.log10(255**2 / mse)


def compare_losses(size: str, options: argparse.Namespace) -> None:
    """Means of the last fifth of the steps."""
    last = max(1, options.losses // 5)
    for seed in range(options.seeds):
        pair = Pair(size, seed, 1, options)
        if options.losses > last:
            pair.together(options.losses - last)
        cells = [size, str(seed)]
        for _, (loss, bpp, mse) in pair.together(last):
            cells += [f"{loss:.4f}", f"{bpp:.4f}", f"{psnr(mse):.3f}"]
        pair.close()
        print("| " + " | ".join(cells) + " |", flush=True)


def tell_work(size: str, options: argparse.Namespace) -> None:
    """Products of a step and how fast this core makes them, in matrices of 2,048 rows."""
    torch.set_num_threads(1)
    trainer = make_trainer(False, size, 0, options)
    for _ in range(3):
        trainer.train_step()
    backward = {torch.ops.aten.convolution_backward: flops_backwards}
    with FlopCounterMode(display=False, custom_mapping=backward) as counter:
        trainer.train_step()
    work = counter.get_total_flops() / 1e9
    peak = max(gflops_of_a_product() for _ in range(10))
    print(f"| {size} | {work:.1f} | {peak:.1f} | {work / peak:.3f} |", flush=True)


def flops_backwards(
    grad: Sequence[int], x: Sequence[int], weight: Sequence[int], *rest: Any, **more: Any
) -> int:
    """Of a convolution, from shapes; torch counts all pairs of channels in grouped ones, too."""
    wanted = rest[-1]
    forwards = 2 * grad[0] * math.prod(grad[2:]) * math.prod(weight)
    return forwards * sum(wanted[:2])


def gflops_of_a_product(rows: int = 2048) -> float:
    a, b = torch.rand(2, rows, rows)
    start = time.process_time()
    a @ b
    return 2e-9 * rows**3 / (time.process_time() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=Path, required=True, help="folder of train/<game>-720p")
    parser.add_argument("--game", required=True)
    parser.add_argument("--sizes", default="xsmall,small")
    parser.add_argument("--threads", default="1", help="some numbers, with commas")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--losses", type=int, default=0, help="compare after so many steps instead")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true", help="both networks by torch.compile")
    parser.add_argument("--precision", default="", help="of ours; what is usual here otherwise")
    parser.add_argument("--work", action="store_true", help="count the products of a step instead")
    options = parser.parse_args(arguments)
    if options.work:
        print("| model | Gflop a step | Gflop/s of a core | s a step at least |")
        print("|---|---:|---:|---:|", flush=True)
        for size in options.sizes.split(","):
            tell_work(size, options)
        return 0
    if options.losses:
        print("| model | seed | loss | bpp | dB | plain: loss | bpp | dB |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
        for size in options.sizes.split(","):
            compare_losses(size, options)
        return 0
    print("| model | threads | s | plain | ratio | processor s | plain | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for size in options.sizes.split(","):
        for threads in options.threads.split(","):
            compare_times(size, int(threads), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
