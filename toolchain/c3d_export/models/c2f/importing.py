"""Checkpoints of the published coarse-to-fine networks: their names, and the widths they say.

Published are pickled state dicts of the training script (Hu et al. and AppSpecificLIC alike). What
training alone used is left out: projections of h for the helping losses, the picture layer of the
first stages, a scale of z2 that the coarse level replaces, constants of the GDNs. So is, without
a coarse level, the predictor of z2, which nothing calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from torch import Tensor, nn

from ...core.errors import CheckpointError
from .network import build_network
from .spec import SIZES, C2FSpec, LevelSpec, ReconstructionSpec

_TRAINING_ONLY: Final = re.compile(
    r"proj_head_z[23]\.transform\.0\.(weight|bias)"
    r"|s_model\.aux_conv\.1\.(weight|bias)"
    r"|[as]_model\.transform\.\d\.(reparam_offset|pedestal)"
)
_COARSE_SCALE: Final = ("get_h1_sigma", "h1_sigma")
_FINE_SCALE: Final = ("z2_sigma", "v_z2_sigma")
"""One parameter each, which the training script registers under two names."""


def _layers() -> Iterator[tuple[str, str]]:
    """Their layers and ours; theirs count the padding as layers of a sequence."""
    yield from ((f"a_model.transform.{i + i // 2 + 1}", f"g_a.{i}") for i in range(7))
    yield from ((f"s_model.transform.{i + i // 2 + 1}", f"g_s.{i}") for i in range(6))
    for level, below in (("1", "2"), ("2", "3")):
        yield from ((f"ha_model_{level}.transform.{i}", f"h_a{level}.{i}") for i in (0, 2, 4, 6))
        places = {0: 0, 1: 1, 3: 3, 7: 6}
        yield from (
            (f"hs_model_{level}.transform.{i}", f"h_s{level}.{j}") for i, j in places.items()
        )
        predictor = f"prediction_model_{below}"
        yield from (
            (f"{predictor}.transform.{3 * i + 1}", f"predictor{below}.conv{i + 1}")
            for i in range(3)
        )
        yield f"{predictor}.fc", f"predictor{below}."
    yield from (
        (f"side_recon_model.{a}", f"reconstruction.{b}") for a, b in _RECONSTRUCTION.items()
    )


_RECONSTRUCTION: Final = {
    "layer_1.1": "up1",
    "layer_1a.1": "up2",
    "layer_1b.1": "up3",
    "layer_3_1.0": "block1",
    "layer_3_2.0": "block2",
    "layer_3_3.0": "block3",
    "layer_4.1": "up4",
    "layer_5.0": "tail",
    "layer_6": "pixels",
}
_OURS: Final = dict(_layers())


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by our names, as our layers hold them; names that are not known stay.

    state: without `module.`. Raises CheckpointError where one parameter has two values.
    """
    has_coarse = any(name.startswith("ha_model_1.") for name in state)
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not _left_out(name, has_coarse):
            out.update(_renamed(name, tensor))
    scale = _one_value(state, _COARSE_SCALE if has_coarse else _FINE_SCALE)
    return out if scale is None else {**out, "top_scale": scale}


def _left_out(name: str, has_coarse: bool) -> bool:
    if _TRAINING_ONLY.fullmatch(name):
        return True
    if has_coarse:
        return name in (*_COARSE_SCALE, *_FINE_SCALE)
    return name in _FINE_SCALE or name.startswith("prediction_model_2.")


def _renamed(name: str, tensor: Tensor) -> dict[str, Tensor]:
    theirs, _, leaf = name.rpartition(".")
    layer = _OURS.get(theirs)
    if layer is None:
        return {name: tensor}
    if layer.endswith("."):  # the linear layer that gives both, means first
        halves = tensor.tensor_split(2) if tensor.dim() else (tensor, tensor)
        return {f"{layer}{head}.{leaf}": half for head, half in zip(_HEADS, halves, strict=True)}
    if layer.startswith("h_s") and leaf == "weight" and tensor.dim() == 4:
        # A transposed convolution of stride 1 is one with the kernel turned round.
        tensor = tensor.transpose(0, 1).flip(2, 3).contiguous()
    return {f"{layer}.{leaf}": tensor}


_HEADS: Final = ("mean", "log_scale")


def _one_value(state: Mapping[str, Tensor], names: tuple[str, str]) -> Tensor | None:
    given = [state[name] for name in names if name in state]
    if len(given) == 2 and not (given[0].shape == given[1].shape and given[0].equal(given[1])):
        raise CheckpointError(f"{names[0]} and {names[1]} are one parameter, but differ")
    return given[0] if given else None


def widths_of(state: Mapping[str, Tensor]) -> C2FSpec:
    """The spec that the shapes of the renamed tensors say, under its published name if it has one.

    Raises CheckpointError where the tensors are of another family, naming what is missed.
    """
    coarse = any(name.startswith("h_a1.") for name in state)
    needed = [name for name in _WITNESSES if coarse or not _is_coarse(name)]
    absent = [name for name in needed if f"{name}.weight" not in state]
    if absent:
        raise CheckpointError(f"the checkpoint is no coarse-to-fine network: no {_theirs(absent)}")
    try:
        return _named(_spec(_Outputs(state), coarse))
    except ValueError as error:
        raise CheckpointError(f"the checkpoint is no coarse-to-fine network: {error}") from error


def _theirs(layers: list[str]) -> str:
    """The published names of some weights, for a message."""
    known = {ours: theirs for theirs, ours in _OURS.items()}
    names = ", ".join(f"{known[layer]}.weight" for layer in layers[:_SHOWN])
    return names + (f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else "")


_SHOWN: Final = 8


class _Outputs:
    """Output channels of a layer by our name."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state

    def __call__(self, layer: str) -> int:
        weight = self._state[f"{layer}.weight"]
        if weight.dim() != 4:
            raise CheckpointError(f"{layer}.weight has shape {tuple(weight.shape)}, not 4 axes")
        return int(weight.shape[1 if _is_transposed(layer) else 0])

    def three(self, *layers: str) -> tuple[int, int, int]:
        a, b, c = (self(layer) for layer in layers)
        return a, b, c


def _is_transposed(layer: str) -> bool:
    return layer.startswith(("g_s.", "reconstruction.up"))


def _is_coarse(layer: str) -> bool:
    return layer.startswith(("h_a1", "h_s1", "predictor2"))


_WITNESSES: Final = tuple(
    name for name in _OURS.values() if not name.endswith((".", ".1", ".3", ".5")) or name[0] == "h"
)
"""The layers whose weights have four axes: those that a width is read from, and others."""


def _spec(outputs: _Outputs, coarse: bool) -> C2FSpec:
    r = "reconstruction"
    return C2FSpec(
        "c2f",
        latents=outputs("g_a.6"),
        g_a=outputs.three("g_a.0", "g_a.2", "g_a.4"),
        g_s=outputs.three("g_s.0", "g_s.2", "g_s.4"),
        fine=_level(outputs, "2", "3"),
        coarse=_level(outputs, "1", "2") if coarse else None,
        reconstruction=ReconstructionSpec(
            outputs.three(f"{r}.up1", f"{r}.up2", f"{r}.up3"),
            (outputs(f"{r}.block1"), outputs(f"{r}.block2")),
            (outputs(f"{r}.up4"), outputs(f"{r}.tail")),
        ),
    )


def _level(outputs: _Outputs, level: str, below: str) -> LevelSpec:
    h_a, h_s, predictor = f"h_a{level}", f"h_s{level}", f"predictor{below}"
    return LevelSpec(
        latents=outputs(f"{h_a}.6"),
        h_a=outputs.three(f"{h_a}.0", f"{h_a}.2", f"{h_a}.4"),
        h_s=outputs.three(f"{h_s}.0", f"{h_s}.1", f"{h_s}.3"),
        features=outputs(f"{h_s}.6"),
        predictor=outputs.three(*(f"{predictor}.conv{i}" for i in (1, 2, 3))),
    )


def _named(spec: C2FSpec) -> C2FSpec:
    for size in SIZES.values():
        for published in (size, size.without_z1()):
            if replace(spec, name=published.name) == published:
                return published
    return spec


def build(spec: C2FSpec) -> nn.Module:
    """A network of the spec, for the weights to be loaded into."""
    return build_network(spec)
