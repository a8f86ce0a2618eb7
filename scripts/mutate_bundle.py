"""Random one-byte mutations of a bundle, each opened as a host would; exit 3 where one is accepted.

    python scripts/mutate_bundle.py [BUNDLE] [--count N] [--seed S] [--way file|packed|forged]

file: one byte of the file becomes another one. Whoever damages it does that.
packed: one byte of a member does, and the container is made anew, with its checksums: what only the
hashes of the manifest find.
forged: one byte of a member, the manifest or the signatures does, and the container and all hashes
are made anew, so that everything agrees but the signature; the host wants it signed. A forger does
that.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c3d_export.core import jsonio
from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import BundleError, C3DError
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import MANIFEST, parse_bundle
from c3d_export.runtime.policy import Policy, TrustedKey
from c3d_export.runtime.signatures import MEMBER

WAYS = ("file", "packed", "forged")
DEFAULT = Path(__file__).parents[1] / "tests" / "golden" / "v4" / "tiny.c3b"


@dataclass
class Outcome:
    """errors: name of the class -> how often. accepted, strange: what was changed in mutations
    that were opened, and that ended in what is no BundleError."""

    errors: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def count(self) -> int:
        return self.errors.total() + len(self.accepted) + len(self.strange)


def changed(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The data with another value at one place, and what was done."""
    place, value = rng.randrange(len(data)), rng.randrange(1, 256)
    return (
        data[:place] + bytes([data[place] ^ value]) + data[place + 1 :],
        f"byte {place} ^ {value}",
    )


def in_file(data: bytes, rng: random.Random) -> Iterator[tuple[bytes, str]]:
    while True:
        yield changed(data, rng)


def packed(data: bytes, rng: random.Random) -> Iterator[tuple[bytes, str]]:
    members = unpack_archive(data)
    names = [name for name in members if name != MANIFEST]
    sizes = [len(members[name]) for name in names]
    while True:
        (name,) = rng.choices(names, sizes)
        new, what = changed(members[name], rng)
        yield pack_archive({**members, name: new}), f"{name}, {what}"


def forged(data: bytes, rng: random.Random) -> Iterator[tuple[bytes, str]]:
    """Every second one in the manifest or the signatures, which are few of the bytes."""
    members = unpack_archive(data)
    names = [name for name in members if name not in (MANIFEST, MEMBER)]
    sizes = [len(members[name]) for name in names]
    while True:
        if rng.random() < 0.5:
            name = rng.choice([MANIFEST, MEMBER])
            new, what = changed(members[name], rng)
            yield pack_archive({**members, name: new}), f"{name}, {what}"
        else:
            (name,) = rng.choices(names, sizes)
            new, what = changed(members[name], rng)
            yield rehashed({**members, name: new}, name), f"{name}, {what}"


def rehashed(members: dict[str, bytes], name: str) -> bytes:
    """The bundle of these members, the manifest's entry of one of them made to agree."""
    manifest: dict[str, Any] = jsonio.loads(members[MANIFEST], C3DError)
    manifest["members"][name] = {"sha256": sha256_bytes(members[name]), "size": len(members[name])}
    return pack_archive({**members, MANIFEST: jsonio.dumps(manifest)})


def try_all(
    mutations: Iterator[tuple[bytes, str]],
    count: int,
    policy: Policy,
    tell: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Opens so many of the mutations, up to sessions."""
    outcome = Outcome()
    while outcome.count < count:
        data, what = next(mutations)
        begin = time.perf_counter()
        try:
            parse_bundle(data, policy.check)
            outcome.accepted.append(what)
        except BundleError as error:
            outcome.errors[type(error).__name__] += 1
        except Exception as error:
            outcome.strange.append(f"{what}: {type(error).__name__}: {error}")
        outcome.slowest = max(outcome.slowest, time.perf_counter() - begin)
        tell(outcome)
    return outcome


def run(data: bytes, way: str, count: int, seed: int, **options: Any) -> Outcome:
    """way: of WAYS."""
    rng = random.Random(seed)
    if way != "forged":
        mutations = in_file(data, rng) if way == "file" else packed(data, rng)
        return try_all(mutations, count, Policy(), **options)
    from c3d_export.deploy.signing import new_key, sign_bundle

    key = new_key()
    policy = Policy(True, (TrustedKey("maker", key.public),))
    signed = sign_bundle(data, key)
    policy.check(parse_bundle(signed).seal)  # or nothing below would mean anything
    return try_all(forged(signed, rng), count, policy, **options)


def _tell(outcome: Outcome) -> None:
    if outcome.count % 5000 == 0:
        print(f"{outcome.count} done, {len(outcome.accepted)} accepted", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--way", choices=WAYS, default="file")
    options = parser.parse_args()
    data = options.bundle.read_bytes()
    parse_bundle(data)
    outcome = run(data, options.way, options.count, options.seed, tell=_tell)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{outcome.count} mutations of {options.bundle.name} ({options.way}, seed {options.seed}):"
        f" {len(outcome.accepted)} accepted, {len(outcome.strange)} ended otherwise; slowest"
        f" {1000 * outcome.slowest:.0f} ms, the process {peak} MiB"
    )
    for name, number in outcome.errors.most_common():
        print(f"  {number:7} {name}")
    for what in [*outcome.accepted, *outcome.strange][:20]:
        print(f"  {what}")
    return 3 if outcome.accepted or outcome.strange else 0


if __name__ == "__main__":
    sys.exit(main())
