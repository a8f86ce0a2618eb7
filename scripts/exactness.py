"""Latents, pixels and streams of whole folders, bit for bit: both flavours against PyTorch.

python scripts/exactness.py BUNDLE FOLDER...     # every image, every rate point; exit 3 on a bit
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from c3d_export.deploy.validate import Configuration, ValidationRow, validate_bundle
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.images import list_images, read_image

CONFIGURATIONS = (Configuration("qlinear", "all", 1), Configuration("float", "all", 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    compared = differing = frames = 0
    for path in (p for folder in options.folders for p in list_images(folder)):
        report = validate_bundle(bundle, [read_image(path)], configurations=CONFIGURATIONS)
        rows: list[ValidationRow] = [r for r in report.rows if r.what.startswith("frame")]
        compared += sum(r.compared for r in rows)
        differing += sum(r.differing for r in rows)
        frames += 1
        print(f"{path.name}: {sum(r.differing for r in rows)} differing", file=sys.stderr)
    print(
        f"{frames} frames, {bundle.qualities} qualities, {len(CONFIGURATIONS)} flavours:"
        f" {differing} of {compared} values differ"
    )
    return 3 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
