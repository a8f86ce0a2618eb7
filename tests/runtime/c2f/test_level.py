"""Levels in C: the graph's own numbers, or a typed error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import BundleGraphError
from c3d_export.runtime.bundle import TABLES
from c3d_export.runtime.c2f.bundle import LARGEST
from c3d_export.runtime.c2f.level import Level
from c3d_export.runtime.slices import Workers

if TYPE_CHECKING:
    from ...deploy.c2f.bundles import Made

Constants = dict[str, NDArray[Any]]
INPUTS = {"side3": "z2", "side2": "z1"}


def levels_of(made: Made) -> list[str]:
    return [graph for graph in INPUTS if (graph, "float") in made.bundle.graphs]


def largest(made: Made, graph: str) -> NDArray[np.int64]:
    a, z = made.bundle.arrays, INPUTS[graph]
    return np.maximum(-a[f"{z}_low"].astype(np.int64), a[f"{z}_high"])


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (6, 5)])
def test_a_level_gives_what_the_graph_gives(made: Made, size: tuple[int, int]) -> None:
    """Noise over all of z; the native kernels one by one, and two threads."""
    graph_codec, rng = made.graph_codec, np.random.default_rng(4)
    for graph in levels_of(made):
        most = largest(made, graph)
        z = rng.integers(-most, most + 1, (*size, len(most))).astype(np.int16)
        z[0, 0] = most
        assert graph not in graph_codec.native
        wanted = graph_codec.level(graph, z)
        for threads in (1, 2):
            level = Level(made.bundle.graphs[graph, "float"], graph, most, Workers(threads))
            for kernel in range(4):
                level.use_kernel(kernel)
                got = level(z)
                for a, b in zip(got, wanted, strict=True):
                    assert a.shape == b.shape
                    assert np.array_equal(a, b)
            assert (level.features, level.outputs) == (got[0].shape[2], got[1].shape[2])
        assert got[0].std() > 100, "nothing to compare"
        assert len(np.unique(got[1])) > 3
        assert got[1].max() < TABLES
        assert np.abs(got[2]).max() <= LARGEST


def _set(name: str, change: Callable[[NDArray[Any]], object]) -> Callable[[Constants], None]:
    """change: in place, or it gives the new array."""

    def edit(constants: Constants) -> None:
        array = constants[name].copy()
        made = change(array)
        constants[name] = array if made is None else np.asarray(made)

    return edit


def _put(place: Any, value: float) -> Callable[[NDArray[Any]], None]:
    def change(array: NDArray[Any]) -> None:
        array[place] = value

    return change


def _fewer(*parts: str) -> Callable[[Constants], None]:
    """The last output of a layer left out."""

    def edit(constants: Constants) -> None:
        for name, array in constants.items():
            if name.startswith(parts):
                axis = 0 if name.endswith(("weight", "bias")) else 1
                constants[name] = np.delete(array, -1, axis) if array.ndim else array

    return edit


def _cut(name: str, *place: slice) -> Callable[[Constants], None]:
    def edit(constants: Constants) -> None:
        for key in constants:
            if key.startswith(f"{name}.") and key.endswith("weight"):
                constants[key] = constants[key][:, :, *place]

    return edit


ATTACKS: dict[str, tuple[str, Callable[[Constants], object]]] = {
    "no scale": (r"h_s\.1 .*scale", lambda c: c.pop("h_s.1.scale")),
    "no low": ("conv2 .*low", lambda c: c.pop("predictor.conv2.low")),
    "no high": ("mean .*high", lambda c: c.pop("predictor.mean.high")),
    "no layer": (
        "conv3 .*weight",
        lambda c: [c.pop(k) for k in list(c) if k.startswith("predictor.conv3")],
    ),
    "float weights": (
        "float32 with 4 axes",
        _set("predictor.conv1.upper.weight", lambda a: a.astype(np.float32)),
    ),
    "scales in a row": ("of shape", _set("predictor.conv1.scale", lambda a: a.reshape(-1))),
    "no number": ("no finite number", _set("h_s.2.scale", _put((0, 0), np.nan))),
    "range turned round": ("range of outputs", _set("h_s.3.low", _put((0, 0), 33000))),
    "range with a fraction": ("range of outputs", _set("h_s.3.high", _put((0, 0), 4.5))),
    "outputs beyond int16": (r"h_s\.0 has outputs beyond", _set("h_s.0.high", _put((0, 0), 40000))),
    "features too large": (r"h_s\.3 has outputs beyond", _set("h_s.3.low", _put((0, 0), -32768))),
    "sums beyond int32": ("32 bits", _set("predictor.conv2.upper.bias", _put(0, 2.0**27 - 8))),
    "negative index": ("leave their range", _set("predictor.index.low", _put((0, 0), -1))),
    "index of no table": ("leave their range", _set("predictor.index.high", _put((0, 0), TABLES))),
    "large mean": ("leave their range", _set("predictor.mean.high", _put((0, 0), LARGEST + 1))),
    "small mean": ("leave their range", _set("predictor.mean.low", _put((0, 0), -LARGEST - 1))),
    "heads of two sizes": ("5 indexes come with 6 means", _fewer("predictor.index.")),
    "kernel without sides": ("3 x 3", _cut("predictor.conv1", slice(1, 2), slice(1, 2))),
    "kernel too narrow": ("3 x 3", _cut("h_s.3", slice(3), slice(2))),
    "no groups of four": ("groups of four", _fewer("h_s.2.")),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_levels_are_refused(attack: str) -> None:
    pytest.importorskip("torch")
    from ...deploy.c2f.bundles import made_of, with_constants

    made, (fault, edit) = made_of(False), ATTACKS[attack]
    graph = with_constants(made.bundle.graphs["side3", "float"], edit)
    with pytest.raises(BundleGraphError, match=rf"{fault}.* again"):
        Level(graph, "side3", largest(made, "side3"), Workers(1))


def test_graphs_that_are_written_again_are_no_others(made: Made) -> None:
    """What the attacks do besides the attack."""
    from ...deploy.c2f.bundles import with_constants

    graph = made.bundle.graphs["side3", "float"]
    assert with_constants(graph, lambda constants: None) == graph


def test_a_level_of_other_latents_is_refused(made: Made) -> None:
    most = largest(made, "side3")
    graph = made.bundle.graphs["side3", "float"]
    with pytest.raises(BundleGraphError, match="inputs where"):
        Level(graph, "side3", most[:-1], Workers(1))
    with pytest.raises(BundleGraphError, match="may pass 32 bits"):
        Level(graph, "side3", most * 400, Workers(1))
