"""The families that can be slimmed."""

from __future__ import annotations

from typing import Final

from ...models.families import Network, Spec, family_of, family_of_spec
from ..c2f.topology import C2F
from ..mbt.topology import MBT
from .topology import Topology

TOPOLOGIES: Final = {"c2f": C2F, "mbt": MBT}
"""By name of the family."""


def topology_of(model: Network) -> Topology:
    return TOPOLOGIES[family_of(model).name]


def with_widths(spec: Spec, widths: dict[str, int]) -> Spec:
    """See `Topology.with_widths`."""
    return TOPOLOGIES[family_of_spec(spec).name].with_widths(spec, widths)


def scaled(spec: Spec, share: float) -> dict[str, int]:
    """See `Topology.scaled`."""
    return TOPOLOGIES[family_of_spec(spec).name].scaled(spec, share)


def widths_of(spec: Spec) -> dict[str, int]:
    """See `Topology`."""
    return TOPOLOGIES[family_of_spec(spec).name].widths_of(spec)
