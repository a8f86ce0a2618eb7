"""The commands that are killed: what there is before, what must hold after, what is left then.

A stage begins with a folder in which an old version works. Whenever the command dies, `check` must
hold: the old version, or the new one, whole. Then the command runs again, and after it the folder
has the very files of a run that nobody killed (`listing`).
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAME: Final = "tried"
IMPORTS: Final = ("onnxruntime", "c3d_export.cli.main", "c3d_export.runtime.store.installing")


class BrokenError(Exception):
    """What must hold after a death does not."""


@dataclass(frozen=True)
class Stage:
    """imports: modules that its server loads before. new: what the command installs or bundles."""

    imports: tuple[str, ...] = IMPORTS

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        """Fills an empty folder. old, new: two bundles."""
        raise NotImplementedError

    def args(self, work: Path) -> list[str]:
        """The command that is killed."""
        raise NotImplementedError

    def again(self, work: Path) -> list[str]:
        """The command that completes what was killed, [] where nothing is left to do."""
        return self.args(work)

    def cleaning(self, work: Path) -> list[str]:
        """A command that clears away, [] where running again does."""
        return []

    def left(self, work: Path) -> dict[str, str]:
        """What must be as an undisturbed run leaves it."""
        return listing(work)

    def check(self, work: Path) -> None:
        """Raises where neither the old nor the new version works."""
        raise NotImplementedError


def listing(work: Path) -> dict[str, str]:
    """Path -> digest of every file, and of folders, below a folder."""
    found = {}
    for path in sorted(work.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(work))] = digest
    return found


def named(data: bytes, name: str) -> bytes:
    """The same bundle under another name."""
    from c3d_export.core import jsonio
    from c3d_export.core.errors import C3DError
    from c3d_export.runtime.archive import pack_archive, unpack_archive
    from c3d_export.runtime.bundle import MANIFEST

    members = unpack_archive(data)
    manifest = jsonio.loads(members[MANIFEST], C3DError)
    manifest["name"] = name
    return pack_archive({**members, MANIFEST: jsonio.dumps(manifest)})


class Install(Stage):
    """`install` of a new version over an old one. kept: what no death may take away."""

    kept = "old"

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        from c3d_export.runtime.store.fetch import fetch
        from c3d_export.runtime.store.installing import install
        from c3d_export.runtime.store.store import Store

        (work / "old.c3b").write_bytes(named(old.read_bytes(), NAME))
        (work / "new.c3b").write_bytes(named(new.read_bytes(), NAME))
        install(Store(work / "store"), fetch(str(work / "old.c3b")))

    def ids(self, work: Path) -> dict[str, bytes]:
        """The codecs of the two bundles."""
        from c3d_export.core.digest import codec_id
        from c3d_export.runtime.archive import unpack_archive

        files = {name: (work / f"{name}.c3b").read_bytes() for name in ("old", "new")}
        return {name: codec_id(unpack_archive(d)["manifest.json"]) for name, d in files.items()}

    def args(self, work: Path) -> list[str]:
        return ["install", str(work / "new.c3b"), "--store", str(work / "store")]

    def cleaning(self, work: Path) -> list[str]:
        return ["prune-old", "--store", str(work / "store")]

    def check(self, work: Path) -> None:
        """The name opens as old or new, with its known answers; the old codec is whole."""
        from c3d_export.runtime.store.store import Store

        store, ids = Store(work / "store"), self.ids(work)
        if store.open(NAME, threads=1).id not in ids.values():
            raise BrokenError("the active codec is neither the old nor the new one")
        for codec in store.codecs():
            store.bundle(codec)
        if not store.has(ids[self.kept]) or [entry.name for entry in store.list()] != [NAME]:
            raise BrokenError("the version that was there before is gone")


class Prune(Install):
    """`prune-old` of a store in which two old versions, a stray blob and litter lie."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        from c3d_export.runtime.store.store import Store

        super().prepare(work, old, new)
        store = Store(work / "store")
        active = store.active(NAME)
        store.activate(NAME, store.add((work / "new.c3b").read_bytes()))
        store.forget(NAME)
        store.activate(NAME, active)
        (store.layout.blobs / ("0" * 64)).write_bytes(b"stray")
        (store.layout.blobs / ".x.0123456789ab.c3d-tmp").write_bytes(b"litter")

    def args(self, work: Path) -> list[str]:
        return self.cleaning(work)


class Rollback(Install):
    """`rollback` from a new version to the old one."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        from c3d_export.runtime.store.store import Store

        super().prepare(work, old, new)
        store = Store(work / "store")
        store.activate(NAME, store.add((work / "new.c3b").read_bytes()))

    def args(self, work: Path) -> list[str]:
        old = self.ids(work)["old"].hex()
        return ["rollback", NAME, "--to", old, "--store", str(work / "store")]


class Export(Stage):
    """`export` over the graphs of another network."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        from c3d_export.core.atomic import make_folders

        make_folders(work / "old")
        for name in FILES:
            (work / "old" / name).write_bytes(f"old {name}".encode())
        shutil.copytree(work / "old", work / "out")

    def args(self, work: Path) -> list[str]:
        return ["export", "--model", "xsmall", "-o", str(work / "out"), "--workspace", str(work)]

    def check(self, work: Path) -> None:
        """All files are old, or all of them are whole graphs with their certificates."""
        from c3d_export.core import jsonio
        from c3d_export.core.errors import C3DError
        from c3d_export.runtime.graphcheck import check_graph

        out = work / "out"
        if listing(out) == listing(work / "old"):
            return
        if {path.name for path in out.iterdir()} != set(FILES):
            raise BrokenError("files are missing or too many")
        jsonio.loads((out / "certificates.json").read_bytes(), C3DError)
        for path in out.glob("*.onnx"):
            graph, flavour, _ = path.name.split(".")
            check_graph(path.read_bytes(), graph, flavour)


FILES: Final = (
    "certificates.json",
    *(
        f"{graph}.{flavour}.onnx"
        for graph in ("g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s")
        for flavour in ("qlinear", "float")
    ),
)
TORCH: Final = ("torch", "onnx", "c3d_export.deploy.bundle", "c3d_export.deploy.restore")


class Bundle(Stage):
    """`bundle --force` over another bundle."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        import numpy as np

        from c3d_export.runtime.images import write_image

        frames = work / "data" / "train" / "crash-64p"
        frames.mkdir(parents=True)
        row, column = np.mgrid[0:64, 0:96].astype(np.uint8)
        write_image(frames / "track_000.png", np.stack([row, column, row ^ column], -1))
        (work / "out.c3b").write_bytes(old.read_bytes())

    def args(self, work: Path) -> list[str]:
        out = ["-o", str(work / "out.c3b"), "--force", "--workspace", str(work)]
        return ["bundle", "--model", "xsmall", "--game", "crash", *out]

    def check(self, work: Path) -> None:
        from c3d_export.runtime.codec import open_codec

        open_codec(work / "out.c3b", threads=1)


class Ship(Stage):
    """`ship` of a new version into a folder that has the old one."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        for name, source in (("old", old), ("new", new)):
            (work / name).mkdir()
            (work / name / f"{NAME}.c3b").write_bytes(named(source.read_bytes(), NAME))
        shutil.copytree(work / "old", work / "target")

    def args(self, work: Path) -> list[str]:
        target = str(work / "target")
        return ["ship", str(work / "new" / f"{NAME}.c3b"), target, "--workspace", str(work)]

    def check(self, work: Path) -> None:
        from c3d_export.runtime.codec import open_codec

        (bundle,) = (work / "target").glob("*.c3b")
        open_codec(bundle, threads=1)


class Train(Stage):
    """`train` of some steps of a tiny network, with checkpoints between, over an old model."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        import numpy as np

        from c3d_export.runtime.images import write_image

        frames = work / "data" / "train" / "crash-64p"
        frames.mkdir(parents=True)
        row, column = np.mgrid[0:64, 0:96].astype(np.uint8)
        for i in range(2):
            write_image(
                frames / f"track_{i}.png", np.stack([row + 9 * i, column, row ^ column], -1)
            )
        for name in ("tiny", "crash-xsmall"):
            self.model(work, name).parent.mkdir(parents=True)
            self.model(work, name).write_bytes(self.untrained())

    def untrained(self) -> bytes:
        from c3d_export.models.network import build_network
        from c3d_export.models.spec import CodecSpec, StageSpec
        from c3d_export.train.checkpoint import model_bytes

        part = StageSpec(8, (8,), 16, (16,))
        spec = CodecSpec("tiny", 16, 8, 8, 2, part, part, 8, (8, 8, 8), 8)
        return model_bytes(build_network(spec), {"name": "old"})

    def model(self, work: Path, name: str = "crash-xsmall") -> Path:
        return work / "models" / name / "model.safetensors"

    def checkpoint(self, work: Path) -> Path:
        return work / "runs" / "crash-xsmall" / "checkpoint.safetensors"

    def args(self, work: Path) -> list[str]:
        return [*self.line(work), "--force", "--steps", "10"]

    def line(self, work: Path) -> list[str]:
        run = ["train", "--model", "xsmall", "--game", "crash", "--from", "tiny"]
        few = ["--batch", "2", "--crop", "64", "--save-every", "3"]
        return [*run, *few, "--workspace", str(work)]

    def left(self, work: Path) -> dict[str, str]:
        """All but what tells times: the log of the run, and what its frames are read from."""
        found = {Path(path): digest for path, digest in listing(work).items()}
        return {
            str(path): digest
            for path, digest in found.items()
            if not path.name.startswith(LOGS) and path.parts[0] != "decoded"
        }

    def again(self, work: Path) -> list[str]:
        from c3d_export.train.checkpoint import load_checkpoint

        if self.checkpoint(work).exists():
            return [*self.line(work), "--resume"]
        name = load_checkpoint(self.model(work)).state["name"]
        return self.args(work) if name == "old" else []

    def check(self, work: Path) -> None:
        """Model and checkpoint, where there is one, are whole."""
        from c3d_export.train.checkpoint import load_checkpoint, load_model

        load_model(self.model(work))
        if self.checkpoint(work).exists():
            load_checkpoint(self.checkpoint(work))


class Import(Stage):
    """`data import` of scenes, a BMP and near-duplicates into a workspace that has a frame."""

    SCENES: Final = (("a", 5), ("b", 4), ("c", 3), ("d", 3), ("e", 1))

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        (work / "in").mkdir()
        for number, (scene, count) in enumerate(self.SCENES):
            for index in range(count):
                self.frame(work / "in" / f"{scene}_{index}.png", 40 * number + 8 * index)
        self.frame(work / "in" / "a_8.png", 1)  # nearly a_0
        self.frame(work / "in" / "b_8.bmp", 200)
        first = work / "data" / "train" / f"{GAME}-48p"
        first.mkdir(parents=True)
        self.frame(first / "z_0.png", 220)

    def frame(self, path: Path, value: int) -> None:
        """A picture of 64x48 pixels; a difference of 8 makes another frame of it."""
        import numpy as np
        from PIL import Image

        row, column = np.mgrid[0:48, 0:64].astype(np.uint8)
        shade = (row ^ column) // 4 + np.uint8(value)
        Image.fromarray(np.stack([shade, shade, column], -1)).save(path)

    def args(self, work: Path) -> list[str]:
        return ["data", "import", str(work / "in"), "--game", GAME, "--workspace", str(work)]

    def check(self, work: Path) -> None:
        """Every frame in the splits is whole and there once, and the source is as it was."""
        from c3d_export.data.facts import Facts
        from c3d_export.data.frames import SPLITS
        from c3d_export.runtime.images import list_images

        source = {Facts.of_file(path.read_bytes()).pixels for path in (work / "in").iterdir()}
        if len(source) != sum(count for _, count in self.SCENES) + 2:
            raise BrokenError("the source has other frames than before")
        places = [work / "data" / split / f"{GAME}-48p" for split in SPLITS]
        paths = [path for place in places if place.is_dir() for path in list_images(place)]
        pixels = [Facts.of_file(path.read_bytes()).pixels for path in paths]
        if len(set(pixels)) < len(pixels) or len({path.name for path in paths}) < len(paths):
            raise BrokenError("a frame is in two splits")
        self.check_frames(source, pixels)

    def check_frames(self, source: set[str], pixels: list[str]) -> None:
        if len(set(pixels) - source) != 1:
            raise BrokenError("the frame that was there before is gone, or one is of nowhere")


class Split(Import):
    """`data split` of those frames, with other fractions than they were imported with."""

    def prepare(self, work: Path, old: Path, new: Path) -> None:
        from c3d_export.data.importer import import_folder

        super().prepare(work, old, new)
        import_folder(work / "in", work / "data", GAME)

    def args(self, work: Path) -> list[str]:
        options = ["--test", "a,b", "--fractions", "0.5,0.5,0"]
        return ["data", "split", "--game", GAME, *options, "--workspace", str(work)]

    def check_frames(self, source: set[str], pixels: list[str]) -> None:
        if len(pixels) != sum(count for _, count in self.SCENES) + 2:
            raise BrokenError("frames are lost")


GAME: Final = "crash"
DATA: Final = ("c3d_export.cli.main", "c3d_export.data.importer", "c3d_export.data.resplit")
SHIP: Final = "c3d_export.deploy.ship.deliver"
_SHIPPING: Final = Path(__file__).parents[2] / "toolchain/c3d_export/deploy/ship"
LOGS: Final = ("log.jsonl", "status.json", "events.")
TRAIN: Final = ("torch", "c3d_export.cli.main", "c3d_export.train.service", "c3d_export.overlay")
STAGES: Final[dict[str, Any]] = {
    "install": Install(),
    "rollback": Rollback(),
    "prune-old": Prune(),
    "data-import": Import(DATA),
    "data-split": Split(DATA),
    "export": Export(TORCH),
    "bundle": Bundle((*IMPORTS, *TORCH)),
    "train": Train(TRAIN),
    **({"ship": Ship((*IMPORTS, SHIP))} if _SHIPPING.is_dir() else {}),
}
