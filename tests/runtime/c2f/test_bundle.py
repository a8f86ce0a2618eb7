"""Hostile bundles of coarse-to-fine networks: a typed error when read, or when opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import c3d_export
from c3d_export.core.errors import (
    BundleError,
    BundleFormatError,
    BundleGraphError,
    BundleManifestError,
    BundleMemberError,
    KnownAnswerError,
    OptionError,
)
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.c2f.bundle import LARGEST
from c3d_export.runtime.c2f.codec import CoarseToFineCodec
from c3d_export.runtime.c2f.known import check_known_answers, known_latents
from c3d_export.runtime.families import open_family
from c3d_export.runtime.sessions import SessionOptions

if TYPE_CHECKING:
    from ...deploy.c2f.bundles import Made

Repack = Callable[..., bytes]
Array = NDArray[Any]
OPTIONS = SessionOptions(flavour="float", threads=1)


def npy(array: Array) -> bytes:
    from c3d_export.deploy.floatbundle import npy

    return npy(array)


MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "unknown family": lambda m: m.update(family="other"),
    "family of no name": lambda m: m.update(family=["c2f"]),
    "fraction too large": lambda m: m.update(fraction=7),
    "no bit behind the point": lambda m: m.update(fraction=0),
    "half a bit": lambda m: m.update(fraction=1.5),
    "no fraction": lambda m: m.pop("fraction"),
    "no spec": lambda m: m.pop("spec"),
    "a list for a spec": lambda m: m.update(spec=[1]),
    "no latents": lambda m: m["spec"].update(latents=0),
    "latents of text": lambda m: m["spec"].update(latents="6"),
    "latents of truth": lambda m: m["spec"].update(latents=True),
    "too many latents": lambda m: m["spec"].update(latents=8193),
    "no fine level": lambda m: m["spec"].update(fine=None),
    "fine level without latents": lambda m: m["spec"]["fine"].pop("latents"),
    "no word on z1": lambda m: m["spec"].pop("coarse"),
    "text for z1": lambda m: m["spec"].update(coarse="yes"),
    "z1 with too many latents": lambda m: m["spec"].update(coarse={"latents": 257}),
    "rate points": lambda m: m["spec"].update(qualities=2),
}


@pytest.mark.parametrize("fault", MANIFESTS)
def test_a_wrong_manifest_is_refused(fault: str, made: Made, repack: Repack) -> None:
    with pytest.raises(BundleManifestError):
        parse_bundle(repack(made.data, edit=MANIFESTS[fault]))


def _filled(value: float) -> Callable[[Array], Array]:
    return lambda a: np.full_like(a, value)


ARRAYS: dict[str, tuple[str, Callable[[Array], Array | None]]] = {
    "bins missing": ("bins", lambda a: None),
    "bins of 63 scales": ("bins", lambda a: a[:-1]),
    "a table too many": ("bins", lambda a: np.where(np.arange(64) == 5, a - 1, a)),
    "a scale without a table": (
        "bins",
        lambda a: np.where(np.arange(64) == 5, 0, np.where(np.arange(64) == 4, a + a[5], a)),
    ),
    "more tables than shapes": ("bins", lambda a: np.where(np.arange(64) == 5, a + 1, a)),
    "bins of 16 bits": ("bins", lambda a: a.astype("<u2")),
    "shapes of three columns": ("shapes", lambda a: a[:, :3]),
    "a table too few": ("shapes", lambda a: a[:-1]),
    "a top table too few": ("top_shapes", lambda a: a[:-1]),
    "z2 from above zero": ("z2_low", _filled(1)),
    "z2 to below zero": ("z2_high", _filled(-1)),
    "z2 too large": ("z2_high", _filled(LARGEST + 1)),
    "z2 too small": ("z2_low", _filled(-LARGEST - 1)),
    "ranges of too few": ("z2_low", lambda a: a[1:]),
    "ranges of float": ("z2_low", lambda a: a.astype("<f4")),
    "a small frame": ("known_frame", lambda a: a[:-1]),
    "a grey frame": ("known_frame", lambda a: a[:, :, 0]),
}


@pytest.mark.parametrize("fault", ARRAYS)
def test_wrong_arrays_are_refused(fault: str, made: Made, repack: Repack) -> None:
    name, change = ARRAYS[fault]
    array = change(made.bundle.arrays[name])
    if array is not None and not fault.endswith(("bits", "float")):
        array = array.astype(made.bundle.arrays[name].dtype)
    member = None if array is None else npy(array)
    with pytest.raises(BundleMemberError):
        parse_bundle(repack(made.data, {f"arrays/{name}.npy": member}))


def test_members_of_no_use_are_refused(made: Made, repack: Repack) -> None:
    for name in ("arrays/more.npy", "graphs/side1.float", "graphs/g_a.qlinear", "notes.md"):
        with pytest.raises(BundleMemberError, match="of no use"):
            parse_bundle(repack(made.data, {name: b"x"}))
    with pytest.raises(BundleMemberError, match=r"lacks card\.md"):
        parse_bundle(repack(made.data, {"card.md": None}))


def test_z1_is_there_as_the_manifest_says(made: Made, repack: Repack) -> None:
    """A coarse level too many or too few, in the manifest and in the members."""

    def turned(manifest: dict[str, Any]) -> None:
        spec = manifest["spec"]
        spec["coarse"] = {"latents": 3} if spec["coarse"] is None else None

    with pytest.raises(BundleMemberError):
        parse_bundle(repack(made.data, edit=turned))


def test_swapped_graphs_are_refused(made: Made, repack: Repack) -> None:
    graphs = made.bundle.graphs
    names = [name for name, _ in graphs]
    for name, other in zip(names, [*names[1:], names[0]], strict=True):
        with pytest.raises(BundleGraphError):
            parse_bundle(repack(made.data, {f"graphs/{name}.float": graphs[other, "float"]}))
    for data in (b"", b"\x08\x08", graphs["g_a", "float"][:-9]):
        with pytest.raises(BundleError):
            parse_bundle(repack(made.data, {"graphs/g_a.float": data}))


def test_tables_that_the_coder_refuses_do_not_open(made: Made, repack: Repack) -> None:
    for name in ("frequencies", "top_frequencies"):
        wrong = made.bundle.arrays[name].copy()
        wrong[0] += 1
        bundle = parse_bundle(repack(made.data, {f"arrays/{name}.npy": npy(wrong)}))
        with pytest.raises(BundleMemberError, match="frequency tables are wrong"):
            CoarseToFineCodec(bundle, OPTIONS)


def edited(made: Made, repack: Repack, graph: str, edit: Callable[[Any], object]) -> Bundle:
    """A bundle one of whose graphs has other constants."""
    from ...deploy.c2f.bundles import with_constants

    data = with_constants(made.bundle.graphs[graph, "float"], edit)
    return parse_bundle(repack(made.data, {f"graphs/{graph}.float": data}))


def test_heads_that_leave_their_range_do_not_open(made: Made, repack: Repack) -> None:
    bundle = edited(made, repack, "side3", lambda c: c["predictor.index.high"].fill(64))
    with pytest.raises(BundleGraphError, match="leave their range"):
        CoarseToFineCodec(bundle, OPTIONS)


def test_levels_of_other_latents_do_not_open(made: Made, repack: Repack) -> None:
    bundle = parse_bundle(repack(made.data, edit=lambda m: m["spec"].update(latents=7)))
    with pytest.raises(BundleGraphError, match="6 outputs for 7 latents"):
        CoarseToFineCodec(bundle, OPTIONS)


def test_an_analysis_of_no_numbers_does_not_open(made: Made, repack: Repack) -> None:
    """Known answers cannot ask for g_a's numbers, which hosts do not share; yet it must run."""
    for place in ("g_a.6.bias", "h_a2.6.bias"):
        bundle = edited(made, repack, "g_a", lambda c, n=place: c[n].fill(np.nan))
        with pytest.raises(BundleGraphError, match="makes no latents"):
            open_family(bundle, OPTIONS)


def test_an_analysis_of_other_latents_does_not_open(made: Made, repack: Repack) -> None:
    def wider(constants: dict[str, Array]) -> None:
        for part in ("weight", "bias"):
            value = constants[f"h_a2.6.{part}"]
            constants[f"h_a2.6.{part}"] = np.concatenate([value, value])

    without_z1 = ("side2", "float") not in made.bundle.graphs
    bundle = edited(made, repack, "g_a", wider)
    # Where h_a1 reads z2 the graph does not even run.
    with pytest.raises(BundleGraphError if without_z1 else BundleError):
        open_family(bundle, OPTIONS)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_picture_of_another_size_does_not_open(made: Made, repack: Repack) -> None:
    import onnx

    model = onnx.load_model_from_string(made.bundle.graphs["picture", "float"])
    (last,) = (node for node in model.graph.node if node.output[0] == "pixels.out")
    (strides,) = (a for a in last.attribute if a.name == "strides")
    strides.ints[:] = [1, 2]
    data = model.SerializeToString(deterministic=True)
    bundle = parse_bundle(repack(made.data, {"graphs/picture.float": data}))
    with pytest.raises(BundleGraphError, match="a picture of shape"):
        open_family(bundle, OPTIONS)


def test_graphs_that_do_not_run_are_a_wrong_format(made: Made, repack: Repack) -> None:
    """When a session is made of them, or only when it runs."""

    def narrow(name: str, axis: int) -> Callable[[dict[str, Array]], None]:
        return lambda c: c.update({name: np.delete(c[name], -1, axis)})

    for name, axis in (("h2.step", 1), ("up1.weight", 0), ("up1.bias", 0)):
        with pytest.raises(BundleFormatError):
            open_family(edited(made, repack, "features", narrow(name, axis)), OPTIONS)


def test_a_bundle_without_known_answers_does_not_open(made: Made, repack: Repack) -> None:
    answers = made.bundle.manifest["known_answers"]
    for wrong in ([], None, "all", answers[1:], [*answers, answers[0]], [None] * len(answers)):
        data = repack(made.data, edit=lambda m, a=wrong: m.update(known_answers=a))
        with pytest.raises(BundleManifestError, match="not complete"):
            open_family(parse_bundle(data), OPTIONS)
    data = repack(made.data, edit=lambda m: m.update(known_answers=answers[:-1]))
    open_family(parse_bundle(data), OPTIONS)  # float pixels are no known answer
    with pytest.raises(BundleManifestError, match="not complete"):
        open_family(parse_bundle(data), SessionOptions())


def test_known_answers_tell_of_other_numbers(made: Made, repack: Repack) -> None:
    """One weight of a level, one table, and one point of the known picture."""
    a, codec = made.bundle.arrays, made.codec

    def heavier(constants: dict[str, Array]) -> None:
        constants["predictor.mean.lower.weight"][0] += 4

    # The symbols of a table that the known latents are coded by change their lengths.
    used = codec.parts(known_latents(made.bundle))[-1].indexes[0, 0, 0]
    lengths = a["shapes"][:, 2:].astype(int).sum(1)
    first = (lengths[:used] + 2).sum() + 1
    groups = slice(first, first + lengths[used])
    frequencies = a["frequencies"].copy()
    frequencies[groups] = np.roll(frequencies[groups], 1)
    shown = a["known_frame"].copy()
    shown[40, 50, 1] ^= 128
    forged = {
        "graph": edited(made, repack, "side3", heavier),
        "payload": parse_bundle(repack(made.data, {"arrays/frequencies.npy": npy(frequencies)})),
        "grey levels": parse_bundle(repack(made.data, {"arrays/known_frame.npy": npy(shown)})),
    }
    for what, bundle in forged.items():
        for native in (True, False):
            codec = CoarseToFineCodec(bundle, OPTIONS, native=native)
            with pytest.raises(KnownAnswerError, match=what):
                check_known_answers(codec)


def test_it_opens_as_any_bundle_does(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "tiny.c3b"
    path.write_bytes(made.data)
    codec = c3d_export.open_codec(path)
    assert (list(codec.qualities), codec.bundle.name) == ([1], "tiny")
    assert codec.bundle.family == "c2f"
    assert c3d_export.open_codec(path, flavour="float").sessions.flavour == "float"
    assert codec.sessions.flavour == "qlinear"
    for options in (
        SessionOptions(flavour="float", device="tpu"),
        SessionOptions(flavour="float", threads=-1),
        SessionOptions(flavour="float", level="most"),
    ):
        with pytest.raises(OptionError):
            CoarseToFineCodec(made.bundle, options)
