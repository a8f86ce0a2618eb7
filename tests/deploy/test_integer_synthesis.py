"""Synthesis in integers of both published families: exact, near the float one, safe to open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from c3d_export.core.errors import BundleError, KnownAnswerError
from c3d_export.deploy.floatbundle import npy
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.c2f import synthesis as c2f_synthesis
from c3d_export.runtime.families import check_family, family_codec, flavours_of, open_family
from c3d_export.runtime.hyperprior import synthesis as mbt_synthesis
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec
from c3d_export.runtime.sessions import SessionOptions

from .c2f import bundles
from .hyperprior.conftest import picture

Repack = Callable[..., bytes]
EXACT = SessionOptions(threads=1)


@pytest.fixture(scope="module", params=["c2f", "mbt"])
def data(request: pytest.FixtureRequest) -> bytes:
    if request.param == "c2f":
        return bundles.made_of(True).data
    return _mbt()


def _mbt() -> bytes:
    from c3d_export.deploy.bundle import Provenance
    from c3d_export.deploy.hyperprior.bundle import build_bundle, export_network
    from c3d_export.models.mbt.network import build_network
    from c3d_export.models.mbt.spec import uniform_spec

    network = build_network(uniform_spec("tiny", "mbt2018-mean", 16, 24), seed=3).eval()
    with torch.no_grad():
        network.g_a[6].weight.mul_(40)
        network.g_s[6].weight.mul_(3)
    export = export_network(network, [picture(80, 112, seed) for seed in range(2)])
    return build_bundle(export, Provenance("tiny"))


@pytest.fixture(scope="module")
def bundle(data: bytes) -> Bundle:
    return parse_bundle(data)


def test_cpus_take_it_and_gpus_do_not(bundle: Bundle) -> None:
    assert flavours_of(bundle, "cpu") == ("qlinear", "float")
    assert flavours_of(bundle, "cuda") == ("float",)
    assert open_family(bundle, EXACT).sessions.flavour == "qlinear"


def test_it_is_near_the_float_one(bundle: Bundle) -> None:
    exact, floating = (
        family_codec(bundle, options) for options in (EXACT, SessionOptions(flavour="float"))
    )
    frame = picture(80, 112, 1)
    stream = floating.encode(frame)
    a, b = (codec.decode(stream).astype(int) for codec in (exact, floating))
    assert b.std() > 5, "a flat picture compares nothing"
    assert np.abs(a - b).max() <= 3
    assert np.mean((a - b) ** 2) < 0.2


def test_latents_twice_as_large_as_the_calibrations_are_not_clipped() -> None:
    bundle = parse_bundle(_mbt())
    exact, floating = (
        HyperpriorCodec(bundle, options) for options in (EXACT, SessionOptions(flavour="float"))
    )
    y_hat = 2 * floating.latents_of(picture(80, 112, 1)).y_hat
    a, b = (codec.synthesise(y_hat, 80, 112).astype(int) for codec in (exact, floating))
    assert np.abs(a - b).max() <= 2


def test_rows_of_bands_and_threads_are_of_no_account(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = picture(150, 70, 2)
    wanted = family_codec(bundle, EXACT)
    stream = wanted.encode(frame)
    shown = wanted.decode(stream)
    for rows in (6, 16):
        for module in (c2f_synthesis, mbt_synthesis):
            monkeypatch.setattr(module, "HALF_ROWS", rows)
        for threads in (1, 3):
            codec = family_codec(bundle, SessionOptions(threads=threads))
            assert np.array_equal(codec.decode(stream), shown)


def test_known_answers_tell_of_another_pixel(data: bytes, repack: Repack) -> None:
    bias = parse_bundle(data).arrays["synthesis_pixels_bias"].copy()
    bias += np.abs(bias).max()
    forged = parse_bundle(repack(data, {"arrays/synthesis_pixels_bias.npy": npy(bias)}))
    with pytest.raises(KnownAnswerError, match="pixels"):
        open_family(forged, EXACT)
    check_family(family_codec(forged, SessionOptions(flavour="float")))


def _edited(name: str, change: Callable[[Any], Any]) -> Callable[[Bundle], dict[str, bytes]]:
    def edit(bundle: Bundle) -> dict[str, bytes]:
        array = bundle.arrays[f"synthesis_{name}"]
        return {f"arrays/synthesis_{name}.npy": npy(change(array.copy()).astype(array.dtype))}

    return edit


FAULTS = {
    "fewer outputs": _edited("up1_weight", lambda a: a[:-1]),
    "another kernel": _edited("up0_weight", lambda a: a[:, :3]),
    "fewer biases": _edited("pixels_bias", lambda a: a[:-1]),
    "fewer scales": _edited("up2_scale", lambda a: a[:-1]),
    "no number": _edited("up2_negative", lambda a: a * np.nan),
    "half a limit": _edited("up1_high", lambda a: a + 0.5),
    "no range": _edited("up1_low", lambda a: a + 40000),
    "more than int16": _edited("up0_high", lambda a: a * 0 + 40000),
    "sums of 33 bits": _edited("up1_weight", lambda a: a * 0 + 32767),
    "wide norms": _edited("gdn1_out_high", lambda a: a * 0 + 40000),
    "a negative root": _edited("gdn0_low", lambda a: a - 1),
    "a negative scale": _edited("gdn2_out_scale", lambda a: -a - 1),
    "narrow norms": _edited("gdn0_high", lambda a: a * 0 + 255),
    "brighter than white": _edited("pixels_high", lambda a: a + 1),
    "darker than black": _edited("pixels_low", lambda a: a - 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_arrays_that_do_not_fit_are_bundle_errors(
    fault: str, bundle: Bundle, data: bytes, repack: Repack
) -> None:
    with pytest.raises(BundleError):
        family_codec(parse_bundle(repack(data, FAULTS[fault](bundle))), EXACT)


def test_the_manifest_says_whether_there_is_one(data: bytes, repack: Repack) -> None:
    for value in ("float", None, 1):
        with pytest.raises(BundleError):
            parse_bundle(repack(data, edit=lambda m, v=value: m.update(synthesis=v)))
