"""The host side of the package with its C extensions compiled for one architecture.

    python build.py OUT COMPILER [INCLUDE...]

makes OUT/c3d_export from this checkout. Flags and macro are read from setup.py, so that what is
proved here is what a wheel holds; INCLUDE are the folders of Python.h for that architecture.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "toolchain" / "c3d_export"
NATIVE = "toolchain/c3d_export/runtime/native"
# As in setup.py: the module's name, its folders of sources, its folders of headers.
Extension = tuple[str, tuple[str, ...], tuple[str, ...]]
EXTENSIONS: tuple[Extension, ...] = (
    ("_arith", ("arith/src", "arith/python"), ("arith/include", "arith/python")),
    ("_native", (NATIVE,), (NATIVE,)),
)


def setup_constants() -> tuple[list[str], tuple[str, str]]:
    """FLAGS and STABLE_ABI of setup.py."""
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    found = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("FLAGS", "STABLE_ABI")
    }
    return list(found["FLAGS"]), found["STABLE_ABI"]


def compile_extension(out: Path, compiler: str, includes: list[str], extension: Extension) -> None:
    name, sources, headers = extension
    flags, (macro, value) = setup_constants()
    command = [*compiler.split(), *flags, f"-D{macro}={value}", "-shared", "-fPIC"]
    command += [f"-I{folder}" for folder in (*includes, *headers)]
    command += sorted(
        path.relative_to(ROOT).as_posix() for s in sources for path in (ROOT / s).glob("*.c")
    )
    subprocess.run([*command, "-o", str(out / f"{name}.abi3.so")], cwd=ROOT, check=True)


def main() -> int:
    target, compiler, *includes = sys.argv[1:]
    out = Path(target)
    shutil.rmtree(out, ignore_errors=True)
    package = out / "c3d_export"
    for folder in ("core", "runtime"):
        shutil.copytree(PACKAGE / folder, package / folder, ignore=shutil.ignore_patterns("__py*"))
    shutil.copy(PACKAGE / "__init__.py", package)
    for extension in EXTENSIONS:
        compile_extension(package, compiler, includes, extension)
    return 0


if __name__ == "__main__":
    sys.exit(main())
