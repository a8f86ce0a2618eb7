"""Bundles: what a reader refuses although, or because, somebody meant it."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import (
    BundleError,
    BundleFormatError,
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    BundleVersionError,
    MissingInputError,
)
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import (
    ARRAYS,
    FLAVOURS,
    GRAPHS,
    MANIFEST,
    Bundle,
    parse_bundle,
    read_bundle,
)
from c3d_export.runtime.codec import Codec

Repack = Callable[..., bytes]
Manifest = dict[str, Any]


def _npy(array: NDArray[Any], *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def test_a_good_bundle(tiny_bundle: Bundle, tiny_bytes: bytes, tiny_path: Path) -> None:
    assert tiny_bundle.name == "tiny"
    assert (tiny_bundle.qualities, tiny_bundle.latents, tiny_bundle.hyper) == (8, 640, 64)
    assert tiny_bundle.id.hex() == sha256_bytes(unpack_archive(tiny_bytes)[MANIFEST])[:16]
    assert tiny_bundle.graphs.keys() == {(g, f) for g in GRAPHS for f in FLAVOURS}
    assert tiny_bundle.arrays.keys() == ARRAYS.keys()
    assert read_bundle(tiny_path).id == read_bundle(str(tiny_path)).id == tiny_bundle.id


def test_arrays_are_read_only(tiny_bundle: Bundle) -> None:
    for array in tiny_bundle.arrays.values():
        with pytest.raises(ValueError, match="read-only"):
            array.flat[0] = 0


def test_every_flipped_byte(tiny_bytes: bytes) -> None:
    rng = np.random.default_rng(8)
    # The container's own bytes are few among those of the weights: some from its end as well.
    positions = [*rng.integers(len(tiny_bytes), size=170), *(-rng.integers(1, 2500, size=30))]
    for position, value in zip(positions, rng.integers(1, 256, size=200), strict=True):
        data = bytearray(tiny_bytes)
        data[position] ^= value
        with pytest.raises(BundleError) as caught:
            parse_bundle(bytes(data))
        assert caught.type is not BundleError


def test_a_changed_member_whose_container_is_sound(tiny_bytes: bytes) -> None:
    for name in ("card.md", "graphs/g_s.weights", "arrays/step.npy"):
        members = unpack_archive(tiny_bytes)
        members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
        with pytest.raises(BundleHashError, match=name):
            parse_bundle(pack_archive(members))


def test_a_member_that_is_missing(tiny_bytes: bytes) -> None:
    for name in unpack_archive(tiny_bytes):
        members = unpack_archive(tiny_bytes)
        del members[name]
        wanted = BundleManifestError if name == MANIFEST else BundleMemberError
        with pytest.raises(wanted):
            parse_bundle(pack_archive(members))


@pytest.mark.parametrize(
    "name", [*(f"arrays/{a}.npy" for a in ARRAYS), "graphs/g_s.float", "graphs/h_a.weights"]
)
def test_a_member_that_the_manifest_forgets_too(
    tiny_bytes: bytes, repack: Repack, name: str
) -> None:
    with pytest.raises(BundleMemberError):
        parse_bundle(repack(tiny_bytes, {name: None}))


def test_a_member_that_is_not_listed(tiny_bytes: bytes) -> None:
    with pytest.raises(BundleMemberError):
        parse_bundle(pack_archive({**unpack_archive(tiny_bytes), "extra.bin": b"x"}))


@pytest.mark.parametrize("version", [0, 4, 6, "5", None, 1.5])
def test_another_version(tiny_bytes: bytes, repack: Repack, version: object) -> None:
    with pytest.raises(BundleVersionError, match="update c3d-export"):
        parse_bundle(repack(tiny_bytes, None, lambda m: m.update(version=version)))


def test_the_version_is_looked_at_before_what_a_later_one_may_change(
    tiny_bytes: bytes, repack: Repack
) -> None:
    def edit(manifest: Manifest) -> None:
        manifest.clear()
        manifest.update(format="c3d-export bundle", version=99)

    with pytest.raises(BundleVersionError, match="99"):
        parse_bundle(repack(tiny_bytes, None, edit))


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.update(format="another"),
        lambda m: m.pop("format"),
        lambda m: m.pop("spec"),
        lambda m: m.update(spec=[1, 2]),
        lambda m: m["spec"].pop("planes"),
        lambda m: m["spec"].update(latents="many"),
        lambda m: m["spec"].update(qualities=None),
    ],
)
def test_a_malformed_manifest(
    tiny_bytes: bytes, repack: Repack, edit: Callable[[Manifest], object]
) -> None:
    with pytest.raises(BundleManifestError):
        parse_bundle(repack(tiny_bytes, None, edit))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 5000])
def test_a_manifest_that_is_no_object(tiny_bytes: bytes, data: bytes) -> None:
    with pytest.raises(BundleManifestError):
        parse_bundle(pack_archive({**unpack_archive(tiny_bytes), MANIFEST: data}))


@pytest.mark.parametrize("field", ["qualities", "latents", "hyper", "planes"])
@pytest.mark.parametrize("value", [0, -1, 7, 1 << 40])
def test_widths_that_the_arrays_do_not_have(
    tiny_bytes: bytes, repack: Repack, field: str, value: int
) -> None:
    with pytest.raises(BundleMemberError):
        parse_bundle(repack(tiny_bytes, None, lambda m: m["spec"].update({field: value})))


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_another_shape_or_type(
    tiny_bytes: bytes, tiny_bundle: Bundle, repack: Repack, name: str
) -> None:
    good = tiny_bundle.arrays[name]
    wrong = [good[None], good.astype(np.float64), good.astype(good.dtype.newbyteorder(">"))]
    if name != "frequencies":  # whose length is told by the shapes: the coder looks at that
        wrong.append(good[:-1])
    if good.ndim == 2:
        wrong += [np.asfortranarray(good), good[:, :-1]]
    for array in wrong:
        if array.dtype.str == good.dtype.str and array.shape == good.shape and good.ndim == 1:
            continue  # bytes have no order
        if np.array_equal(array, good) and array.flags.c_contiguous and array.dtype == good.dtype:
            continue
        with pytest.raises(BundleMemberError):
            parse_bundle(repack(tiny_bytes, {f"arrays/{name}.npy": _npy(array)}))


class _Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def test_a_pickle_is_refused_and_never_run(
    tiny_bytes: bytes, repack: Repack, tmp_path: Path
) -> None:
    trap = _Trap(str(tmp_path / "sprung"))
    array = np.array([trap], dtype=object)
    for data in (_npy(array, allow_pickle=True), pickle.dumps(trap)):
        with pytest.raises(BundleMemberError):
            parse_bundle(repack(tiny_bytes, {"arrays/step.npy": data}))
    assert not (tmp_path / "sprung").exists()


def test_files_that_numpy_would_also_open_or_choke_on(tiny_bytes: bytes, repack: Repack) -> None:
    step = unpack_archive(tiny_bytes)["arrays/step.npy"]
    archive = io.BytesIO()
    np.savez(archive, step=np.zeros(3))
    header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (%s), }"
    huge = header % b"1099511627776, 4"
    deep = header % (b"-" * 9000 + b"1,")
    opened = header % b"((8, 640"
    heads = (huge, deep, opened)
    forged = [b"\x93NUMPY\x01\x00" + len(h).to_bytes(2, "little") + h for h in heads]
    zeroed = step.replace(b"(8, 640)", b"(0, 640)")
    for data in (b"", b"PK\x03\x04", archive.getvalue(), step[:-1], step + b"\0", *forged, zeroed):
        with pytest.raises(BundleMemberError):
            parse_bundle(repack(tiny_bytes, {"arrays/step.npy": data}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", 0),
        ("step", 65536),
        ("z_index", 64),
        ("rounding", np.nan),
        ("rounding", 1e9),
        ("rounding", -0.1),
        ("linear_scale", np.inf),
        ("head_bias", np.nan),
        ("pixels_scale", np.nan),
        ("pixels_scale", 0.51),
        ("pixels_scale", -1.0),
        ("pixels_bias", 1 << 24),
        ("pixels_bias", -(1 << 24)),
    ],
)
def test_values_that_the_passes_would_not_survive(
    tiny_bytes: bytes, tiny_bundle: Bundle, repack: Repack, name: str, value: float
) -> None:
    array = tiny_bundle.arrays[name].copy()
    array.flat[-1] = value
    with pytest.raises(BundleMemberError):
        parse_bundle(repack(tiny_bytes, {f"arrays/{name}.npy": _npy(array)}))


@pytest.mark.parametrize("name", ["frequencies", "shapes"])
def test_tables_that_the_coder_refuses(
    tiny_bytes: bytes, tiny_bundle: Bundle, repack: Repack, name: str
) -> None:
    array = tiny_bundle.arrays[name].copy()
    array[5] = np.iinfo(np.int16).max
    bundle = parse_bundle(repack(tiny_bytes, {f"arrays/{name}.npy": _npy(array)}))
    with pytest.raises(BundleMemberError, match="tables"):
        Codec(bundle)


@pytest.mark.parametrize("path", ["/nowhere/at/all.c3b", "", "a\0b", None, 3])
def test_a_path_that_is_none(path: Any) -> None:
    with pytest.raises(MissingInputError):
        read_bundle(path)


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "text.c3b"
    path.write_text("hello")
    with pytest.raises(BundleFormatError):
        read_bundle(path)
