"""The bundle writer: frozen network, tables, known answers and provenance in one file."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import jsonio
from ..core.digest import sha256_bytes
from ..models.entropy import TABLES
from ..models.network import Codec as Network
from ..models.spec import PLANES
from ..overlay.pack import LearntOverlay
from ..quantize.freeze import Parameters, exact, freeze, parameters_of
from ..quantize.tables import (
    COUNT_RADIUS,
    TableBank,
    best_table,
    build_tables,
    count_symbols,
    rounding_points,
)
from ..runtime.archive import pack_archive
from ..runtime.bundle import FORMAT, MANIFEST, VERSION, parse_bundle
from ..runtime.codec import Codec
from ..runtime.images import Frame
from ..runtime.known import compute_known_answers
from .certificate import certify
from .graphs import FLAVOURS, build_graph, graph_specs
from .provenance import Provenance as Provenance

ROUNDING_STRENGTH = 0.5
"""Share of the optimal threshold shift (`quantize/tables.py`) that paid most on validation."""


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _array_members(
    frozen: Network, parameters: Parameters, bank: TableBank
) -> dict[str, NDArray[Any]]:
    in_c = {"linear": frozen.g_a.linear, "head": frozen.g_a.head, "pixels": frozen.g_s.pixels}
    layers = {
        f"{name}_{part}": getattr(exact(layer), part).numpy()
        for name, layer in in_c.items()
        for part in ("scale", "bias")
    }
    return {
        **layers,
        "step": parameters.step.astype("<i4"),
        "offset": parameters.offset.astype("<i2"),
        "planes": parameters.planes,
        "z_index": parameters.z_index,
        "rounding": parameters.rounding.astype("<f4"),
        "frequencies": bank.frequencies.astype("<u4"),
        "shapes": bank.shapes.astype("<u2"),
    }


def _graph_members(frozen: Network) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for spec in graph_specs(frozen.spec):
        for flavour in FLAVOURS:
            graph = build_graph(frozen, spec, flavour)
            members[f"graphs/{spec.name}.{flavour}"] = graph.nodes
            members[f"graphs/{spec.name}.weights"] = graph.weights
    return members


@dataclass(frozen=True)
class Export:
    """A frozen network and everything that is computed from it once. overlay: of its game."""

    frozen: Network
    parameters: Parameters
    bank: TableBank
    graphs: dict[str, bytes]
    certificates: list[dict[str, Any]]
    overlay: LearntOverlay | None = None

    def bundle(self, provenance: Provenance, answers: list[dict[str, Any]]) -> bytes:
        arrays = _array_members(self.frozen, self.parameters, self.bank)
        if self.overlay is not None:
            arrays |= self.overlay.arrays(self.bank, self.frozen.spec.qualities)
        members = {f"arrays/{name}.npy": _npy(array) for name, array in arrays.items()}
        members |= self.graphs
        members["card.md"] = model_card(provenance, self.frozen).encode()
        manifest = self._manifest(provenance, answers, members)
        return pack_archive({**members, MANIFEST: jsonio.dumps(manifest)})

    def _manifest(
        self, p: Provenance, answers: list[dict[str, Any]], members: dict[str, bytes]
    ) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": p.name,
            "game": p.game,
            "licence": p.licence,
            "training": p.training,
            "provenance": p.to_json(),
            "spec": {**self.frozen.spec.to_json(), "planes": PLANES},
            "certificates": self.certificates,
            "known_answers": answers,
            "members": {
                name: {"sha256": sha256_bytes(data), "size": len(data)}
                for name, data in members.items()
            },
        }

    def codec(self, provenance: Provenance) -> Codec:
        """This export, opened as a host would, without known answers."""
        return Codec(parse_bundle(self.bundle(provenance, [])))


def export_network(model: Network) -> Export:
    """Freezes, certifies and writes the graphs; raises CertificateError."""
    frozen = freeze(model)
    certificates = [layer.to_json() for layer in certify(frozen)]
    bank = build_tables()
    parameters = replace(parameters_of(model), rounding=rounding_points(bank, ROUNDING_STRENGTH))
    return Export(frozen, parameters, bank, _graph_members(frozen), certificates)


def calibrate(export: Export, frames: Iterable[Frame]) -> Export:
    """Fits the tables, z's table indexes and the rounding points to real frames (training ones).

    frames: uint8 (H, W, 3). Every rate point codes every frame.
    """
    codec = export.codec(Provenance("calibration"))
    counts = np.zeros((TABLES, 2 * COUNT_RADIUS + 1), np.int64)
    shape = (len(codec.qualities), codec.bundle.hyper, 2 * COUNT_RADIUS + 1)
    hyper_counts = np.zeros(shape, np.int64)
    for frame in frames:
        for quality in codec.qualities:
            latents = codec.latents(frame, quality)
            for symbols, indexes in zip(latents.symbols, latents.indexes, strict=True):
                count_symbols(counts, symbols, indexes)
            _count_hyper(hyper_counts[quality - 1], latents.z)
    bank = build_tables(counts)
    z_index = [[best_table(bank, channel) for channel in row] for row in hyper_counts]
    parameters = replace(
        export.parameters,
        z_index=np.array(z_index, np.uint8),
        rounding=rounding_points(bank, ROUNDING_STRENGTH),
    )
    return replace(export, parameters=parameters, bank=bank)


def _count_hyper(counts: NDArray[np.int64], z: NDArray[np.int16]) -> None:
    channels = np.broadcast_to(np.arange(z.shape[2]), z.shape)
    np.add.at(counts, (channels, z.astype(np.int64) + COUNT_RADIUS), 1)


def build_bundle(export: Export, provenance: Provenance) -> bytes:
    """The finished bundle: known answers computed on this host through the default flavour."""
    return export.bundle(provenance, compute_known_answers(export.codec(provenance)))


def model_card(provenance: Provenance, network: Network) -> str:
    """Markdown for people who find the file."""
    spec = network.spec
    game = provenance.game or "any game (generic)"
    return (
        f"# {provenance.name}\n\nNeural image codec for frames of {game}, made by c3d-export.\n\n"
        f"- {spec.qualities} rate points, {spec.latents} latent channels at 1/16\n"
        f"- licence of the training frames: {provenance.licence}\n"
        "- decodes to the same bytes on every supported host; see the certificates and known"
        " answers in manifest.json\n"
    )
