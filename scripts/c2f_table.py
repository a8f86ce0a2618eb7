"""The table of docs/published-models.md: parameters and kMAC a pixel of coarse-to-fine networks.

python scripts/c2f_table.py
"""

from __future__ import annotations

from c3d_export.models.c2f.cost import cost_of
from c3d_export.models.c2f.spec import SIZES, C2FSpec

PARTS = ("g_a", "h_a2", "h_a1", "h_s1", "predictor2", "h_s2", "predictor3", "g_s", "reconstruction")


def parameters(spec: C2FSpec) -> int:
    import torch

    from c3d_export.models.c2f.network import CoarseToFine

    with torch.device("meta"):
        return sum(p.numel() for p in CoarseToFine(spec).parameters())


def kilo(macs: float | None) -> str:
    return "" if macs is None else f"{macs / 1e3:.3g}" if macs < 1e5 else f"{macs / 1e3:.0f}"


def main() -> None:
    print(f"| network | parameters | encode | decode | {' | '.join(PARTS)} |")
    print("|---|" + "---:|" * (3 + len(PARTS)))
    for size in SIZES.values():
        for spec in (size, size.without_z1()):
            cost = cost_of(spec)
            cells = [cost.encoder, cost.decoder, *(cost.parts.get(part) for part in PARTS)]
            row = " | ".join(map(kilo, cells))
            print(f"| `{spec.name}` | {parameters(spec):,} | {row} |")


if __name__ == "__main__":
    main()
