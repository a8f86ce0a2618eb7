"""What every baseline is: a codec of fixed settings with integer qualities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from c3d_export.core.errors import ImageError, OptionError
from c3d_export.runtime.images import Frame


@dataclass(frozen=True)
class Baseline(ABC):
    """One setting of one codec; it is a `measure.Codec`.

    `qualities` runs from the lowest rate to the highest, and `ladder` holds the ones at which
    curves are drawn: on 720p frames of games from about 0.2 to 1.5 bpp or more.
    """

    name: str
    qualities: range
    ladder: tuple[int, ...]

    @abstractmethod
    def require(self) -> None:
        """Raises LibraryMissingError, with the line that installs it, where the library is not."""

    @abstractmethod
    def encode(self, frame: Frame, quality: int) -> bytes:
        """The file of a frame, uint8 (height, width, 3) RGB.

        Raises OptionError for a quality outside `qualities`, FrameShapeError for other arrays or
        a side that the format does not hold.
        """

    @abstractmethod
    def decode(self, data: bytes) -> Frame:
        """The frame of a file that `encode` made. Raises ImageError for anything else."""

    def check_quality(self, quality: int) -> None:
        if quality not in self.qualities:
            span = f"{self.qualities[0]}..{self.qualities[-1]}"
            raise OptionError(f"{self.name} has no quality {quality}; choose one in {span}")

    def unreadable(self, reason: object) -> ImageError:
        """The error of `decode`."""
        return ImageError(f"{self.name} cannot decode its file: {reason}; encode the frame again")
