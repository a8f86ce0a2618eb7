"""One training in several processes: each works on its rows of every batch, the first one writes.

All that a step depends on besides pixels (losses that crops are weighed by, gradients) is brought
together, so that every process makes the same step; gradients go over in one piece, since some
hundred small ones would each wait for the network. PyTorch's DistributedDataParallel has hooks for
gradients alone.

A process that dies takes the others with it: their next exchange fails at once (WorkerError), or
after TIMEOUT where a host has fallen silent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from ..core.errors import OptionError, WorkerError

TIMEOUT: Final = timedelta(seconds=90)
"""A process waits for the others so long: while one writes a checkpoint, or reads its frames."""
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Group:
    """The processes of a training, of which this is number `rank` of `size`; by default alone."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks to people."""
        return self.rank == 0

    def rows(self, batch: int) -> range:
        """The rows of a batch that are this process's. Raises OptionError where some are left."""
        if batch % self.size:
            raise OptionError(
                f"--batch {batch} cannot be shared by {self.size} processes; choose a multiple"
            )
        count = batch // self.size
        return range(self.rank * count, (self.rank + 1) * count)

    def gathered(self, values: Tensor) -> Tensor:
        """(n, b) values of this process's crops -> (n, B) of all, in the order of the batch."""
        if self.size == 1:
            return values
        parts = [torch.empty_like(values) for _ in range(self.size)]
        with _failures():
            dist.all_gather(parts, values.contiguous())
        return torch.cat(parts, 1)

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Puts the means over all processes in place of these tensors, of one type."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _failures():
            dist.all_reduce(flat)
        flat /= self.size
        _fill(tensors, flat)

    @torch.no_grad()
    def take_first(self, tensors: Sequence[Tensor]) -> None:
        """Puts the first process's numbers in place of these tensors."""
        if self.size == 1:
            return
        for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
            some = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.reshape(-1) for tensor in some])
            with _failures():
                dist.broadcast(flat, src=0)
            _fill(some, flat)

    def check_same(self, value: object, what: str) -> None:
        """Waits for all processes; raises OptionError where they differ in this value."""
        if self.size == 1:
            return
        values: list[object] = [None] * self.size
        with _failures():
            dist.all_gather_object(values, value)
        if any(other != values[0] for other in values):
            raise OptionError(f"the processes of this training differ in {what}; give all the same")

    def number(self, value: int) -> int:
        """The first process's value."""
        held = [value]
        if self.size > 1:
            with _failures():
                dist.broadcast_object_list(held, src=0)
        return held[0]


ALONE: Final = Group()

WHAT_IS_SAME: Final = "their frames or options, or in the precision that their processors have"
"""Of all processes where a run begins (`check_same`): others would drift apart unseen."""


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    torch._foreach_copy_(
        list(tensors), [part.view(t.shape) for part, t in zip(parts, tensors, strict=True)]
    )


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Makes a WorkerError of an exchange that failed."""
    try:
        yield
    except RuntimeError as error:
        raise WorkerError(
            "another process of this training has ended or fallen silent; go on with the same line"
            " and --resume"
        ) from error


@contextlib.contextmanager
def joined(device: str) -> Iterator[Group]:
    """The processes that torchrun started this one with; alone where it did not.

    device: "cpu", or "cuda", of which each process takes the one of its number on the host.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if dist.is_torchelastic_launched() else 1
    if size == 1:
        yield Group()
        return
    _die_with_parent()
    if device == "cuda":
        torch.cuda.set_device(_own_device())
    with _failures():
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=TIMEOUT)
    yield Group(dist.get_rank(), size)
    # Not after an error: NCCL would wait for the processes that are gone.
    dist.destroy_process_group()


def _own_device() -> int:
    own, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if own >= count:
        raise OptionError(f"this host has {count} CUDA devices; start no more processes on it")
    return own


def _die_with_parent() -> None:
    """A training whose launcher was killed would go on, beside the one that resumes it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
