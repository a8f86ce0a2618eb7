"""A deployable codec package: everything that a host needs, in one folder.

codecs/ (bundles), wheels/ (ours with the compiled coder; optionally those that it depends on),
requirements.txt (every wheel, by hash), install.sh (no network), SHA256SUMS, README.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Final

from ..core.atomic import write_bytes_atomic
from ..core.digest import sha256_file
from ..core.errors import LibraryMissingError, OptionError
from ..data.workspace import check_name
from ..runtime.bundle import Bundle
from ..runtime.shipped import SUFFIX, source_root
from .bundlefile import bundle_bytes
from .folders import new_folder
from .hostwheel import build_host_wheel, is_portable, run_tool
from .repack import DISTRIBUTION
from .wheelfile import Glibc, needed_glibc, parse_wheel_name

SUMS: Final = "SHA256SUMS"
REQUIREMENTS: Final = "requirements.txt"
HOST_REQUIREMENT: Final = "host.txt"
"""Our wheel alone: it is installed over an older one of the same version, too."""


@dataclass(frozen=True)
class Package:
    """What was made. glibc: the oldest that its wheels run with, None where they do not say.
    pythons: the only versions that all of its wheels are for, empty where any from 3.11 on does.
    portable: whether the host wheel is for other hosts than those like this one."""

    folder: Path
    codecs: tuple[str, ...]
    wheels: tuple[str, ...]
    pythons: tuple[str, ...]
    glibc: Glibc | None
    portable: bool

    @property
    def needs(self) -> str:
        """What a host must have, in words."""
        python = " or ".join(self.pythons) if self.pythons else "3.11 or newer"
        glibc = f"glibc {self.glibc[0]}.{self.glibc[1]} or newer" if self.glibc else ""
        system = glibc if self.portable else "a system like the one that built it"
        return f"Python {python}, {system}" if system else f"Python {python}"


def build_package(
    bundles: Sequence[Path],
    target: Path,
    *,
    with_dependencies: bool = False,
    pythons: Sequence[str] = (),
    source: Path | None = None,
) -> Package:
    """Makes the folder `target` (new or empty), whole or not at all.

    with_dependencies: also the wheels that `c3d-export[cpu]` needs, in the versions that are
    installed here, so that a host without any of them installs with no network. pythons: the
    versions ("3.12") that these wheels are for; the one that runs otherwise. source: a checkout to
    build the host wheel from; the one that runs, where there is one, otherwise. Raises
    LibraryMissingError, DiskError, MissingInputError, OptionError, or a leaf of BundleError.
    """
    if pythons and not with_dependencies:
        raise OptionError("the host wheel is for every Python; --python goes with --with-deps")
    codecs = _read(bundles)
    with new_folder(target) as made:
        for part in ("codecs", "wheels"):
            (made / part).mkdir()
        for name, (data, _) in codecs.items():
            write_bytes_atomic(made / "codecs" / name, data)
        own = build_host_wheel(made / "wheels", source or source_root())
        if with_dependencies:
            _download(own, pythons)
        package = _describe(target, made, tuple(codecs), own)
        texts = _texts(package, made, own, {n: b for n, (_, b) in codecs.items()})
        for name, text in texts.items():
            mode = 0o755 if name.endswith(".sh") else 0o644
            write_bytes_atomic(made / name, text.encode(), mode=mode)
        write_bytes_atomic(made / SUMS, _sums(made).encode())
    return package


def _read(bundles: Sequence[Path]) -> dict[str, tuple[bytes, Bundle]]:
    """File name -> bytes and what they hold: what was verified is what is packed."""
    read: dict[str, tuple[bytes, Bundle]] = {}
    for path in bundles:
        name, data, bundle = bundle_bytes(path)
        check_name(name.removesuffix(SUFFIX), "codec")
        check_name(bundle.name, "codec")
        if name in read:
            raise OptionError(f"two bundles are called {name}; rename one")
        others = (other for _, other in read.values())
        if any(other.name == bundle.name and other.id != bundle.id for other in others):
            raise OptionError(f"two codecs are called {bundle.name}; a host takes one of a name")
        read[name] = data, bundle
    if not read:
        raise OptionError("a package needs a bundle; name at least one")
    return read


def _download(own: Path, pythons: Sequence[str]) -> None:
    """The wheels that our own one needs, beside it."""
    constraints = own.parent.parent / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in _installed()))
    download = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:"]
    download += ["-c", str(constraints), "-d", str(own.parent)]
    for python in pythons or (f"{sys.version_info[0]}.{sys.version_info[1]}",):
        run_tool(
            # Ours is there already; that pip saves it once more is harmless.
            [*download, "--python-version", python, f"{own}[cpu]"],
            f"the wheels for Python {python} could not be fetched",
            {},
        )
    constraints.unlink()


def _installed() -> list[str]:
    """What is installed here, as constraints: hosts get the versions that were tested with."""
    found = {
        dist.metadata["Name"].lower(): dist.version
        for dist in metadata.distributions()
        if dist.metadata["Name"]
    }
    found.pop(DISTRIBUTION, None)
    # A local version, as torch's 2.13.0+cpu, is in no registry; nothing of a host has one.
    return [f"{name}=={version}" for name, version in sorted(found.items()) if "+" not in version]


def _describe(target: Path, made: Path, codecs: tuple[str, ...], own: Path) -> Package:
    wheels = tuple(sorted(path.name for path in (made / "wheels").iterdir()))
    only: dict[str, set[str]] = {}
    for name in map(parse_wheel_name, wheels):
        if name.only_python and "abi3" not in name.abi:
            only.setdefault(name.distribution, set()).add(name.only_python)
    common = set.intersection(*only.values()) if only else set()
    if only and not common:
        raise LibraryMissingError("the wheels are for different Pythons; name one --python only")
    pythons = tuple(sorted(common, key=lambda text: int(text.split(".")[1])))
    return Package(target, codecs, wheels, pythons, needed_glibc(wheels), is_portable(own))


def _requirement(wheels: Sequence[Path]) -> str:
    """One line of pip's requirements: a name, its version, and the hash of each of its wheels."""
    name = parse_wheel_name(wheels[0].name)
    hashes = " ".join(f"--hash=sha256:{sha256_file(path)}" for path in sorted(wheels))
    distribution = name.distribution.replace("_", "-").lower()
    return f"{distribution}=={name.version} {hashes}\n"


def _texts(package: Package, made: Path, own: Path, codecs: dict[str, Bundle]) -> dict[str, str]:
    """File name -> text."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((made / "wheels").iterdir()):
        if path != own:
            wheel = parse_wheel_name(path.name)
            groups.setdefault((wheel.distribution, wheel.version), []).append(path)
    host = _requirement([own])
    table = "".join(f"| {name} | {bundle.id.hex()} |\n" for name, bundle in codecs.items())
    words = {"@NEEDS@": package.needs, "@PYTHONS@": " ".join(package.pythons)}
    words |= {"@TABLE@": table, "@FIRST@": package.codecs[0]}
    return {
        REQUIREMENTS: "".join(map(_requirement, groups.values())),
        HOST_REQUIREMENT: host,
        "install.sh": _template("install.sh", words),
        "README.md": _template("README.md", words),
    }


def _template(name: str, words: dict[str, str]) -> str:
    text = (resources.files(__package__) / "package_files" / name).read_text("utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _sums(folder: Path) -> str:
    """As sha256sum writes and reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{sha256_file(p)}  {p.relative_to(folder).as_posix()}\n" for p in files)
