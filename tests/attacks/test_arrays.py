"""Attacks through the arrays: what `numpy.load` would do with them."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import BundleMemberError

from .conftest import Host, Refuse
from .forging import forged
from .zips import MEMBERS

STEP = "arrays/step.npy"


def header(text: str, version: bytes = b"\1\0", data: bytes = b"") -> bytes:
    """An .npy file with this line of Python in front."""
    line = text.encode() + b"\n"
    length = len(line).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + length + line + data


def form(shape: str, kind: str = "<i4") -> str:
    return "{'descr': '" + kind + "', 'fortran_order': False, 'shape': " + shape + ", }"


def test_what_is_built_here_is_what_numpy_writes(host: Host) -> None:
    step = np.load(io.BytesIO(MEMBERS[STEP]))
    path = host.folder / "good.c3b"
    path.write_bytes(forged({STEP: header(form("(3, 32)"), data=step.tobytes())}))
    assert host.ask("read", path)["error"] is None


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.path}",)


def test_a_pickle_in_an_array(refuse: Refuse, host: Host) -> None:
    target, file = host.folder.parent / "sprung", io.BytesIO()
    np.save(file, np.array([Trap(target)], dtype=object), allow_pickle=True)
    refuse(forged({STEP: file.getvalue()}), BundleMemberError, "array step")
    assert not target.exists()


def test_a_pickle_in_place_of_an_array(refuse: Refuse, host: Host) -> None:
    """numpy.load tries that last of all."""
    target = host.folder.parent / "sprung"
    refuse(forged({STEP: pickle.dumps(Trap(target))}), BundleMemberError, "array step")
    assert not target.exists()


def test_an_archive_in_place_of_an_array(refuse: Refuse) -> None:
    file = io.BytesIO()
    np.savez(file, step=np.zeros(3))
    refuse(forged({STEP: file.getvalue()}), BundleMemberError, "array step")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("step.npy", bytes(50 << 20))
    refuse(forged({STEP: bomb.getvalue()}), BundleMemberError, "array step")


@pytest.mark.parametrize(
    "shape", ["(1099511627776, 4)", "(4294967296, 4294967296)", "(3, 99999999999999999999999)"]
)
def test_a_shape_of_terabytes(refuse: Refuse, shape: str) -> None:
    refuse(forged({STEP: header(form(shape), data=b"x" * 384)}), BundleMemberError, "array step")


@pytest.mark.parametrize("shape", ["(-3, -32)", "(0, 32)", "(3, 0)", "()", "(96,)", "(3, 32, 1)"])
def test_a_shape_that_is_negative_empty_or_of_another_rank(refuse: Refuse, shape: str) -> None:
    refuse(forged({STEP: header(form(shape), data=b"x" * 384)}), BundleMemberError, "array step")


def test_sizes_whose_product_overflows(refuse: Refuse) -> None:
    """2^32 times 2^32 plus 96 is 96 in 64 bits."""
    shape = f"({2**32}, {2**32})"
    refuse(forged({STEP: header(form(shape), data=b"x" * 384)}), BundleMemberError, "array step")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch sprung')",
        "{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (3, 32), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 32), 'more': 1}",
        "{'descr': '<i4', 'shape': (3, 32)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3, 32), }",
        "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3, 32), }",
        "{'descr': '<i4', 'fortran_order': True, 'shape': (3, 32), }",
        "{'descr': '>i4', 'fortran_order': False, 'shape': (3, 32), }",
        "{'descr': '<V384', 'fortran_order': False, 'shape': (1, 1), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': [3, 32], }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (True, 96), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (3.0, 32), }",
        "[" * 9000,
        "-" * 9000 + "1",
        "9" * 9000,
        "'''",
        "\0",
        "",
    ],
)
def test_a_header_that_is_code_or_no_header(refuse: Refuse, text: str, host: Host) -> None:
    refuse(forged({STEP: header(text, data=b"x" * 384)}), BundleMemberError, "array step")
    assert not (host.folder / "sprung").exists()


def test_other_versions_of_the_format(refuse: Refuse) -> None:
    for version in (b"\2\0", b"\3\0", b"\xff\xff", b"\0\0"):
        data = header(form("(3, 32)"), version, b"x" * 384)
        refuse(forged({STEP: data}), BundleMemberError, "array step")


def test_a_header_that_is_longer_than_the_file(refuse: Refuse) -> None:
    for data in (b"\x93NUMPY\1\0\xff\xff{", b"\x93NUMPY\2\0\xff\xff\xff\xff{", b"\x93NUMPY", b""):
        refuse(forged({STEP: data}), BundleMemberError, "array step")


def test_bytes_that_are_missing_or_left(refuse: Refuse) -> None:
    step = MEMBERS[STEP]
    for data in (step[:-1], step + b"\0", step[:-384], step + step):
        refuse(forged({STEP: data}), BundleMemberError, "array step")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers(refuse: Refuse, value: float) -> None:
    file = io.BytesIO()
    array = np.load(io.BytesIO(MEMBERS["arrays/linear_scale.npy"])).copy()
    array[0] = value
    np.save(file, array)
    data = forged({"arrays/linear_scale.npy": file.getvalue()})
    refuse(data, BundleMemberError, "holds what is no number")
