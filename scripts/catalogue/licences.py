"""The licences of the games' frames, for the model cards of the bundles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LICENCES: Final = {
    "supertuxkart": (
        "SuperTuxKart",
        "mostly CC-BY-SA-3.0/4.0, CC0, CC-BY, GPL per file",
    ),
    "openarena": ("OpenArena", "GPL-2+"),
    "0ad": ("0 A.D.", "CC-BY-SA-3.0"),
}


def licence_of(games: Sequence[str]) -> str:
    """Every game's, "unknown" for those that are not known here."""
    named = [_LICENCES.get(game, (game, "unknown")) for game in games]
    return "; ".join(f"{name}: {licence}" for name, licence in named)
