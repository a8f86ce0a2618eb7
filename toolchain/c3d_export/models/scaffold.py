"""What a published network is put into while it is trained: one interface for all families."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from ..train.schedules import Stage


@dataclass(frozen=True)
class Staged:
    """x_hat (B, 3, H, W) in grey levels of 0..255, unclipped. bits (B,): of all latents that take
    part. helping: a scalar that is added to the loss. auxiliary: a scalar that moves the
    parameters of `Scaffold.auxiliary` and nothing else; None where there are none."""

    x_hat: Tensor
    bits: Tensor
    helping: Tensor
    auxiliary: Tensor | None = None


class Scaffold(nn.Module):
    """A network with what it has only in training. Call: frame (B, 3, H, W), 0..255, sides
    multiples of 64, and a stage -> `Staged`.

    staged: whether the stages differ for this family.
    """

    staged = False

    def trained(self, stage: Stage) -> Iterator[nn.Parameter]:
        """The parameters that a stage moves."""
        return self.parameters()

    def auxiliary(self) -> list[nn.Parameter]:
        """Parameters with a loss of their own, whose gradients are not clipped with the others."""
        return []
