"""`import`: a checkpoint of another program as a network of the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import OptionError
from .output import note, print_json
from .settings import PATH, find_workspace, force_option, shared

if TYPE_CHECKING:
    from ..models.importing import Imported

_SHOWN = 40
"""Faults that are listed on the terminal; --json lists all."""


@click.command("import")
@click.argument("checkpoint", type=PATH, metavar="CHECKPOINT")
@click.option(
    "--family",
    type=click.Choice(["compressai", "c2f"]),
    required=True,
    help="compressai: mbt2018-mean, mbt2018. c2f: coarse-to-fine.",
)
@click.option("-o", "--out", "name", metavar="NAME", required=True, help="Name in the workspace.")
@force_option
@shared()
def import_(checkpoint: Path, family: str, name: str, force: bool, as_json: bool) -> None:
    """Read the weights of a published network: CompressAI's .pth.tar, or a pickled state dict.

    Weights only: no code in the file is run. Whatever does not fit is listed by name, with exit
    code 5, and nothing is written.

    \b
    Example: c3d-export import mbt2018-4-456e2af9.pth.tar --family compressai -o mbt
    """
    target = find_workspace().model(name) / "model.safetensors"
    if target.exists() and not force:
        raise OptionError(f"{target} exists; add --force to replace it, or choose another -o")
    imported = _read(checkpoint, family, as_json)
    _write(target, imported, name, checkpoint)
    parameters = sum(p.numel() for p in imported.network.parameters())
    result = {
        "model": name,
        "file": str(target),
        "network": imported.spec.name,
        "parameters": parameters,
        "spec": imported.spec.to_json(),
        "ignored": list(imported.ignored),
    }
    if as_json:
        print_json(result)
        return
    note(f"{target}: {imported.spec.name}, {parameters:,} parameters")
    if imported.ignored:
        note(f"left out: {', '.join(imported.ignored)}")


def _read(checkpoint: Path, family: str, as_json: bool) -> Imported:
    from ..models.importing import CheckpointFaultsError, import_checkpoint

    try:
        return import_checkpoint(checkpoint, family)
    except CheckpointFaultsError as error:
        if as_json:
            print_json({"faults": error.faults})
        else:
            for fault in error.faults[:_SHOWN]:
                note(f"  {fault}")
            if len(error.faults) > _SHOWN:
                note(f"  and {len(error.faults) - _SHOWN} more; --json lists them all")
        raise


def _write(target: Path, imported: Imported, name: str, checkpoint: Path) -> None:
    import importlib

    from ..core.digest import sha256_file
    from ..train.service import make_folder

    state = {
        "name": name,
        "stage": "import",
        "source": {"file": checkpoint.name, "sha256": sha256_file(checkpoint)},
    }
    make_folder(target.parent)
    saving = importlib.import_module(f"..models.{imported.family}.saving", __package__)
    saving.save(target, imported.network, state)
