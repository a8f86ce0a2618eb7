"""Coarse-to-fine codecs: exact latents on every way, damaged streams, pictures in bands."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from c3d_export.core.errors import (
    BundleFormatError,
    FrameShapeError,
    LatentsChecksumError,
    StreamError,
    StreamForeignError,
    UnknownQualityError,
)
from c3d_export.models.c2f.frames import from_network
from c3d_export.models.c2f.network import Latents
from c3d_export.runtime.c2f import codec as codec_module
from c3d_export.runtime.c2f.codec import C2FLatents, CoarseToFineCodec
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import pack_stream, parse_stream

from ..hyperprior.conftest import picture
from .bundles import ONE_THREAD, Made

SIZES = [(1, 1), (64, 64), (17, 130), (65, 63), (128, 127)]
KERNELS = range(4)


def same(a: C2FLatents, b: C2FLatents) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.arrays(), b.arrays(), strict=True))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_frames_of_any_size_come_back(made: Made, height: int, width: int) -> None:
    codec, frame = made.codec, picture(height, width, 5)
    latents = codec.analyse(frame)
    rows, columns = -(-height // 64), -(-width // 64)
    assert latents.z3.shape[:2] == (4 * rows, 4 * columns)
    stream = codec.encode(frame)
    assert same(codec.decode_latents(parse_stream(stream)).latents, latents)
    shown = codec.decode(stream)
    assert (shown.shape, shown.dtype) == ((height, width, 3), np.uint8)
    assert shown.flags.c_contiguous


def test_latents_are_those_of_the_float_network(made: Made) -> None:
    """A rounded latent of the analysis is far from one half, or may be one off."""
    network, frame = made.export.network, picture(80, 144, 6)
    got, x = made.codec.analyse(frame), _tensor(frame)
    with torch.no_grad():
        wanted = network.analyse(x)
    pairs = [(got.z3, wanted.z3), (got.z2, wanted.z2), (got.z1, wanted.z1)]
    for a, b in pairs:
        if a is None or b is None:
            assert a is None
            assert b is None
            continue
        off = np.abs(a - b[0].permute(1, 2, 0).numpy())
        assert off.max() <= 1
        assert (off > 0).mean() < 0.01
        assert len(np.unique(a)) > 3


def _tensor(frame: Any) -> torch.Tensor:
    from c3d_export.deploy.c2f.bundle import as_tensor

    return as_tensor(frame)


@torch.no_grad()
def test_pixels_are_those_of_the_float_network(made: Made) -> None:
    """From the hyper-features that the integers stand for, and from its own ones."""
    codec, frame, network = made.codec, picture(70, 101, 6), made.export.network
    z = codec.analyse(frame)
    z3, z2 = _first(z.z3), _first(z.z2)
    path, h1 = made.export.path, None
    h2 = path.fine.features.values(path.fine.h_s(z2)).float()
    if z.z1 is not None and path.coarse is not None:
        h1 = path.coarse.features.values(path.coarse.h_s(_first(z.z1))).float()
    own = Latents(z3, z2, None if z.z1 is None else _first(z.z1))
    x_hats = network.reconstruct(z3, h2, h1), network.synthesise(own)
    shown = codec.decode(codec.encode(frame)).astype(np.int16)
    for x_hat, most, share in zip(x_hats, (1, 2), (0.002, 0.1), strict=True):
        wanted = from_network(x_hat, 70, 101)[0].permute(1, 2, 0).numpy()
        off = np.abs(shown - wanted)
        assert off.max() <= most
        assert (off > 0).mean() < share
    assert shown.std() > 1, "a flat picture compares nothing"


def _first(z: Any) -> torch.Tensor:
    return torch.from_numpy(z.astype(np.float32)).permute(2, 0, 1)[None]


def test_every_way_writes_and_reads_the_same_stream(made: Made) -> None:
    """Levels as graphs and in C with each kernel: what one encoded every other decodes."""
    frame, plain = picture(72, 200, 3), made.codec
    stream = parse_stream(plain.encode(frame))
    wanted = plain.decode_latents(stream)
    for native in (True, False):
        for threads in (1, 2):
            options = SessionOptions(flavour="float", threads=threads)
            codec = CoarseToFineCodec(made.bundle, options, native=native)
            assert bool(codec.native) == native
            for kernel in KERNELS if native else [None]:
                if kernel is not None:
                    codec.use_kernel(kernel)
                latents = codec.analyse(frame)
                assert same(latents, wanted.latents)
                assert codec.packed(latents) == list(stream.slices)
                decoded = codec.decode_latents(stream)
                assert same(decoded.latents, wanted.latents)
                assert np.array_equal(decoded.h2, wanted.h2)
                assert (decoded.h1 is None) == (not codec.has_z1)
                assert decoded.h1 is None or np.array_equal(decoded.h1, wanted.h1)


def test_onnx_runtime_has_no_level_where_c_computes_it(made: Made) -> None:
    assert not {"side2", "side3"} & made.codec.sessions._sessions.keys()
    assert "side3" in made.graph_codec.sessions._sessions
    reopened = made.graph_codec.reopened(ONE_THREAD)
    assert not reopened.native


def test_streams_in_many_slices_come_back(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c3d_export.runtime.slices.POSITIONS", 20)
    codec = CoarseToFineCodec(made.bundle, SessionOptions(flavour="float", threads=2))
    frame = picture(128, 192, 2)
    stream = codec.encode(frame)
    assert len(parse_stream(stream).slices) == 4
    assert same(codec.decode_latents(parse_stream(stream)).latents, codec.analyse(frame))


def test_threads_share_a_codec(made: Made) -> None:
    codec = CoarseToFineCodec(made.bundle, SessionOptions(flavour="float", threads=2))
    frames = [picture(64, 70 + seed, seed) for seed in range(4)]
    wanted = [codec.encode(frame) for frame in frames]
    pictures = [codec.decode(stream) for stream in wanted]
    got: dict[int, Any] = {}

    def work(n: int) -> None:
        got[n] = codec.encode(frames[n]), codec.decode(wanted[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(4):
        assert got[n][0] == wanted[n]
        assert np.array_equal(got[n][1], pictures[n])
    assert codec.encode_batch(frames) == wanted
    for a, b in zip(codec.decode_batch(wanted), pictures, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("rows", [1, 3, 7, 1000])
def test_bands_of_rows_are_one_picture(
    made: Made, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rows: at half resolution, fewer than a band sees of its neighbours among them."""
    codec, stream = made.codec, made.codec.encode(picture(130, 100, 4))
    monkeypatch.setattr(codec_module, "BAND", 10**9)
    whole = codec.decode(stream)
    seen: list[tuple[int, int]] = []
    band = codec._band
    monkeypatch.setattr(codec, "_band", lambda made, *e: seen.append(e) or band(made, *e))
    monkeypatch.setattr(codec_module, "BAND", rows * 64)  # of 96 rows, 64 a row
    shown = codec.decode(stream)
    assert len(seen) == -(-96 // rows)
    assert np.abs(shown.astype(np.int16) - whole).max() <= 1
    assert (shown != whole).mean() < 0.001
    assert whole.std() > 1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_picture_has_its_black_margins_cut_off(made: Made, axis: int) -> None:
    """A frame in the middle of black of whole 64s has the same latents; its picture is a cut."""
    codec, frame = made.codec, picture(60, 100, 8)
    missing = [4, 28]
    around = [(0, 0)] * 3
    around[axis] = (missing[axis] // 2, missing[axis] // 2)
    wide = np.pad(frame, around)
    assert same(codec.analyse(wide), codec.analyse(frame))
    shown = codec.decode(codec.encode(wide))
    cut = [slice(before, before + n) for (before, _), n in zip(around, frame.shape, strict=True)]
    assert np.array_equal(shown[tuple(cut)], codec.decode(codec.encode(frame)))


def test_every_cut_of_a_stream_is_an_error(made: Made) -> None:
    codec = made.codec
    stream = codec.encode(picture(40, 48))
    for cut in range(len(stream)):
        with pytest.raises(StreamError):
            codec.decode(stream[:cut])
    with pytest.raises(StreamError):
        codec.decode(stream + b"\0")


def test_flipped_bits_are_errors(made: Made) -> None:
    codec = made.codec
    stream = codec.encode(picture(40, 48))
    for bit in range(0, len(stream) * 8, 7):
        damaged = bytearray(stream)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            codec.decode(bytes(damaged))


@pytest.mark.parametrize("what", [1, 2], ids=["index", "mean"])
def test_drift_is_an_error_and_no_wrong_picture(made: Made, what: int) -> None:
    """One table further, or a mean one whole number higher, of the last latent."""
    codec = made.codec
    stream = codec.encode(picture(48, 64))
    level, one = codec.native["side3"], 1 if what == 1 else 1 << codec.prior.fraction

    def drifted(z: Any) -> Any:
        out = level(z)
        last = out[what].reshape(-1)[-1:]
        last += one if last < 63 or what == 2 else -one
        return out

    assert codec.decode(stream).shape == (48, 64, 3)
    codec.native["side3"] = drifted
    with pytest.raises(LatentsChecksumError, match="doctor"):
        codec.decode(stream)


def test_latents_that_no_encoder_writes_are_errors(made: Made) -> None:
    codec = made.codec
    for name in ("z1", "z2") if codec.has_z1 else ("z2",):
        latents = codec.analyse(picture(48, 64))
        z = getattr(latents, name)
        assert codec.decode(codec.stream_of(latents, 48, 64)).shape == (48, 64, 3)
        z[0, 0, 0] = made.bundle.arrays[f"{name}_high"][0] + 1
        with pytest.raises(LatentsChecksumError, match="out of range"):
            codec.decode(codec.stream_of(latents, 48, 64))


def test_payloads_that_go_on_are_errors(made: Made) -> None:
    """All sums of the stream hold, and the latents decode; yet no encoder writes so."""
    codec = made.codec
    stream = parse_stream(codec.encode(picture(48, 64)))
    for more in (b"", b"\0\0", bytes(64)):
        data = pack_stream(
            quality=1,
            width=64,
            height=48,
            codec_id=codec.id,
            slices=[part + more for part in stream.slices],
            latents_crc=stream.header.latents_crc,
        )
        if more:
            with pytest.raises(LatentsChecksumError, match="does not decode"):
                codec.decode(data)
        else:
            assert codec.decode(data).shape == (48, 64, 3)


def test_streams_of_another_bundle_are_foreign(made: Made, repack: Any) -> None:
    from c3d_export.runtime.bundle import parse_bundle

    other = parse_bundle(repack(made.data, edit=lambda m: m.update(name="other")))
    stream = CoarseToFineCodec(other, ONE_THREAD).encode(picture(32, 32))
    with pytest.raises(StreamForeignError):
        made.codec.decode(stream)


def test_wrong_calls_are_usage_errors(made: Made) -> None:
    codec, frame = made.codec, picture(40, 40)
    assert codec.encode(frame, quality=1) == codec.encode(frame)
    with pytest.raises(UnknownQualityError):
        codec.encode(frame, quality=2)
    with pytest.raises(FrameShapeError):
        codec.encode(frame[:, :, 0])
    with pytest.raises(FrameShapeError):
        codec.encode(frame.astype(np.float32))
    assert codec.encode(frame[::2, ::2]) == codec.encode(frame[::2, ::2].copy())


def test_errors_of_the_host_are_no_faults_of_the_bundle(made: Made) -> None:
    """What is raised inside while known answers are asked for is told as what it is."""
    from c3d_export.runtime.c2f.known import check_known_answers

    codec = made.codec
    check_known_answers(codec)

    def broken(z: Any) -> Any:
        raise RuntimeError("no kernel")

    codec.native["side3"] = broken
    with pytest.raises(BundleFormatError, match="do not run: no kernel"):
        check_known_answers(codec)

    def full(z: Any) -> Any:
        raise MemoryError

    codec.native["side3"] = full
    with pytest.raises(MemoryError):
        check_known_answers(codec)
