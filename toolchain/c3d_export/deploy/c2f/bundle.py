"""The bundle writer of coarse-to-fine networks: integers, graphs, tables, known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import OptionError
from ...models.c2f.frames import to_network
from ...models.c2f.network import CoarseToFine
from ...quantize.post.c2f import EntropyPath
from ...quantize.post.c2f_convert import convert_entropy
from ...quantize.post.c2f_synthesis import (
    BLOCKS,
    ENDS,
    SIDES,
    UPS,
    IntegerSynthesis,
)
from ...quantize.post.c2f_synthesis_convert import convert_synthesis
from ...quantize.post.c2f_tables import BINS, predicted_tables, top_tables
from ...quantize.tables import COUNT_RADIUS, TableBank, count_symbols
from ...runtime.bundle import parse_bundle
from ...runtime.c2f.bundle import FAMILY, FLAVOUR, KNOWN_SHAPE
from ...runtime.c2f.codec import CoarseToFineCodec
from ...runtime.c2f.known import compute_known_answers, known_picture
from ...runtime.c2f.prior import MOST_TABLES
from ...runtime.hyperprior.arraylayers import PREFIX
from ...runtime.images import Frame
from ...runtime.sessions import SessionOptions
from ..bundle import Provenance
from ..floatbundle import FloatBundle, gdn_arrays, layer_arrays, model_card
from .graphs import build_graphs


@dataclass(frozen=True)
class C2FExport:
    """A network and what was made of it once. known_frame: its own decoded known frame, in float.
    synthesis: in integers, where it is wanted."""

    network: CoarseToFine
    path: EntropyPath
    bank: TableBank
    top: TableBank
    graphs: dict[str, bytes]
    certificates: list[dict[str, Any]]
    known_frame: Frame
    synthesis: IntegerSynthesis | None = None

    def bundle(self, provenance: Provenance, answers: list[dict[str, Any]]) -> bytes:
        """The file."""
        spec = self.network.spec
        source = f"{spec.name}, coarse-to-fine, Hu et al. 2020, Wang et al. 2022"
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
        arrays = {
            "frequencies": self.bank.frequencies.astype("<u4"),
            "shapes": self.bank.shapes.astype("<u2"),
            "bins": np.array(BINS, "|u1"),
            "top_frequencies": self.top.frequencies.astype("<u4"),
            "top_shapes": self.top.shapes.astype("<u2"),
            "known_frame": self.known_frame,
        }
        for name, level in (("z2", self.path.fine), ("z1", self.path.coarse)):
            if level is not None:
                arrays[f"{name}_low"] = level.source.low.numpy().astype("<i2")
                arrays[f"{name}_high"] = level.source.high.numpy().astype("<i2")
        return arrays if self.synthesis is None else arrays | synthesis_arrays(self.synthesis)

    def codec(
        self, provenance: Provenance, options: SessionOptions | None = None
    ) -> CoarseToFineCodec:
        """This export, opened as a host would, without known answers."""
        return CoarseToFineCodec(parse_bundle(self.bundle(provenance, [])), options)


def synthesis_arrays(synthesis: IntegerSynthesis) -> dict[str, NDArray[Any]]:
    """As `runtime/c2f/synthesis.py` wants them."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in (*UPS, *SIDES, *BLOCKS, *ENDS):
        arrays |= layer_arrays(name, synthesis.layer(name))
    for number, gdn in enumerate(synthesis.gdns):
        arrays |= gdn_arrays(f"gdn{number}", gdn)
    for end in ("low", "high"):
        arrays[f"{PREFIX}_z3_{end}"] = getattr(synthesis, f"z3_{end}").numpy().astype("<i2")
    return arrays


def as_tensor(frame: Frame) -> torch.Tensor:
    """(1, 3, H', W') in -1..1, centred in black."""
    return to_network(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float())


def export_network(
    network: CoarseToFine, frames: Sequence[Frame], *, integer_synthesis: bool = True
) -> C2FExport:
    """Converts, certifies, writes the graphs, and fits the tables to these frames.

    integer_synthesis: hosts' CPUs get synthesis in integers, beside the float one of GPUs.
    Raises OptionError for a network that the format has no room for, and CertificateError.
    """
    top = network.spec.levels[-1].latents
    if top > MOST_TABLES:
        raise OptionError(f"{top} coarsest latents; a bundle has room for {MOST_TABLES} tables")
    if not frames:
        raise OptionError("no frames to calibrate the integers with; give a game that has some")
    tensors = [as_tensor(frame) for frame in frames]
    path = convert_entropy(network, tensors)
    synthesis = convert_synthesis(network, path, tensors) if integer_synthesis else None
    proven = path.certificates() + ([] if synthesis is None else synthesis.certificates())
    certificates = [layer.to_json() for layer in proven]
    graphs, blank = build_graphs(network, path), np.zeros(KNOWN_SHAPE, np.uint8)
    tables = predicted_tables(), top_tables(path.top.double().numpy())
    export = C2FExport(network, path, *tables, graphs, certificates, blank, synthesis)
    return _fitted(export, frames)


def _fitted(export: C2FExport, frames: Sequence[Frame]) -> C2FExport:
    codec = export.codec(Provenance("calibration"), SessionOptions(flavour=FLAVOUR))
    width = 2 * COUNT_RADIUS + 1
    counts = np.zeros((MOST_TABLES, width), np.int64)
    top = np.zeros((len(export.path.top), width), np.int64)
    for frame in frames:
        first, *others = codec.parts(codec.analyse(frame))
        count_symbols(top, first.symbols.reshape(-1), first.indexes.reshape(-1))
        for part in others:
            count_symbols(counts, part.symbols.reshape(-1), part.indexes.reshape(-1))
    tables = predicted_tables(counts), top_tables(export.path.top.double().numpy(), top)
    return replace(export, bank=tables[0], top=tables[1], known_frame=known_picture(codec))


def build_bundle(export: C2FExport, provenance: Provenance) -> bytes:
    """The finished bundle, with the known answers of this host."""
    return export.bundle(provenance, compute_known_answers(export.codec(provenance)))
