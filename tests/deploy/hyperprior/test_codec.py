"""Bundles of mbt2018 and mbt2018-mean: exact latents, streams that are refused, known answers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import c3d_export
from c3d_export.core.errors import (
    BundleError,
    BundleGraphError,
    BundleManifestError,
    BundleMemberError,
    FrameShapeError,
    KnownAnswerError,
    LatentsChecksumError,
    OptionError,
    StreamError,
    StreamForeignError,
    UnknownQualityError,
)
from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.hyperprior.bundle import build_bundle, export_network
from c3d_export.deploy.hyperprior.validate import validate_hyperprior
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec
from c3d_export.runtime.hyperprior.known import check_known_answers
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import pack_stream, parse_stream

from .conftest import Made, picture

SIZES = [(1, 1), (16, 16), (17, 70), (64, 64), (90, 123)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_latents_are_those_of_the_integer_network(made: Made, height: int, width: int) -> None:
    codec, frame = made.codec, picture(height, width, 5)
    y, z = codec.analyse(frame)
    ys, zs = (torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None] for x in (y, z))
    wanted = made.export.path.code(ys, zs).y_hat[0].permute(1, 2, 0).numpy()
    stream = codec.encode(frame)
    assert np.array_equal(codec.decode_latents(parse_stream(stream)), wanted)
    shown = codec.decode(stream)
    assert (shown.shape, shown.dtype) == ((height, width, 3), np.uint8)


def test_pixels_are_those_of_the_float_network(made: Made) -> None:
    codec, frame = made.codec, picture(64, 80, 6)
    y_hat = codec.decode_latents(parse_stream(codec.encode(frame)))
    given = torch.from_numpy(y_hat.astype(np.float32)) / (1 << codec.path.fraction)
    with torch.no_grad():
        x_hat = made.export.network.g_s(given.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    wanted = (x_hat * 255).round().clamp(0, 255).numpy()
    off = np.abs(codec.decode(codec.encode(frame)).astype(np.int16) - wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01
    assert wanted.std() > 1, "a flat picture compares nothing"


def test_the_rate_is_what_the_likelihoods_say(made: Made) -> None:
    """Bytes against bits of the tables' own Gaussians and of the factorised prior."""
    codec, frame = made.codec, picture(256, 320, 7)
    latents = codec.code(*codec.analyse(frame))
    bits = 0.0
    for symbols, indexes in latents.waves:
        offset = symbols.astype(int).clip(-1024, 1024) + 1024
        bits += made.export.bank.bits[indexes, offset].sum()
    size = len(b"".join(codec.packed(latents))) * 8
    z = latents.z.astype(np.float32)
    prior = made.export.network.entropy_bottleneck
    with torch.no_grad():
        values = torch.from_numpy(z).reshape(-1, z.shape[2]).T[:, None]
        likelihood = prior.likelihood(values + prior.medians()[:, None, None])
    bits -= float(likelihood.log2().sum())
    assert size == pytest.approx(bits, rel=0.01, abs=64 * 32)


def test_the_same_codec_serves_many_threads(made: Made) -> None:
    codec = made.codec
    frames = [picture(48, 64, seed) for seed in range(4)]
    wanted = [codec.encode(frame) for frame in frames]
    got: dict[int, bytes] = {}

    def work(n: int) -> None:
        got[n] = codec.encode(frames[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[n] for n in range(4)] == wanted
    assert codec.encode_batch(frames) == wanted


def test_it_opens_as_any_bundle_does(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "tiny.c3b"
    path.write_bytes(made.data)
    codec = c3d_export.open_codec(path)
    assert (list(codec.qualities), codec.bundle.name) == ([1], "tiny")
    frame = picture(40, 40)
    assert codec.decode(codec.encode(frame, quality=1)).shape == frame.shape
    with pytest.raises(UnknownQualityError):
        codec.encode(frame, quality=2)
    with pytest.raises(FrameShapeError):
        codec.encode(frame[:, :, 0])
    with pytest.raises(OptionError):
        c3d_export.open_codec(path, device="tpu")
    assert codec.sessions.flavour == "qlinear"
    assert c3d_export.open_codec(path, flavour=["float", "qlinear"]).sessions.flavour == "float"


def test_a_bundle_with_float_synthesis_only(made: Made, tmp_path: Path) -> None:
    frames = [picture(80, 112)]
    export = export_network(made.export.network, frames, integer_synthesis=False)
    path = tmp_path / "float.c3b"
    path.write_bytes(build_bundle(export, Provenance("tiny")))
    with pytest.raises(OptionError, match="transforms are float"):
        c3d_export.open_codec(path, flavour="qlinear")
    assert c3d_export.open_codec(path, flavour=["qlinear", "float"]).sessions.flavour == "float"
    codec = c3d_export.open_codec(path)
    assert codec.decode(codec.encode(frames[0])).shape == frames[0].shape


def test_a_kernel_of_another_host_decodes_alike(made: Made) -> None:
    """What one kernel encoded another decodes, and the graph, which GPUs run."""
    frame = picture(48, 64, 3)
    stream = made.codec.encode(frame)
    others = [made.codec for _ in range(4)]
    for kernel, other in enumerate(others):
        other.use_kernel(kernel)
    graph = HyperpriorCodec(made.bundle, SessionOptions(flavour="float"), native=False)
    for other in (*others, graph):
        assert other.encode(frame) == stream
        assert np.array_equal(other.decode(stream), made.codec.decode(stream))
        check_known_answers(other)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (12, 5), (9, 17)])
def test_h_s_in_c_gives_what_the_graph_gives(made: Made, size: tuple[int, int]) -> None:
    """Noise over all of z's range, cut off at any row and column."""
    graph = HyperpriorCodec(made.bundle, SessionOptions(flavour="float"), native=False)
    a = made.bundle.arrays
    shape = (-(-size[0] // 4), -(-size[1] // 4), made.bundle.hyper)
    z = np.random.default_rng(1).integers(a["z_low"], a["z_high"] + 1, shape).astype(np.int16)
    wanted = graph.hyper(z, *size)
    got = made.codec.hyper(z, *size)
    assert got.shape == wanted.shape == (*size, 2 * made.bundle.latents)
    assert np.array_equal(got, wanted)
    assert "h_s" in graph.sessions._sessions
    assert "h_s" not in made.codec.sessions._sessions


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def test_every_cut_and_every_flipped_bit_is_an_error(made: Made) -> None:
    codec = made.codec
    stream = codec.encode(picture(32, 48))
    for cut in range(len(stream)):
        with pytest.raises(StreamError):
            codec.decode(stream[:cut])
    for bit in range(len(stream) * 8):
        with pytest.raises(StreamError):
            codec.decode(flipped(stream, bit))


def test_every_flipped_bit_behind_the_checksum_of_bytes_is_an_error(made: Made) -> None:
    """What a host with other numbers would see: the bytes are sound, the latents are not."""
    codec = made.codec
    stream = parse_stream(codec.encode(picture(20, 32)))
    (payload,) = stream.slices
    header = stream.header
    for bit in range(len(payload) * 8):
        forged = pack_stream(
            quality=1,
            width=header.width,
            height=header.height,
            codec_id=codec.id,
            slices=[flipped(payload, bit)],
            latents_crc=header.latents_crc,
        )
        with pytest.raises(LatentsChecksumError):
            codec.decode(forged)


def test_a_drifted_mean_is_an_error_and_no_wrong_picture(made: Made) -> None:
    codec = made.codec
    stream = codec.encode(picture(48, 64))
    heads = codec.path.heads

    def drifted(out: Any) -> Any:
        index, mean = heads(out)
        mean.reshape(-1)[-1] += 1
        return index, mean

    codec.path.heads = drifted  # type: ignore[method-assign]
    with pytest.raises(LatentsChecksumError):
        codec.decode(stream)


def test_another_bundles_stream_is_foreign(made: Made, repack: Any) -> None:
    other = parse_bundle(repack(made.data, edit=lambda m: m.update(name="other")))
    stream = HyperpriorCodec(other, SessionOptions(flavour="float")).encode(picture(32, 32))
    with pytest.raises(StreamForeignError):
        made.codec.decode(stream)


def test_validation_finds_no_difference(made: Made) -> None:
    report = validate_hyperprior(made.bundle, [("one", picture(70, 64, 9))])
    assert report.differing == 0
    report.require_exact()
    assert sum(row.compared for row in report.integers) > 10_000
    pixels = [row for row in report.floats if row.what.startswith("pixels")]
    assert len(pixels) == 2
    assert max(row.largest for row in pixels) <= 1


def _npy(array: Any) -> bytes:
    from c3d_export.deploy.floatbundle import npy

    return npy(array)


def test_known_answers_tell_of_another_weight(made: Made, repack: Any) -> None:
    """One unit in one table index, or in one weight of the context model."""
    a = made.bundle.arrays
    if made.codec.path.context:
        weight = a["parameters_2_weight"].copy()
        weight[-1] += 40
        changed = {"arrays/parameters_2_weight.npy": _npy(weight)}
    else:
        changed = {"arrays/thresholds.npy": _npy(a["thresholds"] + 3)}
    forged = parse_bundle(repack(made.data, changed))
    codec = HyperpriorCodec(forged, SessionOptions(flavour="float"))
    with pytest.raises(KnownAnswerError, match="computes other numbers"):
        check_known_answers(codec)


def test_known_answers_tell_of_a_wrong_picture(made: Made, repack: Any) -> None:
    shown = made.bundle.arrays["known_frame"].copy()
    shown[10, 10] += 40
    forged = parse_bundle(repack(made.data, {"arrays/known_frame.npy": _npy(shown)}))
    with pytest.raises(KnownAnswerError, match="a decoded pixel by"):
        check_known_answers(HyperpriorCodec(forged, SessionOptions(flavour="float")))


MANIFESTS = {
    "family": lambda m: m.update(family="other"),
    "fraction": lambda m: m.update(fraction=9),
    "latents": lambda m: m["spec"].update(latents=0),
    "many hyper": lambda m: m["spec"].update(hyper=300),
    "text": lambda m: m["spec"].update(latents="24"),
    "no spec": lambda m: m.pop("spec"),
    "rate points": lambda m: m["spec"].update(qualities=2),
}


@pytest.mark.parametrize("fault", MANIFESTS)
def test_a_wrong_manifest_is_refused(fault: str, made: Made, repack: Any) -> None:
    with pytest.raises(BundleManifestError):
        parse_bundle(repack(made.data, edit=MANIFESTS[fault]))


def test_members_that_are_missing_wrong_or_of_no_use_are_refused(made: Made, repack: Any) -> None:
    a = made.bundle.arrays
    wrong: list[dict[str, bytes | None]] = [
        {"arrays/thresholds.npy": None},
        {"arrays/other.npy": _npy(a["thresholds"])},
        {"arrays/thresholds.npy": _npy(a["thresholds"][:-1])},
        {"arrays/thresholds.npy": _npy(a["thresholds"][::-1])},
        {"arrays/thresholds.npy": _npy(a["thresholds"].astype("<i8"))},
        {"arrays/z_low.npy": _npy(np.abs(a["z_low"]) + 1)},
        {"arrays/known_frame.npy": _npy(a["known_frame"][:-1])},
    ]
    if made.codec.path.context:
        high, scale = a["parameters_0_high"].copy(), a["context_scale"].copy()
        high[0], scale[0] = 40000, np.nan
        wrong += [
            {"arrays/parameters_0_high.npy": _npy(high)},
            {"arrays/context_scale.npy": _npy(scale)},
            {"arrays/context_weight.npy": _npy(a["context_weight"][:, :-1])},
            {"arrays/seen_low.npy": None},
        ]
    for changes in wrong:
        with pytest.raises(BundleMemberError):
            parse_bundle(repack(made.data, changes))
    swapped = made.bundle.graphs["g_s", "float"]
    with pytest.raises(BundleGraphError):
        parse_bundle(repack(made.data, {"graphs/g_a.float": swapped}))
    with pytest.raises(BundleError):
        parse_bundle(repack(made.data, {"graphs/g_a.float": b"\x08\x08"}))


def test_a_bundle_without_known_answers_does_not_open(made: Made, repack: Any) -> None:
    for answers in ([], None, [{"graph": "h_s", "out": 1}]):
        data = repack(made.data, edit=lambda m, a=answers: m.update(known_answers=a))
        codec = HyperpriorCodec(parse_bundle(data), SessionOptions(flavour="float"))
        with pytest.raises(BundleManifestError):
            check_known_answers(codec)
