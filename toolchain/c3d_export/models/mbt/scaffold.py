"""mbt2018 and mbt2018-mean while they are trained."""

from __future__ import annotations

from torch import Tensor, nn

from ...train.schedules import Stage
from .. import scaffold
from ..scaffold import Staged
from .network import MeanScaleHyperprior

WHITE = 255.0


class Scaffold(scaffold.Scaffold):
    """The network alone: all of it is trained at once. The quantiles of the factorised prior have
    the auxiliary loss (CompressAI); its median is what z is rounded from."""

    def __init__(self, network: MeanScaleHyperprior) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, stage: Stage) -> Staged:
        out = self.network(frame / WHITE)
        auxiliary = self.network.entropy_bottleneck.auxiliary_loss()
        return Staged(out.x_hat * WHITE, out.bits(), frame.new_zeros(()), auxiliary)

    def auxiliary(self) -> list[nn.Parameter]:
        return [self.network.entropy_bottleneck.quantiles]
