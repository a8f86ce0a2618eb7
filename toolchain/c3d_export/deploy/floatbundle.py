"""The file format of bundles with float transforms, and the model card in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..core import jsonio
from ..core.digest import sha256_bytes
from ..quantize.post.gdn import IntegerGDN
from ..quantize.post.layer import IntegerLayer
from ..runtime.archive import pack_archive
from ..runtime.bundle import FORMAT, MANIFEST, VERSION
from ..runtime.hyperprior.arraylayers import PREFIX
from .provenance import Provenance


@dataclass(frozen=True)
class FloatBundle:
    """spec: widths as plain JSON. fraction: bits of a mean behind the point. graphs: member names
    behind "graphs/" -> models. card: Markdown for people who find the file. more: entries of the
    manifest that only some bundles have."""

    family: str
    spec: dict[str, Any]
    fraction: int
    certificates: list[dict[str, Any]]
    arrays: Mapping[str, NDArray[Any]]
    graphs: Mapping[str, bytes]
    card: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def packed(self, provenance: Provenance, answers: list[dict[str, Any]]) -> bytes:
        """The file; the same inputs give the same bytes."""
        members = {f"arrays/{name}.npy": npy(array) for name, array in self.arrays.items()}
        members |= {f"graphs/{name}": data for name, data in self.graphs.items()}
        members["card.md"] = self.card.encode()
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "family": self.family,
            "name": provenance.name,
            "game": provenance.game,
            "licence": provenance.licence,
            "training": provenance.training,
            "provenance": provenance.to_json(),
            "spec": {**self.spec, "qualities": 1},
            "fraction": self.fraction,
            **self.more,
            "certificates": self.certificates,
            "known_answers": answers,
            "members": {
                name: {"sha256": sha256_bytes(data), "size": len(data)}
                for name, data in members.items()
            },
        }
        return pack_archive({**members, MANIFEST: jsonio.dumps(manifest)})


def layer_arrays(name: str, layer: IntegerLayer) -> dict[str, NDArray[Any]]:
    """Of a layer that hosts read from arrays (`runtime/hyperprior/arraylayers.py`)."""
    arrays: dict[str, NDArray[Any]] = {
        "weight": layer.taps().permute(0, 2, 3, 1).numpy().astype("<i2"),
        "bias": layer.bias.numpy().astype("<i4"),
    }
    for part in ("scale", "negative", "low", "high"):
        arrays[part] = getattr(layer, part).numpy().astype("<f4")
    return {f"{PREFIX}_{name}_{part}": np.ascontiguousarray(a) for part, a in arrays.items()}


def gdn_arrays(name: str, gdn: nn.Module) -> dict[str, NDArray[Any]]:
    """The same of an IntegerGDN."""
    assert isinstance(gdn, IntegerGDN)
    parts = {part: getattr(gdn, part).numpy().astype("<f4") for part in ("scale", "low", "high")}
    outer = {f"{PREFIX}_{name}_out_{part}": array for part, array in parts.items()}
    return layer_arrays(name, gdn.norm) | outer


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def model_card(provenance: Provenance, network: str, latents: int) -> str:
    """network: its name and source."""
    game = provenance.game or "any game (generic)"
    return (
        f"# {provenance.name}\n\nNeural image codec ({network}) for frames of {game}, made by"
        f" c3d-export.\n\n- one rate point, {latents} latent channels at 1/16\n"
        f"- licence of the training frames: {provenance.licence}\n"
        "- decodes to the same latents on every supported host; float pixels may differ by a grey"
        " level, integer ones (on CPUs, where the bundle has them) do not\n"
    )
