"""The stream and the outputs that the integer network in PyTorch asks for.

The entropy coder is the product's own: it is a bijection with tests and a proof of its own, and
what is in question here is whether it was given the right integers, in the right order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c3d_export import _arith

from ..models.layers import depth_to_space
from ..models.network import Codec as Network
from ..models.network import first_step_mask
from ..quantize.freeze import exact
from ..quantize.reference import Coded, ReferenceCodec
from ..runtime.bundle import Bundle
from ..runtime.images import Frame
from ..runtime.overlay import overlay_of
from ..runtime.slices import Part, Workers, encode_slices, slice_count
from ..runtime.stream import latents_checksum, pack_stream
from .restore import parameters_from

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Wanted:
    """What every host must make of a frame: z (hz, wz, Z) int16, v (h, w, M) uint8, the pixels
    (H, W, 3) uint8, and the stream."""

    z: NDArray[np.int16]
    v: NDArray[np.uint8]
    pixels: Frame
    stream: bytes


class FrameReference:
    """Frames through the frozen network and the entropy coder."""

    def __init__(self, net: Network, bundle: Bundle) -> None:
        self._codec = ReferenceCodec(net, parameters_from(bundle))
        self._bundle, self._workers = bundle, Workers(1)
        self._tables = _arith.Tables(bundle.arrays["frequencies"], bundle.arrays["shapes"])
        self._overlay = overlay_of(bundle, self._tables)

    def wanted(self, frame: Frame, quality: int) -> Wanted:
        """quality: 1..Q. What an overlay takes and gives is the product's own: it is no network."""
        frame, overlay = self._taken(frame, quality - 1)
        coded = self._codec.encode(frame, quality - 1)
        stream = pack_stream(
            quality=quality,
            width=frame.shape[1],
            height=frame.shape[0],
            codec_id=self._bundle.id,
            slices=self._slices(coded, quality),
            latents_crc=latents_checksum(coded.z, coded.v),
            overlay=overlay,
        )
        return Wanted(coded.z, coded.v, self._shown(coded.frame, overlay), stream)

    def _taken(self, frame: Frame, row: int) -> tuple[Frame, bytes]:
        return (frame, b"") if self._overlay is None else self._overlay.take(frame, row)

    def _shown(self, frame: Frame, flags: bytes) -> Frame:
        if self._overlay is None or not flags:
            return frame
        shown = frame.copy()
        self._overlay.paste(self._overlay.unpack(flags, *frame.shape[:2]), shown)
        return shown

    def _slices(self, coded: Coded, quality: int) -> list[bytes]:
        rows, columns, _ = coded.v.shape
        z_index = self._bundle.arrays["z_index"][quality - 1]
        indexes = np.ascontiguousarray(np.broadcast_to(z_index, coded.z.shape))
        parts = [Part(coded.z, indexes, coded.z.shape[0])]
        steps = zip(self._steps(coded.symbols), self._steps(coded.indexes), strict=True)
        parts += [Part(symbols, indexes, rows) for symbols, indexes in steps]
        return encode_slices(self._tables, parts, slice_count(rows * columns), self._workers)

    def _steps(self, plane: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """(h, w, M) -> the values of each coding step: positions in raster order, channels
        inside."""
        base = self._bundle.base
        mask = first_step_mask(torch.empty(1, base, *plane.shape[:2])).numpy().transpose(1, 2, 0)
        yield np.ascontiguousarray(plane[..., :base][mask])
        yield np.ascontiguousarray(plane[..., :base][~mask])
        yield np.ascontiguousarray(plane[..., base:]).reshape(-1)


@torch.no_grad()
def reference_outputs(net: Network, graph: str, feed: dict[str, NDArray[np.uint8]]) -> Outputs:
    """Raw outputs of one graph (h, w, C), signed ones + 128 as in the graphs; feed as there."""
    tensors = {
        name: torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None]
        for name, x in feed.items()
    }
    outputs = _outputs(net, graph, tensors)
    return {name: x[0].permute(1, 2, 0).numpy() for name, x in outputs.items()}


def _outputs(net: Network, graph: str, feed: dict[str, Tensor]) -> dict[str, Tensor]:
    if graph == "g_a":
        return _analysis_outputs(net, feed)
    if graph == "h_a":
        return {"z": net.h_a(feed["activity"] - 128) + 128}
    if graph == "h_s":
        features, mean, index = net.h_s(feed["z_hat"] - 128)
        return {"features": features, "mean": mean + 128, "index": index}
    if graph in ("g_cp", "g_ep"):
        part = net.g_cp if graph == "g_cp" else net.g_ep
        mean, index = part(feed["features"], feed["known"] - 128)
        return {"mean": mean + 128, "index": index}
    return _synthesis_outputs(net, feed["v"] - 128, feed["spread"] - 128)


def _analysis_outputs(net: Network, feed: dict[str, Tensor]) -> dict[str, Tensor]:
    g = net.g_a
    trunk = g.low(g.down(g.high(g.patch(feed["patches"] - 128))))
    head = exact(g.head).accumulate(trunk)
    return {"head_sum": head, "linear_sum": exact(g.linear).accumulate(feed["blocks"] - 128)}


def _synthesis_outputs(net: Network, v: Tensor, spread: Tensor) -> dict[str, Tensor]:
    g = net.g_s
    trunk = g.high(depth_to_space(g.up(g.low(g.enter(v))), 2))
    return {
        "pixels_sum": exact(g.pixels).accumulate(spread),
        "correction_out": g.correction(trunk) + 128,
    }
