"""A plan towards a given spec, such as from `small` to `xsmall`."""

from __future__ import annotations

from ..core.errors import OptionError
from ..models.spec import CodecSpec
from .importance import Importance
from .search import MIN_WIDTH
from .widths import block_path, check_fixed, is_block, spec_widths

MULTIPLE = 8
"""Of which a target's widths must be. Those of the sizes are multiples of 16, which are faster."""


def target_widths(now: CodecSpec, target: CodecSpec, importance: Importance) -> dict[str, int]:
    """Widths by the names of `now`; 0 for the residual blocks that the target has not.

    importance: chooses those blocks, the least important first.
    Raises OptionError where the target is wider or deeper, differs in what must stay, or has a
    width that is below 16 or no multiple of 8.
    """
    check_fixed(now, target)
    old, new = spec_widths(now), spec_widths(target)
    then = {name: new[name] for name in old if not is_block(name)}
    for trunk in ("g_a.high", "g_a.low", "g_s.high", "g_s.low"):
        then.update(_block_widths(trunk, _inner(trunk, old), _inner(trunk, new), importance))
    for name, width in then.items():
        _check(name, old[name], width)
    return {name: then[name] for name in old}


def _inner(trunk: str, widths: dict[str, int]) -> dict[str, int]:
    return {n: w for n, w in widths.items() if is_block(n) and block_path(n)[0] == trunk}


def _block_widths(
    trunk: str, old: dict[str, int], new: dict[str, int], importance: Importance
) -> dict[str, int]:
    if len(new) > len(old):
        raise OptionError(
            f"the target has {len(new)} residual blocks in {trunk}, the network {len(old)}: "
            "pruning adds none"
        )
    kept = _best_blocks(list(old), len(new), importance)
    widths = dict.fromkeys(old, 0)
    widths.update(zip(kept, new.values(), strict=True))
    return widths


def _best_blocks(names: list[str], count: int, importance: Importance) -> list[str]:
    totals = importance.totals
    # A stable sort: of equals the first are kept.
    best = sorted(names, key=lambda name: -totals[name])[:count]
    return [name for name in names if name in best]


def _check(name: str, now: int, then: int) -> None:
    if then > now:
        raise OptionError(f"the target has {then} channels in {name}, the network {now}")
    if 0 < then < now and (then < MIN_WIDTH or then % MULTIPLE):
        raise OptionError(
            f"the target has {then} channels in {name}: choose a multiple of {MULTIPLE}, "
            f"{MIN_WIDTH} or more"
        )
