"""Fixtures that more than one folder of tests needs.

What is made with torch is imported inside the fixtures, so that the tests of the host side run
where torch is not installed (those that need a bundle are skipped there).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core import jsonio
from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import C3DError
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import MANIFEST, Bundle, parse_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.sessions import SessionOptions

if TYPE_CHECKING:
    from c3d_export.deploy.bundle import Export
    from c3d_export.models.network import Codec as Network

Frame = NDArray[np.uint8]
MakeFrame = Callable[..., Frame]
Repack = Callable[..., bytes]


@pytest.fixture(scope="session", autouse=True)
def _no_policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the host or its user trusts has no say in the tests and what they start."""
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text("require_signature = false\n")
    before = os.environ.get("C3D_POLICY")
    os.environ["C3D_POLICY"] = str(path)
    yield
    if before is None:
        del os.environ["C3D_POLICY"]
    else:
        os.environ["C3D_POLICY"] = before


@pytest.fixture(scope="session", autouse=True)
def _interrupts() -> None:
    """A shell starts what runs in its background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def frame() -> Frame:
    """A read-only frame, 64 wide and 48 high: gradients, a flat panel, sharp edges, some noise.

    It is made of integers and a fixed congruential generator, so it is the same on every host.
    """
    rows, columns = np.mgrid[0:48, 0:64]
    pixels = np.stack([columns * 4, rows * 5, (rows + columns) * 2], axis=2)
    pixels[8:24, 8:32] = (200, 40, 90)
    pixels[28:44, 36:60] = np.where((rows + columns) % 8 < 4, 255, 0)[28:44, 36:60, None]
    noise = (rows * 64 + columns) * 1103515245 + 12345
    pixels[28:44, 4:28] += (noise[28:44, 4:28, None] >> 16) % 32
    image = pixels.astype(np.uint8)
    image.flags.writeable = False
    return image


def _synthetic(height: int, width: int, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    slopes = rng.uniform(-1, 1, (3, 2))
    planes = [128 + a * (rows - height / 2) + b * (columns - width / 2) for a, b in slopes]
    pixels = np.stack(planes, axis=2)
    for _ in range(height * width // 1024):
        top, left = rng.integers(height), rng.integers(width)
        tall, wide = rng.integers(4, 32, 2)
        pixels[top : top + tall, left : left + wide] = rng.integers(40, 216, 3)
    pixels += rng.normal(0, 3, pixels.shape)
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def make_frame() -> MakeFrame:
    """make_frame(height, width, seed=0): gradients, rectangles with hard edges, some noise."""
    return _synthetic


@pytest.fixture(scope="session")
def tiny_model() -> Network:
    """The xsmall network, started from synthetic frames, its zero layers disturbed; read only.

    Untrained, it is a transform codec with trunks that add a little, so that every layer counts.
    """
    torch = pytest.importorskip("torch")
    from c3d_export.models.klt import initialize_from_frames
    from c3d_export.models.layers import IntConv2d
    from c3d_export.models.network import build_network
    from c3d_export.models.spec import SIZES

    frames = [torch.from_numpy(_synthetic(128, 128, seed)) for seed in range(4)]
    model = build_network(SIZES["xsmall"])
    threads = torch.get_num_threads()
    # Components that the frames do not have are arbitrary, and depend on the order of sums.
    torch.set_num_threads(1)
    initialize_from_frames(model, frames, [1.0] * len(frames))
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, IntConv2d):
                size = 0.02 * float(layer.weight.abs().mean()) or 0.002
                layer.weight += size * torch.randn(layer.weight.shape, generator=generator)
                layer.bias += 0.02 * torch.rand(layer.bias.shape, generator=generator)
        # Its 532 x 9 inputs of like size, which no trained layer has, would exceed the certificate
        # at full scale, and then a second freeze may round a scale otherwise.
        model.h_a.conv1.weight[:, ::2] *= 0.5
    return model.eval()


@pytest.fixture(scope="session")
def tiny_export(tiny_model: Network) -> Export:
    """`tiny_model` in integers, its tables fitted to one frame."""
    pytest.importorskip("onnx")
    from c3d_export.deploy.bundle import calibrate, export_network

    return calibrate(export_network(tiny_model), [_synthetic(64, 96, 7)])


@pytest.fixture(scope="session")
def tiny_bytes(tiny_export: Export) -> bytes:
    """A finished bundle."""
    from c3d_export.deploy.bundle import Provenance, build_bundle

    return build_bundle(tiny_export, Provenance("tiny", "synthetic", "CC0-1.0", {"steps": 0}))


@pytest.fixture(scope="session")
def tiny_bundle(tiny_bytes: bytes) -> Bundle:
    return parse_bundle(tiny_bytes)


@pytest.fixture(scope="session")
def tiny_codec(tiny_bundle: Bundle) -> Codec:
    return Codec(tiny_bundle, SessionOptions(threads=1))


@pytest.fixture(scope="session")
def tiny_path(tiny_bytes: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "tiny.c3b"
    path.write_bytes(tiny_bytes)
    return path


def _repack(
    data: bytes,
    changes: dict[str, bytes | None] | None = None,
    edit: Callable[[dict[str, Any]], None] | None = None,
) -> bytes:
    members = unpack_archive(data)
    manifest = jsonio.loads(members.pop(MANIFEST), C3DError)
    for name, member in (changes or {}).items():
        members.pop(name, None)
        if member is not None:
            members[name] = member
    manifest["members"] = {
        name: {"sha256": sha256_bytes(member), "size": len(member)}
        for name, member in members.items()
    }
    if edit is not None:
        edit(manifest)
    return pack_archive({**members, MANIFEST: jsonio.dumps(manifest)})


@pytest.fixture(scope="session")
def repack() -> Repack:
    """repack(bundle, {member: bytes or None}, edit): a forgery whose hashes and sizes all agree.

    edit: changes the manifest in place, after the hashes.
    """
    return _repack
