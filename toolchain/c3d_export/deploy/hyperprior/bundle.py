"""The bundle writer: a float network and its integer entropy path, tables, known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import OptionError
from ...models.entropy import TABLES
from ...models.mbt.network import MeanScaleHyperprior
from ...quantize.post.layer import IntegerLayer
from ...quantize.post.mbt import EntropyPath
from ...quantize.post.mbt_convert import convert_entropy
from ...quantize.post.mbt_synthesis import LAST, UPS, IntegerSynthesis, convert_synthesis
from ...quantize.tables import COUNT_RADIUS, TableBank, build_tables, count_symbols
from ...runtime.bundle import parse_bundle
from ...runtime.hyperprior.bundle import DENSE, FAMILY, FLAVOUR, KNOWN_SHAPE, MAX_HYPER
from ...runtime.hyperprior.codec import HyperpriorCodec
from ...runtime.hyperprior.known import compute_known_answers, known_picture
from ...runtime.images import Frame
from ...runtime.sessions import SessionOptions
from ..bundle import Provenance
from ..floatbundle import FloatBundle, gdn_arrays, layer_arrays, model_card
from .graphs import build_graphs
from .tables import factorised_tables

BLOCK = 16


@dataclass(frozen=True)
class HyperpriorExport:
    """A network and what was made of it once. known_frame: its own decoded known frame, in float.
    synthesis: in integers, where it is wanted."""

    network: MeanScaleHyperprior
    path: EntropyPath
    bank: TableBank
    z_bank: TableBank
    graphs: dict[str, bytes]
    certificates: list[dict[str, Any]]
    known_frame: Frame
    synthesis: IntegerSynthesis | None = None

    def bundle(self, provenance: Provenance, answers: list[dict[str, Any]]) -> bytes:
        """The file."""
        spec = self.network.spec
        source = f"{spec.architecture} of Minnen et al. 2018"
        return FloatBundle(
            FAMILY,
            spec.to_json(),
            self.path.fraction,
            self.certificates,
            self._arrays(),
            {f"{name}.{FLAVOUR}": data for name, data in self.graphs.items()},
            model_card(provenance, source, spec.latents),
            {} if self.synthesis is None else {"synthesis": "integer"},
        ).packed(provenance, answers)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        path = self.path
        low, high = z_range(path)
        arrays = {
            "frequencies": self.bank.frequencies.astype("<u4"),
            "shapes": self.bank.shapes.astype("<u2"),
            "z_frequencies": self.z_bank.frequencies.astype("<u4"),
            "z_shapes": self.z_bank.shapes.astype("<u2"),
            "z_low": low.astype("<i2"),
            "z_high": high.astype("<i2"),
            "thresholds": path.thresholds.numpy().astype("<i4"),
            "known_frame": self.known_frame,
        }
        if path.context is not None and path.entropy_parameters is not None:
            source = path.context.source
            arrays["seen_low"] = source.low.numpy().astype("<i2")
            arrays["seen_high"] = source.high.numpy().astype("<i2")
            layers = [path.context, *path.entropy_parameters.layers()]
            for name, layer in zip(DENSE, layers, strict=True):
                arrays |= {f"{name}_{part}": a for part, a in _dense(layer).items()}
        return arrays if self.synthesis is None else arrays | synthesis_arrays(self.synthesis)

    def codec(
        self, provenance: Provenance, options: SessionOptions | None = None
    ) -> HyperpriorCodec:
        """This export, opened as a host would, without known answers."""
        return HyperpriorCodec(parse_bundle(self.bundle(provenance, [])), options)


def synthesis_arrays(synthesis: IntegerSynthesis) -> dict[str, NDArray[Any]]:
    """As `runtime/hyperprior/synthesis.py` wants them."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in (*UPS, LAST):
        arrays |= layer_arrays(name, synthesis.layer(name))
    for number, gdn in enumerate(synthesis.gdns):
        arrays |= gdn_arrays(f"gdn{number}", gdn)
    return arrays


def z_range(path: EntropyPath) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Lowest and highest symbol of each channel of z."""
    low, high = (t[:-1].numpy().astype(np.int16) for t in (path.z_range.low, path.z_range.high))
    return low, high


def dense_weight(layer: IntegerLayer) -> NDArray[np.int16]:
    """(O, K) int16, K over positions and then channels; of the context the 12 that it sees."""
    weight = layer.weight.numpy().astype("<i2")
    if weight.shape[2] == 1:
        return np.ascontiguousarray(weight[:, :, 0, 0])
    positions = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1, weight.shape[1])
    seen = positions[:, : positions.shape[1] // 2]
    return np.ascontiguousarray(seen.reshape(len(weight), -1))


def _dense(layer: IntegerLayer) -> dict[str, NDArray[Any]]:
    floats = ("scale", "negative", "low", "high")
    arrays: dict[str, NDArray[Any]] = {n: getattr(layer, n).numpy().astype("<f4") for n in floats}
    arrays["bias"] = layer.bias.numpy().astype("<i4")
    return {"weight": dense_weight(layer), **arrays}


def as_tensor(frame: Frame) -> torch.Tensor:
    """(1, 3, H', W'), 0..1, edges repeated to multiples of 16."""
    edges = ((0, -frame.shape[0] % BLOCK), (0, -frame.shape[1] % BLOCK), (0, 0))
    padded = np.pad(frame, edges, "edge")
    return torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255


def export_network(
    network: MeanScaleHyperprior, frames: Sequence[Frame], *, integer_synthesis: bool = True
) -> HyperpriorExport:
    """Converts, certifies, writes the graphs, and fits the tables of y to these frames.

    integer_synthesis: hosts' CPUs get g_s in integers, beside the float one of GPUs.
    Raises OptionError for a network that the format has no room for, and CertificateError.
    """
    if network.spec.hyper > MAX_HYPER:
        raise OptionError(
            f"{network.spec.hyper} channels of z; a bundle has room for {MAX_HYPER} tables"
        )
    if not frames:
        raise OptionError("no frames to calibrate the integers with; give a game that has some")
    tensors = [as_tensor(frame) for frame in frames]
    path = convert_entropy(network, tensors)
    synthesis = convert_synthesis(network, path.fraction, tensors) if integer_synthesis else None
    proven = path.certificates() + ([] if synthesis is None else synthesis.certificates())
    certificates = [layer.to_json() for layer in proven]
    z_bank = factorised_tables(network.entropy_bottleneck, *z_range(path))
    graphs = build_graphs(network, path.h_s)
    blank = np.zeros(KNOWN_SHAPE, np.uint8)
    bank = build_tables()
    export = HyperpriorExport(network, path, bank, z_bank, graphs, certificates, blank, synthesis)
    return _fitted(export, frames)


def _fitted(export: HyperpriorExport, frames: Sequence[Frame]) -> HyperpriorExport:
    codec = export.codec(Provenance("calibration"), SessionOptions(flavour=FLAVOUR))
    counts = np.zeros((TABLES, 2 * COUNT_RADIUS + 1), np.int64)
    for frame in frames:
        for symbols, indexes in codec.code(*codec.analyse(frame)).waves:
            count_symbols(counts, symbols.reshape(-1), indexes.reshape(-1))
    return replace(export, bank=build_tables(counts), known_frame=known_picture(codec))


def build_bundle(export: HyperpriorExport, provenance: Provenance) -> bytes:
    """The finished bundle, with the known answers of this host."""
    return export.bundle(provenance, compute_known_answers(export.codec(provenance)))
