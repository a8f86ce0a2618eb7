"""A codec for pip: a pure wheel `c3d-codec-NAME` with the bundle in it.

It registers the codec by name (`runtime/installed.py`), so that `--codec NAME` and
`open_codec("NAME")` find it after `pip install`. It holds no code. Its version is that of the wheel
format with the codec id as local version, `1+id0123456789abcdef`: other codecs of the name replace
one another when they are installed, and a requirement can pin one exactly. (An index such as PyPI
takes no local versions; codecs belong into an index of one's own.) Equal bundles give equal bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from .. import __version__
from ..core.atomic import write_bytes_atomic
from ..core.errors import DiskError
from ..data.workspace import check_name
from ..runtime.bundle import Bundle, parse_bundle
from ..runtime.installed import GROUP
from ..runtime.shipped import SUFFIX
from .bundlefile import bundle_bytes
from .wheelfile import WheelName, pack_wheel

FORMAT: Final = 1
"""Of the wheel; a later one gives later versions."""

_METADATA: Final = """Metadata-Version: 2.1
Name: {distribution}
Version: {version}
Summary: The image codec {name}{game}, codec id {id}, for c3d-export
Requires-Python: >=3.11
Requires-Dist: c3d-export>={ours}
Description-Content-Type: text/markdown

{card}
```python
codec = c3d_export.open_codec("{name}")  # id {id}
```
"""
_WHEEL: Final = """Wheel-Version: 1.0
Generator: c3d-export {ours}
Root-Is-Purelib: true
Tag: py3-none-any
"""


def write_codec_wheel(bundle: Path, folder: Path) -> Path:
    """Writes the wheel of a bundle into a folder, made where there is none; returns its path.

    Raises MissingInputError, OptionError for a name that is none, DiskError, or a leaf of
    BundleError.
    """
    _, data, _ = bundle_bytes(bundle)
    name, wheel = codec_wheel(data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"cannot make the folder {folder}: {error.strerror}") from error
    write_bytes_atomic(folder / name, wheel)
    return folder / name


def codec_wheel(data: bytes) -> tuple[str, bytes]:
    """File name and bytes of the wheel of a bundle; raises OptionError or a leaf of BundleError."""
    bundle = parse_bundle(data)
    name = check_name(bundle.name, "codec")
    # Names of distributions treat runs of -, _ and . as one, and files write _ (PEP 503, PEP 427).
    distribution = "c3d-codec-" + re.sub(r"[-_.]+", "-", name).lower()
    package = distribution.replace("-", "_")
    version = f"{FORMAT}+id{bundle.id.hex()}"
    info = f"{package}-{version}.dist-info"
    files = {
        f"{package}/__init__.py": f'"""The codec {name} is {name}{SUFFIX}."""\n'.encode(),
        f"{package}/{name}{SUFFIX}": data,
        f"{info}/METADATA": _metadata(bundle, data, distribution, version).encode(),
        f"{info}/WHEEL": _WHEEL.format(ours=__version__).encode(),
        f"{info}/entry_points.txt": f"[{GROUP}]\n{name} = {package}\n".encode(),
    }
    return WheelName(package, version, "py3", "none", "any").file, pack_wheel(files, info)


def _metadata(bundle: Bundle, data: bytes, distribution: str, version: str) -> str:
    game = str(bundle.manifest.get("game") or "")
    return _METADATA.format(
        distribution=distribution,
        version=version,
        name=bundle.name,
        # A header is one line.
        game=f" for {' '.join(game.split())}" if game else "",
        id=bundle.id.hex(),
        ours=__version__,
        card=_card(data),
    )


def _card(data: bytes) -> str:
    """The model card of a bundle that was verified; "" where it has none."""
    from ..runtime.archive import unpack_archive

    return unpack_archive(data).get("card.md", b"").decode("utf-8", "replace")
