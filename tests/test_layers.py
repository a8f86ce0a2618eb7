"""The layers of the package: an import points to the same layer or to a lower one.

    core < runtime < data, models, overlay, train, prune, quantize
        < deploy, evaluate, report, superres, sweep < cli

The imports are read from the sources, wherever they stand: in functions, in branches and behind
TYPE_CHECKING too. What importing really loads is looked at in processes of their own.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = "c3d_export"
SOURCE_ROOT: Final = Path(__file__).parents[1] / "toolchain"

# What only costs a moment to import, so that `c3d-export --help` appears at once.
CLI_AT_ONCE: Final = frozenset({"click", "rich"})

RUNTIME: Final = frozenset({"numpy", "onnxruntime", "PIL"})
TRAINING: Final = RUNTIME | {"torch", "torch_pruning", "safetensors"}
CLI: Final = TRAINING | {"onnx", "bjontegaard", "tensorboardX"} | CLI_AT_ONCE


@dataclass(frozen=True)
class Layer:
    """A height in the order of the layers, and the distributions that may be imported there."""

    height: int
    libraries: frozenset[str]


LAYERS: Final = {
    "core": Layer(0, frozenset()),
    "_arith": Layer(1, frozenset()),
    "_native": Layer(1, frozenset()),
    "runtime": Layer(1, RUNTIME | {"cryptography"}),
    "data": Layer(2, TRAINING | {"av", "imageio_ffmpeg"}),
    "models": Layer(2, TRAINING),
    "overlay": Layer(2, TRAINING),
    "train": Layer(2, TRAINING | {"pytorch_msssim", "tensorboardX"}),
    "prune": Layer(2, TRAINING),
    "quantize": Layer(2, TRAINING),
    "deploy": Layer(3, TRAINING | {"onnx", "cryptography"}),
    "evaluate": Layer(
        3, TRAINING | {"bjontegaard", "av", "imagecodecs", "imageio_ffmpeg", "distributed"}
    ),
    "report": Layer(3, RUNTIME),
    "sweep": Layer(3, frozenset({"submitit", "distributed"})),
    "superres": Layer(3, TRAINING | {"onnx"}),
    "cli": Layer(4, CLI),
    # `c3d_export` itself hands out the runtime's API, and `python -m c3d_export` is the command.
    "": Layer(1, frozenset()),
    "__main__": Layer(4, frozenset()),
}


@dataclass(frozen=True)
class Import:
    """One imported module. At once: importing the importer runs it."""

    target: str
    line: int
    at_once: bool


def imports_of(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """All imports of a module, relative ones resolved, from the text of the module."""
    return sorted(_walk(ast.parse(source), _Place(module, is_package), True), key=lambda i: i.line)


@dataclass(frozen=True)
class _Place:
    module: str
    is_package: bool

    def resolve(self, node: ast.ImportFrom) -> str:
        """The absolute name after `from`."""
        if not node.level:
            return node.module or ""
        up = node.level - self.is_package
        base = self.module.split(".")
        kept = base[: len(base) - up]
        return ".".join([*kept, *([node.module] if node.module else [])])


def _walk(node: ast.AST, place: _Place, at_once: bool) -> Iterator[Import]:
    for target in _targets(node, place):
        yield Import(target, getattr(node, "lineno", 0), at_once)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        at_once = False
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for child in node.body:
            yield from _walk(child, place, False)
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _walk(child, place, at_once)


def _targets(node: ast.AST, place: _Place) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(names=names):
            base = place.resolve(node)
            # `from c3d_export import runtime` names a layer behind the import.
            return [f"{base}.{name.name}" for name in names] if base == PACKAGE else [base]
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
            called = ast.unparse(func)
            return (
                [name]
                if called in {"__import__", "import_module"}
                or called.endswith("importlib.import_module")
                else []
            )
    return []


def layer_of(module: str) -> str:
    """The key in LAYERS of a module of the package."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else ""
    # `c3d_export.__version__` and the like are names, not modules.
    return name if name in LAYERS or (SOURCE_ROOT / PACKAGE / name).is_dir() else ""


def faults_of(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of a module, a line each."""
    here = layer_of(module)
    found = imports_of(source, module, is_package=is_package)
    verdicts = ((entry, _fault(here, entry)) for entry in found)
    return [f"{module}:{entry.line}: {fault}" for entry, fault in verdicts if fault]


def _fault(here: str, entry: Import) -> str:
    layer = LAYERS[here]
    top = entry.target.split(".")[0]
    if top in sys.stdlib_module_names:
        return ""
    if top != PACKAGE:
        if top not in layer.libraries:
            return f"{here or PACKAGE} may not use {top}"
        eager = here == "cli" and entry.at_once and top not in CLI_AT_ONCE
        return f"cli may import {top} inside functions only" if eager else ""
    there = layer_of(entry.target)
    if LAYERS[there].height > layer.height:
        return f"{here or PACKAGE} may not import {there}, a higher layer"
    # `__version__` is a constant; other names of the package itself load the runtime.
    costs = there not in {here, "core"} and not entry.target.endswith("__")
    eager = here in {"cli", ""} and entry.at_once and costs
    return f"{here or PACKAGE} may import {entry.target} inside functions only" if eager else ""


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES: Final = sorted((SOURCE_ROOT / PACKAGE).rglob("*.py"))


def test_every_folder_of_the_package_has_a_layer() -> None:
    folders = {path.parent.name for path in (SOURCE_ROOT / PACKAGE).glob("*/__init__.py")}
    modules = {path.stem for path in (SOURCE_ROOT / PACKAGE).glob("*.py")} - {"__init__"}
    assert folders | modules <= LAYERS.keys()
    assert {"core", "runtime", "data", "models"} <= folders


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_only_point_downward(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    is_package = path.name == "__init__.py"
    assert not faults_of(source, module_name(path), is_package=is_package)


# Negative controls: the checker has to find what it is there for.
@pytest.mark.parametrize(
    ("module", "source", "named"),
    [
        ("core.digest", "import numpy", "may not use numpy"),
        ("core.digest", "from ..runtime import stream", "may not import runtime"),
        ("core.digest", "from .. import _arith", "may not import _arith"),
        ("core.digest", "from c3d_export import runtime", "may not import runtime"),
        ("runtime.codec", "def f():\n    import torch", "may not use torch"),
        ("runtime.codec", "import importlib\nimportlib.import_module('onnx')", "may not use onnx"),
        ("runtime.codec", "from ..data.frames import load", "may not import data"),
        ("runtime.codec", "if TYPE_CHECKING:\n    import torch.nn as n", "may not use torch"),
        ("runtime.native.kernels", "from ...models import spec", "may not import models"),
        ("train.loop", "from c3d_export.deploy import bundle", "may not import deploy"),
        ("train.loop", "import onnx", "may not use onnx"),
        ("evaluate.metrics", "import onnx", "may not use onnx"),
        ("deploy.graphs", "from ..cli.main import main", "may not import cli"),
        ("deploy.graphs", "import click", "may not use click"),
        ("cli.main", "import torch", "inside functions only"),
        ("cli.main", "class A:\n    from ..train import loop", "inside functions only"),
        ("cli.main", "from c3d_export import open_codec", "inside functions only"),
        ("cli.main", "import requests", "may not use requests"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str, named: str) -> None:
    (fault,) = faults_of(source, f"{PACKAGE}.{module}")
    assert named in fault


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("from .runtime.codec import open_codec", "inside functions only"),
        ("from c3d_export.runtime import codec", "inside functions only"),
        ("def f():\n    from .models import spec", "may not import models"),
        ("import numpy", "may not use numpy"),
    ],
)
def test_a_planted_violation_in_the_package_itself_is_found(source: str, named: str) -> None:
    (fault,) = faults_of(source, PACKAGE, is_package=True)
    assert named in fault


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.digest", "import json\nfrom .errors import C3DError\nfrom . import limits"),
        ("runtime.stream", "import numpy.typing\nfrom .. import _arith\nfrom PIL import Image"),
        ("train.loop", "import torch.nn\nfrom ..models.network import Codec"),
        ("cli.main", "import click\nfrom ..core import errors\nfrom .render import table"),
        ("cli.main", "from .. import __version__"),
        ("cli.main", "def f():\n    import torch\n    from ..deploy import bundle"),
        ("cli.main", "if TYPE_CHECKING:\n    from torch import Tensor"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert not faults_of(source, f"{PACKAGE}.{module}")


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED: Final = "\nimport sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.runtime.stream"])
def test_importing_loads_neither_torch_nor_onnx(module: str) -> None:
    loaded = set(run_python(f"import {module}" + LOADED).split())
    assert PACKAGE in loaded
    assert not loaded & {"torch", "onnx", "torch_pruning", "safetensors", "click", "rich"}


def test_importing_the_package_loads_no_library_at_all() -> None:
    loaded = set(run_python(f"import {PACKAGE}" + LOADED).split())
    assert not loaded & {*CLI, "pytest"}


def test_importing_the_whole_runtime_loads_nothing_that_hosts_may_lack() -> None:
    names = [module_name(path) for path in SOURCES if layer_of(module_name(path)) == "runtime"]
    imports = "\n".join(f"import {name}" for name in names)
    unwanted = {"torch", "onnx", "click", "rich", "cryptography"}
    assert not set(run_python(imports + LOADED).split()) & unwanted
