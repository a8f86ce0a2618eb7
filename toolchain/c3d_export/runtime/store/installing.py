"""Installing: verified, tried out on this host, stored, and only then active."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ...core.errors import BundleManifestError, C3DError, MissingModelError, OptionError
from ..codec import codec_of
from ..remote.fetch import Fetched
from .layout import check_name
from .reading import Parts, take_apart
from .store import Store, activate_all


@dataclass(frozen=True)
class Installation:
    """What became of a bundle. changed: whether its codec was not the active one before."""

    name: str
    id: bytes
    changed: bool


@dataclass
class _Found:
    """The bundles so far, and names that were not asked for."""

    codecs: dict[str, bytes] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)


def install(
    store: Store,
    bundles: Iterable[Fetched],
    names: Collection[str] = (),
    *,
    device: str = "cpu",
    flavour: str | Sequence[str] | None = None,
) -> list[Installation]:
    """Makes the codecs of these bundles the active ones of their names; sorted by name.

    bundles: as `fetch` gives them. names: those to take, none for all. device, flavour: where and
    how the known answers are computed, see `open_codec`. All or nothing becomes active: every
    bundle is checked, allowed by the host's policy, run on this host and stored before the first
    name changes. Installing again changes nothing.

    Raises a leaf of BundleError, HostError or OptionError, MissingModelError where a name is not
    among the bundles, or what the policy raises.
    """
    wanted, found = set(map(check_name, names)), _Found()
    for source, data in bundles:
        name, parts = _checked(source, data)
        if wanted and name not in wanted:
            found.others.add(name)
            continue
        _take(store, name, parts, found, device, flavour)
    if missing := sorted(wanted - found.codecs.keys()):
        raise MissingModelError(
            f"no bundle of {', '.join(missing)} there, only of"
            f" {', '.join(sorted(found.others | found.codecs.keys())) or 'none'}"
        )
    changed = activate_all(store, sorted(found.codecs.items()))
    return [Installation(name, found.codecs[name], changed[name]) for name in changed]


def _checked(source: str, data: bytes) -> tuple[str, Parts]:
    """Name and parts; raises what `take_apart` does, with the place: one of many may be bad."""
    try:
        parts = take_apart(data)
        return _name_of(parts.bundle.manifest.get("name")), parts
    except C3DError as error:
        raise type(error)(f"{source}: {error}") from error


def _take(
    store: Store,
    name: str,
    parts: Parts,
    found: _Found,
    device: str,
    flavour: str | Sequence[str] | None,
) -> None:
    if found.codecs.get(name, parts.bundle.id) != parts.bundle.id:
        raise OptionError(
            f"there are two codecs {name}, {found.codecs[name].hex()} and {parts.bundle.id.hex()};"
            " install the file of the one that shall be active"
        )
    try:
        codec_of(parts.bundle, device, flavour=flavour)
    except C3DError as error:
        raise type(error)(f"{name}: {error}") from error
    found.codecs[name] = store.add_parts(parts)


def _name_of(value: object) -> str:
    """The name that a bundle has in its manifest; raises BundleManifestError."""
    try:
        return check_name(value if isinstance(value, str) else "")
    except OptionError as error:
        raise BundleManifestError(f"the bundle has no usable name: {error}") from error
