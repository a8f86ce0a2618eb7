"""One axis of a convolution: which inputs each output sees.

A transposed convolution of stride s is s plain ones, each for the outputs of one remainder by s: of
the kernel each sees every s-th tap, turned round, and it writes every s-th output. Dumoulin, Visin:
A guide to convolution arithmetic for deep learning, 2016, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """What outputs first, first + stride, ... see: `taps` of the kernel, in the order of inputs.
    Number t of these outputs sees the inputs from t + begin to before t + end."""

    first: int
    taps: slice
    begin: int
    end: int

    def count(self, outputs: int, stride: int) -> int:
        """How many of an axis of so many outputs."""
        return len(range(self.first, outputs, stride))


@dataclass(frozen=True)
class Axis:
    """kernel: its taps. before, after: zeros around the input, or, transposed, what is cut off at
    the beginning and at the end. Laws: kernel >= stride >= 1, which is 1 unless transposed; before,
    after >= 0."""

    kernel: int
    before: int
    after: int
    stride: int = 1
    transposed: bool = False

    def __post_init__(self) -> None:
        if self.before < 0 or not (self.transposed or self.after >= 0):
            raise ValueError("a padding below 0")
        if not 1 <= self.stride <= self.kernel:
            raise ValueError("a stride below 1, or one that leaves outputs empty")
        if self.stride > 1 and not self.transposed:
            raise ValueError("a stride of a convolution that is not transposed")

    def size(self, inputs: int) -> int:
        """How many outputs; less than one where the input is too small."""
        if self.transposed:
            return (inputs - 1) * self.stride + self.kernel - self.before - self.after
        return inputs + self.before + self.after - self.kernel + 1

    def parts(self) -> list[Part]:
        if not self.transposed:
            return [Part(0, slice(None), -self.before, self.kernel - self.before)]
        return [self._part(remainder) for remainder in range(self.stride)]

    def _part(self, first: int) -> Part:
        """Output Y = stride * t + first sees input y by tap r where stride * y + r = Y + before."""
        least = (first + self.before) % self.stride
        taps = range(least, self.kernel, self.stride)
        begin = (first + self.before - taps[-1]) // self.stride
        back = slice(taps[-1], least - 1 if least else None, -self.stride)
        return Part(first, back, begin, begin + len(taps))

    def seen(self, begin: int, outputs: int, multiple: int) -> tuple[int, int]:
        """Which inputs so many outputs see, from number stride * begin on, where each part makes
        `multiple` at a time: from the first to before the second; zeros are where there is none."""
        made = [(part, part.count(outputs, self.stride)) for part in self.parts()]
        ends = [begin + part.end - 1 + -(-n // multiple) * multiple for part, n in made if n]
        return begin + min(part.begin for part, _ in made), max(ends)
