"""Photos from Debian packages as training frames: what a codec learns that knows no game.

python scripts/photo_set.py --folder DIR     # DIR/train/photos-720p/*.png

Debian holds no photo set; these are the 26 photos of its desktops' wallpapers, each scaled so that
1280x720 lies within. Needs apt-get, dpkg and Debian's or Ubuntu's package lists.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PACKAGES = ("lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds")
DRAWN = ("2004default", "Fossa", "Infinite-Sea", "Painting-Colors", "analogpattern", "umang")
"""Beginnings of the names of those that are no photos."""
SIZE = (1280, 720)


def unpack(folder: Path) -> None:
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
    for file in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(file), str(folder / "files")], check=True)


def photos(folder: Path) -> list[Path]:
    root = folder / "files/usr/share/backgrounds"
    found = [path for path in root.glob("*.jpg") if not path.name.startswith(DRAWN)]
    return sorted(found + list((root / "mate/nature").glob("*.jpg")))


def write(photo: Path, path: Path) -> None:
    with Image.open(photo) as image:
        scale = max(wide / have for wide, have in zip(SIZE, image.size, strict=True))
        size = [max(wide, round(have * scale)) for wide, have in zip(SIZE, image.size, strict=True)]
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(path)


def main() -> int:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR")
    target = parser.parse_args().folder / "train" / "photos-720p"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        unpack(Path(temporary))
        for number, photo in enumerate(found := photos(Path(temporary))):
            write(photo, target / f"{photo.stem.split('_by_')[0]}_{number:03d}.png")
    print(f"{len(found)} photos in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
