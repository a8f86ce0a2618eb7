"""Latents, pixels and streams of whole folders, bit for bit: both flavours against PyTorch.

python scripts/exactness.py BUNDLE FOLDER...     # every image, every rate point; exit 3 on a bit
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from c3d_export.deploy.compare import ValidationRow
from c3d_export.deploy.matrix import Configuration, FrameJob, NamedFrame, Plan
from c3d_export.deploy.validate import ValidationReport, validate_bundle
from c3d_export.runtime.bundle import Bundle, read_bundle
from c3d_export.runtime.images import list_images, read_image

CONFIGURATIONS = (Configuration("qlinear", "all", 1), Configuration("float", "all", 1))


def compare(bundle: Bundle, frames: list[NamedFrame]) -> ValidationReport:
    """Frames alone; the matrix of configurations is what `c3d-export validate` is for."""
    qualities = range(1, bundle.qualities + 1)
    jobs = tuple(FrameJob(f, q, CONFIGURATIONS) for f in frames for q in qualities)
    return validate_bundle(bundle, Plan((), (), jobs), report=tell)


def tell(row: ValidationRow) -> None:
    print(f"{row}, {row.configuration.flavour}: {row.differing} differing", file=sys.stderr)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    paths = [path for folder in options.folders for path in list_images(folder)]
    report = compare(bundle, [NamedFrame(_name(path), read_image(path)) for path in paths])
    print(
        f"{len(paths)} frames, {bundle.qualities} qualities, {len(CONFIGURATIONS)} flavours:"
        f" {report.differing} of {report.compared} values differ"
    )
    if report.divergence is not None:
        print(report.divergence)
    return 0 if report.exact else 3


if __name__ == "__main__":
    sys.exit(main())
