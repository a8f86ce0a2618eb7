"""Negative control: a hyper-decoder in floats, off by 1e-5, must never give a picture.

Two codecs of one bundle compute h_s in float32 with the bundle's own weights and no rounding
between the layers; only the outputs are rounded, since tables need whole numbers. One of them
multiplies the output of every layer by 1 + 1e-5 n, n normal, which is what another order of sums
or another library may do. All else is the integer codec. Each decodes the other's streams.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from c3d_export.core.errors import StreamError
from c3d_export.deploy.restore import frozen_from_bundle
from c3d_export.models.layers import depth_to_space
from c3d_export.models.network import Codec as Network
from c3d_export.quantize.freeze import exact
from c3d_export.runtime.bundle import Bundle, read_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.images import Frame
from c3d_export.runtime.sessions import Feed, SessionOptions, Sessions
from crosshost.frames import Work
from crosshost.weights import ControlError

NOISE = 1e-5
SEED = 7
# Where a handful of values decides nothing may cross a rounding point.
LEAST_PIXELS = 10_000


class FloatHyper(Sessions):
    """Sessions whose h_s is a float network. noise: relative, of every layer's output; the same
    in every call, so that a codec decodes its own streams."""

    def __init__(self, bundle: Bundle, net: Network, noise: float) -> None:
        super().__init__(bundle, SessionOptions())
        self.net, self.noise = net, noise

    def run(self, graph: str, feed: Feed) -> dict[str, NDArray[Any]]:
        if graph != "h_s":
            return super().run(graph, feed)
        self._generator = torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            return self._hyper(feed["z_hat"])

    def _layer(self, layer: nn.Module, x: Tensor) -> Tensor:
        conv = exact(layer)
        total = F.conv2d(x, conv.weight.float(), conv.bias.float(), conv.stride, conv.padding)
        low, high = (-128.0, 127.0) if conv.signed else (0.0, 255.0)
        y = (total * conv.scale.reshape(1, -1, 1, 1)).clamp(low, high)
        return y * (1 + self.noise * torch.randn(y.shape, generator=self._generator))

    def _hyper(self, z_hat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        h = self.net.h_s
        x = torch.from_numpy(z_hat.astype(np.float32) - 128).permute(2, 0, 1)[None]
        x = depth_to_space(self._layer(h.conv1, x), 2)
        x = depth_to_space(self._layer(h.conv2, x), 2)
        x = self._layer(h.conv3, x)
        outputs = {
            "features": x,
            "mean": self._layer(h.mean, x) + 128,
            "index": self._layer(h.index, x),
        }
        return {name: _bytes(value) for name, value in outputs.items()}


def _bytes(x: Tensor) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = x[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
    return np.ascontiguousarray(array)


def float_codec(bundle: Bundle, net: Network, noise: float) -> Codec:
    codec = Codec(bundle)
    codec.sessions = FloatHyper(bundle, net, noise)
    return codec


@dataclass
class Tally:
    """outcomes: names of errors, or "picture". own: streams that their own codec decoded."""

    outcomes: Counter[str] = field(default_factory=Counter)
    own: int = 0

    def cross(self, here: Codec, there: Codec, frame: Frame) -> None:
        """Every quality of a frame from one codec to the other."""
        for quality in here.qualities:
            stream = here.encode(frame, quality)
            here.decode(stream)
            self.own += 1
            try:
                there.decode(stream)
                self.outcomes["picture"] += 1
            except StreamError as error:
                self.outcomes[type(error).__name__] += 1


def _changed_values(codecs: list[Codec]) -> str:
    """How many of h_s's outputs the noise moves, on random hyper-latents."""
    bundle = codecs[0].bundle
    shape = (12, 20, bundle.hyper + 4)
    z_hat = np.random.default_rng(3).integers(120, 137, shape).astype(np.uint8)
    outputs = [codec.sessions.run("h_s", {"z_hat": z_hat}) for codec in codecs]
    differing = sum(int(np.count_nonzero(outputs[0][n] != outputs[1][n])) for n in outputs[0])
    return f"{differing} of {sum(x.size for x in outputs[0].values())}"


def control_noise(path: Path, works: list[Work]) -> list[str]:
    """Lines that tell what was seen; raises ControlError where a picture came out."""
    bundle = read_bundle(path)
    net = frozen_from_bundle(bundle)
    codecs = [float_codec(bundle, net, noise) for noise in (0.0, NOISE)]
    tally = Tally()
    for work in works:
        frame: Frame = np.load(work.array)
        if frame.shape[0] * frame.shape[1] >= LEAST_PIXELS:
            tally.cross(codecs[0], codecs[1], frame)
            tally.cross(codecs[1], codecs[0], frame)
    if tally.outcomes["picture"] or not tally.outcomes:
        raise ControlError(f"1e-5 of noise on h_s in floats: {dict(tally.outcomes)}")
    errors = ", ".join(f"{count} {name}" for name, count in sorted(tally.outcomes.items()))
    return [
        f"control-noise: h_s in floats, 1e-5 of noise: {_changed_values(codecs)} outputs differ;"
        f" {tally.own} streams decode where they were made; elsewhere {errors}, no picture"
    ]
