"""The patch predictors of the coarse-to-fine networks as whole-frame convolutions.

As published, a 5x5 neighbourhood of every position is cut out and goes through three 3x3 layers
that pad *the patch* with zeros:

    5x5 --conv1--> 5x5 --conv2, stride 2--> 3x3 --conv3--> 3x3 --linear--> mean, log-scale

Neighbouring patches overlap, so most of that is computed again and again: conv1 sees each position
of the frame 25 times. Yet in a patch it knows three kinds of rows only: the first, where the
kernel's upper row meets padding, the last, and those between; likewise columns. Nine maps over the
whole frame (conv1, by kind of row and column) hold all that it can ever give. conv2 reads some of
them at fixed distances, once for each of its 3x3 outputs; conv3 and the linear layer then stay at
their position. All of it is plain convolutions without padding over concatenated maps, with
165 d^2 multiplications a position instead of 405 d^2, and no patch in memory.

Which part of a kernel meets which map is said here once, for PyTorch, ONNX and hosts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Place = tuple[int, int]
"""Kind of row and column of conv1 (first, between, last); output of conv2 and conv3 in a patch."""
PLACES: Final = tuple((row, column) for row in range(3) for column in range(3))
REACH: Final = 2
"""Positions that a neighbourhood reaches to each side."""
STAGES: Final = (1, 2, 3)


class Axis(NamedTuple):
    """Of rows or of columns: the map that is read, by its kind or place; the kernel's begin and
    end; what is left out of the map at its begin and at its end."""

    source: int
    kernel: tuple[int, int]
    crop: tuple[int, int]


class Piece(NamedTuple):
    """Rows and columns of what one part of a kernel (outputs, inputs, 3, 3) reads."""

    rows: Axis
    columns: Axis

    @property
    def source(self) -> Place:
        """The map of the stage before; of conv1 the hyper-features, padded by REACH."""
        return self.rows.source, self.columns.source


_CONV1: Final = (
    (Axis(0, (1, 3), (0, 3)),),
    (Axis(0, (0, 3), (0, 0)),),
    (Axis(0, (0, 2), (3, 0)),),
)
_CONV2: Final = (
    (Axis(0, (1, 2), (0, 0)), Axis(1, (2, 3), (0, 2))),
    (Axis(1, (0, 3), (0, 0)),),
    (Axis(1, (0, 1), (2, 0)), Axis(2, (1, 2), (0, 0))),
)
_CONV3: Final = tuple(
    tuple(Axis(n, (n - at + 1, n - at + 2), (0, 0)) for n in range(3) if abs(n - at) <= 1)
    for at in range(3)
)
_AXES: Final = {1: _CONV1, 2: _CONV2, 3: _CONV3}


def pieces(stage: int, place: Place) -> list[Piece]:
    """What conv<stage> reads for one of its maps; kernels and maps are joined by input channels in
    this order. stage: of STAGES."""
    rows, columns = _AXES[stage][place[0]], _AXES[stage][place[1]]
    return [Piece(r, c) for r in rows for c in columns]
