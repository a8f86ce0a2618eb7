"""Named limits of everything that is read from outside, each with its reason.

They are checked before memory is taken or time is spent, so that a hostile file of a few bytes
cannot ask for gigabytes.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20

# One side of a frame: four times 4K, and twice the 8K per eye of the widest headsets.
MAX_SIDE: Final = 16_384

# Pixels of a frame: 3 bytes each fill 256 MiB; also the default limit of Pillow, so that what we
# write can be opened elsewhere without a warning.
MAX_PIXELS: Final = 89_478_485

# One stream: the raw pixels of the largest frame. A longer stream compresses nothing.
MAX_STREAM_BYTES: Final = 256 * MIB

# One image file: an uncompressed RGBA PNG of MAX_PIXELS takes 342 MiB, and metadata come on top.
MAX_IMAGE_BYTES: Final = 512 * MIB

# One bundle: the widest published network (c2f-large, 73 million parameters) takes some 250 MB.
MAX_BUNDLE_BYTES: Final = 320 * MIB

# One member of a bundle: the float32 analysis of that network takes 85 MB.
MAX_MEMBER_BYTES: Final = 128 * MIB

# Members of a bundle: graphs per flavour and rate point, tables and documents are some dozens.
MAX_MEMBERS: Final = 256

# The name of a member: ours have up to 40 characters.
MAX_MEMBER_NAME: Final = 100

# Signatures of a bundle: its maker, a reviewer, a distributor, and as many keys in the course of
# being replaced. One takes 182 bytes in signatures.json.
MAX_SIGNATURES: Final = 8
MAX_SIGNATURES_BYTES: Final = 4 * KIB

# A host's policy: some dozens of trusted keys of 150 bytes each.
MAX_POLICY_BYTES: Final = 64 * KIB
MAX_TRUSTED_KEYS: Final = 64

# A file with a key in PEM: an encrypted private one has some 350 bytes.
MAX_KEY_FILE_BYTES: Final = 4 * KIB

# Fields of one serialised graph, all levels together: the widest of ours has some 3,000. What is
# read costs under a microsecond a field, so this bounds the time for any file.
MAX_GRAPH_FIELDS: Final = 65_536

# Nodes and initialisers of one graph: the deepest of ours has 127 and 51.
MAX_GRAPH_NODES: Final = 1024
MAX_GRAPH_INITIALIZERS: Final = 1024

# One initialiser: a 1x1 layer of 3072 to 1536 channels in float32 takes 18 MiB.
MAX_TENSOR_BYTES: Final = 24 * MIB

# Axes of a tensor in a graph: convolutions need 4, and no initialiser of ours has more.
MAX_TENSOR_RANK: Final = 4

# A name in a graph, in bytes: ours have up to 30.
MAX_GRAPH_NAME_BYTES: Final = 128

# Inputs and outputs of one node: QLinearConv has 9 inputs.
MAX_NODE_VALUES: Final = 16

# A whole number in an attribute: kernel sizes, pads, strides, axes, permutations and element types.
# A pad of 2^31 would ask for terabytes.
MAX_ATTRIBUTE_VALUE: Final = 16
MAX_ATTRIBUTE_VALUES: Final = 8

# Groups of a depthwise convolution: the widest layer that a spec may have.
MAX_GRAPH_GROUPS: Final = 4096

# One JSON document: a manifest of MAX_MEMBERS takes 64 KiB, a long evaluation report 2 MiB.
MAX_JSON_BYTES: Final = 4 * MIB

# Nesting of a JSON document: ours need 6; Python's own parser would recurse until it raises.
MAX_JSON_DEPTH: Final = 32

# The splits of one game's frames: 60 bytes each, a million of them.
MAX_FRAME_INDEX_BYTES: Final = 64 * MIB

# One file that lists the hosts of a fleet, and its lines: some thousands of addresses.
MAX_FLEET_BYTES: Final = MIB
MAX_FLEET_TARGETS: Final = 4096

# One table of a sweep, and the tasks that it stands for: three axes of a dozen values each.
MAX_SWEEP_TABLE_BYTES: Final = MIB
MAX_SWEEP_TASKS: Final = 2000

# What a sweep notes of its tasks: some KiB each.
MAX_SWEEP_STATE_BYTES: Final = 64 * MIB

# One manifest of an OCI registry: what registries themselves take (OCI distribution 1.1).
MAX_OCI_MANIFEST_BYTES: Final = 4 * MIB

# Any other answer of a registry: errors and tokens; tokens of large ones have some KiB.
MAX_ANSWER_BYTES: Final = 256 * KIB

# One packet of SFTP: servers send up to 256 KiB of data and a header.
MAX_SFTP_PACKET_BYTES: Final = 288 * KIB

# Entries of a folder on another machine that are looked at.
MAX_REMOTE_ENTRIES: Final = 65_536


def size_fault(width: int, height: int) -> str:
    """Why a frame of this size is beyond the limits, or an empty string where it is not."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        return f"{width}x{height} pixels, outside 1..{MAX_SIDE} a side"
    if width * height > MAX_PIXELS:
        return f"{width}x{height} pixels, more than {MAX_PIXELS}"
    return ""
