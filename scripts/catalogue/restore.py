"""A bundle as a model of a workspace, from which `prune` and `train --from` go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c3d_export.core.digest import sha256_file


def restore(bundle: Path, folder: Path) -> str:
    """Writes the bundle's network into `folder`, with its history; the digest of the bundle.

    Raises BundleError for what is no bundle of this family.
    """
    from c3d_export.deploy.restore import trainable_from_bundle
    from c3d_export.runtime.bundle import read_bundle
    from c3d_export.train.service import SavedModel, save

    opened = read_bundle(bundle)
    state = {
        "name": opened.name,
        "stage": "bundle",
        "codec_id": opened.id.hex(),
        "parents": stages(opened.manifest),
    }
    save(folder, SavedModel(trainable_from_bundle(opened), state))
    return sha256_file(bundle)


def stages(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history in a bundle's manifest, the oldest stage first."""
    training = manifest.get("training")
    found = training.get("stages") if isinstance(training, dict) else None
    return [stage for stage in found or [] if isinstance(stage, dict)]
