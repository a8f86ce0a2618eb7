"""What an RCAN looks like, without the libraries that train it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from ..core.errors import OptionError

FACTORS: Final = (2, 3, 4)
"""Factors that a network can have: shuffles need whole ones."""
STRIDE: Final = 2
"""Low-resolution pixels, along each axis, of one position of the features."""
_MOST: Final = {"features": 256, "groups": 16, "blocks": 32, "reduction": 64}


@dataclass(frozen=True)
class RcanSpec:
    """Sizes of an RCAN (`network.py`).

    factor: one of FACTORS. features: channels of every layer inside. groups: residual groups, of
    `blocks` residual channel attention blocks each. reduction: features per unit of the squeezed
    layer of the attention. Raises OptionError for what is out of range.
    """

    factor: int = 2
    features: int = 32
    groups: int = 2
    blocks: int = 3
    reduction: int = 4

    def __post_init__(self) -> None:
        if self.factor not in FACTORS:
            known = ", ".join(map(str, FACTORS))
            raise OptionError(f"a network cannot enlarge {self.factor} times; choose from {known}")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise OptionError(f"{name} of an up-scaler is {value!r}; choose one in 1..{most}")
        if self.features % self.reduction:
            raise OptionError(f"{self.features} features are no multiple of {self.reduction}")

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> RcanSpec:
        """Raises OptionError for what no `to_json` gave."""
        try:
            return cls(**value)
        except TypeError as error:
            raise OptionError(f"this is no description of an up-scaler: {error}") from error
