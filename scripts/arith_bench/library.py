"""The coder's C sources as a shared library, called through their plain interface."""

from __future__ import annotations

import ast
import ctypes
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench-arith"


class Shape(ctypes.Structure):
    """c3d_arith_shape."""

    _fields_ = [(name, ctypes.c_uint16) for name in ("bits", "fold", "below", "above")]


class Part(ctypes.Structure):
    """c3d_arith_part."""

    _fields_ = [
        ("tables", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("means", ctypes.c_void_p),
        ("indexes", ctypes.c_void_p),
        ("n", ctypes.c_size_t),
    ]


class Slice(ctypes.Structure):
    """c3d_arith_slice."""

    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t)]


_POINTER = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "kernel_available": (ctypes.c_int, [ctypes.c_int]),
    "table_build": (ctypes.c_int, [_POINTER] * 3),
    "tables_create": (ctypes.c_int, [_POINTER, _SIZE, _POINTER, _SIZE, ctypes.c_int, _POINTER]),
    "tables_bytes": (_SIZE, [_POINTER]),
    "bound": (_SIZE, [_SIZE]),
    "encode": (ctypes.c_int, [_POINTER, _SIZE, ctypes.c_uint, _POINTER, _SIZE, _POINTER]),
    "decode": (ctypes.c_int, [*[_POINTER] * 2, _SIZE, *[_POINTER] * 3, _SIZE, _POINTER]),
    "checksum": (ctypes.c_uint32, [ctypes.c_uint32, _POINTER, _SIZE]),
    "slices_bound": (_SIZE, [_POINTER, _SIZE]),
    "slices_join": (ctypes.c_int, [_POINTER, _SIZE, _POINTER, _SIZE, _POINTER]),
    "slices_split": (ctypes.c_int, [_POINTER, _SIZE, _POINTER, _POINTER]),
    "slices_check": (ctypes.c_int, [_POINTER, _POINTER, _SIZE, _SIZE]),
}


def package_flags() -> list[str]:
    """The compiler flags of setup.py, read and not repeated, so that both stay the same."""
    for node in ast.parse((ROOT / "setup.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLAGS":
            flags: list[str] = ast.literal_eval(node.value)
            return flags
    raise SystemExit("setup.py has no list FLAGS")


def compile_library() -> Path:
    """Builds arith/src as a shared library and returns its path."""
    BUILD.mkdir(parents=True, exist_ok=True)
    target = BUILD / "libc3d_arith.so"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    # The package links the sources into one extension and hides them all; here the interface is
    # exported, and the calls between the sources stay as direct as there.
    exported = ["-fvisibility=default", "-fPIC", "-shared", "-Wl,-Bsymbolic"]
    sources = sorted(str(path) for path in (ROOT / "arith" / "src").glob("*.c"))
    include = f"-I{ROOT / 'arith' / 'include'}"
    command = [*compiler, *package_flags(), *exported, include, *sources, "-o", str(target)]
    subprocess.run(command, check=True)
    return target


class Library:
    """The interface's functions by their names less c3d_arith_, with checked statuses."""

    def __init__(self, path: Path) -> None:
        self._loaded = ctypes.CDLL(str(path))
        self._loaded.c3d_arith_status_text.restype = ctypes.c_char_p
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._loaded, f"c3d_arith_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def check(self, status: int) -> None:
        """Raises RuntimeError with the status' text where it is not OK."""
        if status != 0:
            text: bytes = self._loaded.c3d_arith_status_text(status)
            raise RuntimeError(text.decode())


def address(array: NDArray[Any]) -> int:
    """Where a contiguous array begins; the caller keeps it alive."""
    if not array.flags.c_contiguous:
        raise ValueError("the array is not contiguous")
    return array.ctypes.data


def address_of_bytes(data: bytes) -> int:
    """Where the bytes begin; the caller keeps them alive."""
    return address(np.frombuffer(data, np.uint8))
