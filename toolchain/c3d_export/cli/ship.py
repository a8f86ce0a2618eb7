"""`ship`: bundles to folders, hosts and registries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import MissingInputError
from .lookup import bundle_path
from .output import note, print_json
from .settings import find_workspace, plain_http_option, shared, timeout_option
from .ship_table import live_table, print_outcomes, shown

if TYPE_CHECKING:
    from ..deploy.ship.fleet import Fleet


@click.command()
@click.argument("bundle", metavar="BUNDLE")
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--codec", "more", multiple=True, metavar="BUNDLE", help="One more; repeatable.")
@click.option("--hosts", metavar="FILE", help="More targets, one a line, # for comments; - stdin.")
@click.option("--install", is_flag=True, help="Then run `c3d-export install` there (ssh:// only).")
@click.option(
    "--program",
    default="c3d-export",
    show_default=True,
    metavar="COMMAND",
    help="What --install calls there, as its shell reads it.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    metavar="N",
    help="Targets at a time.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 10),
    default=1,
    show_default=True,
    metavar="N",
    help="More tries at a target that cannot be reached.",
)
@timeout_option
@plain_http_option
@shared()
def ship(
    bundle: str,
    targets: tuple[str, ...],
    more: tuple[str, ...],
    hosts: str | None,
    install: bool,
    program: str,
    jobs: int,
    retries: int,
    timeout: float,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Bring a bundle to folders, hosts behind ssh and OCI registries, many at a time.

    \b
    TARGET is  FOLDER                                    one that is there, or a host's store
               ssh://[user@]host[:port]/path             /~/path for the home folder
               oci://registry[:port]/repository[:tag]    tag `latest` without one

    The bundle is verified whole before. What a target has already is not sent again, and a
    transfer that was cut goes on: run the command again. The exit code is 6 where targets failed.

    \b
    Example: c3d-export ship supertuxkart-small.c3b ssh://edge1/srv/codecs /mnt/edge2/codecs
    """
    from ..deploy.ship.deliver import Options
    from ..deploy.ship.fleet import Fleet, plan
    from ..deploy.ship.parcel import load_parcels

    places, again = plan([*targets, *_listed(hosts)])
    for target in again:
        note(f"note: {target} is given more than once, and shipped to once")
    workspace = find_workspace()
    parcels = load_parcels([bundle_path(workspace, name) for name in (bundle, *more)])
    command = program if install else ""
    fleet = Fleet(parcels, places, Options(jobs, retries, timeout, plain_http, command))
    with live_table(fleet) as done:
        fleet.run(done)
    _tell(fleet, as_json)
    fleet.require_all()


def _listed(hosts: str | None) -> list[str]:
    """The targets of a file; raises MissingInputError or OptionError."""
    from ..core.limits import MAX_FLEET_BYTES
    from ..deploy.ship.fleet import parse_fleet

    if hosts is None:
        return []
    if hosts == "-":
        return parse_fleet(sys.stdin.buffer.read(MAX_FLEET_BYTES + 1))
    try:
        with Path(hosts).open("rb") as file:
            return parse_fleet(file.read(MAX_FLEET_BYTES + 1))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"cannot read {hosts}: {reason}; check the path") from error


def _tell(fleet: Fleet, as_json: bool) -> None:
    if not as_json:
        print_outcomes(fleet)
        return
    bundles = [
        {
            "file": parcel.file,
            "name": parcel.name,
            "codec_id": parcel.codec_id,
            "sha256": parcel.sha256,
            "bytes": len(parcel.data),
        }
        for parcel in fleet.parcels
    ]
    print_json({"bundles": bundles, "targets": [shown(outcome) for outcome in fleet.outcomes]})
