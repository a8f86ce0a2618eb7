"""The one tree of errors: everything that this package raises on purpose is in here.

A group is a base class with an exit code; a leaf is one cause. Raise leaves, catch groups. A
message is one line that says what is wrong and what to do about it. `C3DError` itself stands for
an internal error, which is a fault of this package and not of its user.
"""

from __future__ import annotations

from typing import ClassVar


class C3DError(Exception):
    """An internal error; the base of every error of this package.

    `exit_code` is what the command line returns: 1 internal error, 2 wrong usage, 3 a validation
    failed, 4 the host lacks something, 5 a corrupt or foreign file, 6 some hosts of a fleet failed.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        # File names and foreign messages may hold line breaks; an error stays one line.
        super().__init__(" ".join(message.splitlines()))


class UsageError(C3DError):
    """The command or the call asks for something that cannot be."""

    exit_code = 2


class MissingInputError(UsageError):
    """An input file or folder does not exist or cannot be opened."""


class MissingDataError(UsageError):
    """The workspace has no frames of this game and split."""


class MissingModelError(UsageError):
    """The workspace has no model of this name."""


class UnknownQualityError(UsageError):
    """The bundle has no such rate point."""


class OptionError(UsageError):
    """An option or argument has a value that is not allowed."""


class TableError(UsageError):
    """A table of a sweep says something that cannot be."""


class FrameShapeError(UsageError):
    """A frame is not uint8 (height, width, 3) within the limits of size."""


class KeyFileError(UsageError):
    """A file holds no key of the kind that is wanted, or its passphrase is not the right one."""


class ValidationError(C3DError):
    """A check of contents failed: numbers, certificates or images."""

    exit_code = 3


class BitMismatchError(ValidationError):
    """Two computations that must agree differ in at least one bit."""


class CertificateError(ValidationError):
    """A layer lacks the proof that its integer sums stay exact."""


class DivergedError(ValidationError):
    """A training has left the range of numbers."""


class ImageError(ValidationError):
    """An image cannot be read, or is of a kind that is not supported."""


class NothingCapturedError(ValidationError):
    """A program ran, and no frame of it could be taken."""


class PartialFailureError(ValidationError):
    """Some of the inputs were skipped, the others were done."""


class HostError(C3DError):
    """This host lacks something or cannot do something."""

    exit_code = 4


class ProviderMissingError(HostError):
    """The execution provider asked for is not available on this host."""


class RuntimeConflictError(HostError):
    """onnxruntime and onnxruntime-gpu are both installed and overwrite one another."""


class RuntimeOptionError(HostError):
    """The installed ONNX Runtime does not take an option that exactness rests on."""


class LibraryMissingError(HostError):
    """A library that this command needs is not installed."""


class WorkerError(HostError):
    """A process that shares the work died, or would not compute the same numbers."""


class BusyError(HostError):
    """Another process is at the same work; it must end first."""


class DiskError(HostError):
    """A file could not be written: the disk is full, read-only or not permitted."""


class PolicyError(HostError):
    """The policy of this host, which says whose bundles it opens, cannot be read."""


class RemoteError(HostError):
    """Another machine does not do what it is asked."""


class UnreachableError(RemoteError):
    """No connection, a cut one, or a fault of the other side that may pass: worth another try."""


class AccessError(RemoteError):
    """Another machine refuses us (key, password, rights), or we cannot tell that it is the one."""


class RemoteMissingError(RemoteError):
    """What was asked of another machine is not there."""


class RemoteDiskError(RemoteError):
    """Another machine cannot write: its disk is full, read-only or over its quota."""


class KnownAnswerError(HostError):
    """This host computes other numbers than the known answers of the bundle."""


class CorruptError(C3DError):
    """A file is damaged, hostile, or belongs to something else."""

    exit_code = 5


class StreamError(CorruptError):
    """A stream cannot be decoded."""


class StreamMagicError(StreamError):
    """The data does not start as a stream does."""


class StreamVersionError(StreamError):
    """The stream has a version that this package does not know."""


class StreamTruncatedError(StreamError):
    """The stream ends too early."""


class StreamTrailingError(StreamError):
    """Bytes follow the end of the stream."""


class StreamHeaderError(StreamError):
    """A header field is out of range, or a reserved bit is set."""


class StreamChecksumError(StreamError):
    """A checksum over bytes of the stream does not hold."""


class StreamForeignError(StreamError):
    """The stream was made by another bundle."""


class LatentsChecksumError(StreamError):
    """The decoded latents are not the ones that were encoded."""


class BundleError(CorruptError):
    """A bundle cannot be opened."""


class BundleFormatError(BundleError):
    """The file is no stored zip of the kind that a bundle is."""


class BundleMemberError(BundleError):
    """A member of the bundle is missing, superfluous, too large or badly named."""


class BundleHashError(BundleError):
    """A member of the bundle is not the one that the manifest describes."""


class BundleGraphError(BundleError):
    """A graph of the bundle is none that this package writes."""


class BundleManifestError(BundleError):
    """The manifest of the bundle is malformed or contradicts itself."""


class BundleVersionError(BundleError):
    """The bundle has a version that this package does not know."""


class SignatureError(BundleError):
    """The signatures of a bundle are not what they have to be on this host."""


class SignatureFormatError(SignatureError):
    """The signatures of a bundle are malformed, or of a version that is not known."""


class SignatureMismatchError(SignatureError):
    """A signature that says it is of a trusted key is not one of that key over this bundle."""


class UntrustedBundleError(SignatureError):
    """The policy wants a signature of a trusted key, and the bundle has none."""


class ResultsError(CorruptError):
    """The results of an evaluation are damaged, of another format, or contradict themselves."""


class CaptureProtocolError(CorruptError):
    """What comes as frames of a running program is something else."""


class CheckpointError(CorruptError):
    """A training checkpoint is damaged or belongs to another network."""


class SweepStateError(CorruptError):
    """What a sweep noted of its tasks is damaged or of another format."""


class DecodedFrameError(CorruptError):
    """A decoded frame that training keeps on disk is not the one that was written."""


class RemoteAnswerError(CorruptError):
    """Another machine answered something that cannot be, too much, or other bytes than promised."""


class FleetError(C3DError):
    """Some hosts of a fleet failed, the others were done."""

    exit_code = 6


class C3DWarning(UserWarning):
    """Something was done in another allowed way than the first; Python's `warnings` carry it."""
