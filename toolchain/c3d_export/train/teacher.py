"""A teacher: a network of the family, larger or not yet pruned, that shows what can be decoded.

A frame holds detail that no decoder can know at its rate, and in training that detail is noise. A
teacher's picture at the same rate point is free of it (Hinton et al., "Distilling the knowledge in
a neural network", 2015, for the idea). What it is worth here is in docs/training.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..core.digest import sha256_file
from ..core.errors import OptionError
from ..models.network import Codec
from ..models.spec import CodecSpec


@dataclass(frozen=True)
class Teacher:
    """network: as its codec will decode: in the integer simulation, and without gradients.

    Of a network that was trained for integers, the float pictures are worse: 99.0 against 92.9
    grey levels squared of error at quality 2 of supertuxkart-small, 11.9 against 9.9 at quality 8.

    digest: SHA-256 of its file.
    """

    network: Codec
    digest: str

    @staticmethod
    def of(network: Codec, file: Path) -> Teacher:
        network.quantize(True)
        return Teacher(network.eval().requires_grad_(False), sha256_file(file))

    @torch.no_grad()
    def picture(self, frame: Tensor, quality: Tensor) -> Tensor:
        """What it decodes of frame (B, 3, H, W), 0..255, at rate points (B,): 0..255, unrounded."""
        x_hat: Tensor = self.network(frame, quality).x_hat
        return x_hat + 128.0


def check_teacher(teacher: CodecSpec, student: CodecSpec) -> None:
    """Raises OptionError where the rate points or the latents are not the same."""
    for what in ("latents", "base", "hyper", "qualities"):
        theirs, own = getattr(teacher, what), getattr(student, what)
        if theirs != own:
            raise OptionError(
                f"--teacher is of another family: {what} {theirs} instead of {own}; choose a"
                " network that differs in widths only"
            )
