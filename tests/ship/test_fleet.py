"""Many targets: lists of them, what each becomes, the command and its exit codes."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from c3d_export.cli.main import main
from c3d_export.cli.ship_table import _table, size
from c3d_export.core.errors import (
    BundleError,
    C3DError,
    FleetError,
    MissingInputError,
    OptionError,
    UnreachableError,
)
from c3d_export.core.limits import MAX_FLEET_BYTES, MAX_FLEET_TARGETS
from c3d_export.deploy.ship import fleet as fleets
from c3d_export.deploy.ship.deliver import Options
from c3d_export.deploy.ship.fleet import Fleet, Outcome, parse_fleet, plan
from c3d_export.deploy.ship.parcel import Parcel, load_parcels
from c3d_export.runtime.remote.target import parse_target

from .conftest import MakeParcel
from .servers import SshHost, free_port

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def call(*arguments: object, stdin: str = "") -> Result:
        return CliRunner().invoke(main, ["ship", *map(str, arguments)], input=stdin)

    return call


def folders(parent: Path, count: int) -> list[Path]:
    made = [parent / f"host{index:02}" for index in range(count)]
    for folder in made:
        folder.mkdir()
    return made


def test_a_file_of_targets() -> None:
    text = "# our hosts\n\nssh://a/x  # the first\r\n  /mnt/b \n/mnt/c#d\n"
    assert parse_fleet(text.encode("utf-8-sig")) == ["ssh://a/x", "/mnt/b", "/mnt/c#d"]
    for bad in (b"\xff\xfe", b"x" * (MAX_FLEET_BYTES + 1)):
        with pytest.raises(OptionError):
            parse_fleet(bad)


def test_a_place_is_shipped_to_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    targets, again = plan([str(tmp_path), "ssh://a/x", f"{tmp_path}/link", "ssh://A/x/"])
    assert list(map(str, targets)) == [str(tmp_path), "ssh://a/x"]
    assert list(map(str, again)) == [f"{tmp_path}/link", "ssh://A/x/"]


def test_no_target_and_too_many() -> None:
    with pytest.raises(MissingInputError):
        plan([])
    with pytest.raises(OptionError):
        plan([f"ssh://h{index}/x" for index in range(MAX_FLEET_TARGETS + 1)])


@pytest.mark.parametrize(
    ("target", "count", "options", "named"),
    [
        ("oci://reg/a", 2, Options(), "one bundle"),
        (f"oci://reg/a@sha256:{'0' * 64}", 1, Options(), "give it a tag"),
        ("oci://reg/a", 1, Options(install="c3d-export"), "no ssh:// target"),
        ("/srv", 1, Options(install="c3d-export"), "no ssh:// target"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_sent(
    target: str, count: int, options: Options, named: str, make_parcel: MakeParcel
) -> None:
    parcels = [make_parcel(b"x", f"{index}.c3b") for index in range(count)]
    with pytest.raises(OptionError, match=named):
        Fleet(parcels, [parse_target(target)], options)


def test_only_whole_bundles_are_shipped(tmp_path: Path, bundle_file: Path, parcel: Parcel) -> None:
    assert parcel.data == bundle_file.read_bytes()
    damaged, named = tmp_path / "a.c3b", tmp_path / "a.zip"
    damaged.write_bytes(parcel.data[:-1000] + b"x" + parcel.data[-999:])
    named.write_bytes(parcel.data)
    same, other = tmp_path / bundle_file.name, tmp_path / "more" / bundle_file.name
    same.write_bytes(parcel.data)
    assert load_parcels([bundle_file, same]) == [parcel]
    other.parent.mkdir()
    other.write_bytes(bundle_file.with_name("0ad-xsmall.c3b").read_bytes())
    with pytest.raises(BundleError):
        load_parcels([damaged])
    with pytest.raises(MissingInputError):
        load_parcels([tmp_path / "none.c3b"])
    for paths in ([named], [same, other]):
        with pytest.raises(OptionError):
            load_parcels(paths)


def outcomes(fleet: Fleet) -> dict[str, str]:
    ended: list[Outcome] = []
    fleet.run(ended.append)
    assert len(ended) == len(fleet.outcomes)
    return {str(outcome.target): outcome.state for outcome in fleet.outcomes}


def test_one_failure_does_not_keep_the_others(tmp_path: Path, make_parcel: MakeParcel) -> None:
    good = folders(tmp_path, 5)
    paths = [*good[:2], tmp_path / "none", *good[2:]]
    targets = [parse_target(str(path)) for path in paths]
    fleet = Fleet([make_parcel(b"x")], targets, Options(jobs=2))
    assert outcomes(fleet) == {str(p): "shipped" if p in good else "failed" for p in paths}
    with pytest.raises(FleetError, match=f"1 of 6 targets failed: {tmp_path}/none;") as caught:
        fleet.require_all()
    assert caught.value.exit_code == 6
    again = Fleet([make_parcel(b"x")], targets[:2], Options())
    assert set(outcomes(again).values()) == {"there"}
    again.require_all()


def test_a_fault_of_ours_is_an_end_too(
    tmp_path: Path, make_parcel: MakeParcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError("here")

    monkeypatch.setattr(fleets, "deliver", broken)
    fleet = Fleet([make_parcel(b"x")], [parse_target(str(tmp_path))], Options())
    assert set(outcomes(fleet).values()) == {"failed"}
    assert "internal error: ZeroDivisionError: here" in str(fleet.outcomes[0].error)


@pytest.mark.parametrize(("failures", "state"), [(2, "shipped"), (3, "failed")])
def test_targets_that_cannot_be_reached_are_tried_again(
    failures: int,
    state: str,
    tmp_path: Path,
    make_parcel: MakeParcel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors: list[C3DError] = [UnreachableError("down")] * failures

    def flaky(*_: object) -> bool:
        if errors:
            raise errors.pop()
        return True

    monkeypatch.setattr(fleets, "deliver", flaky)
    monkeypatch.setattr(fleets, "_PAUSE", 0.001)
    fleet = Fleet([make_parcel(b"x")], [parse_target(str(tmp_path))], Options(retries=2))
    assert set(outcomes(fleet).values()) == {state}


def test_other_failures_are_not_tried_again(
    tmp_path: Path, make_parcel: MakeParcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def refusing(*_: object) -> bool:
        calls.append(1)
        raise OptionError("no")

    monkeypatch.setattr(fleets, "deliver", refusing)
    fleet = Fleet([make_parcel(b"x")], [parse_target(str(tmp_path))], Options(retries=5))
    assert set(outcomes(fleet).values()) == {"failed"}
    assert calls == [1]


def test_an_interrupt_ends_the_transfers(tmp_path: Path, make_parcel: MakeParcel) -> None:
    parcel, places = make_parcel(b"x" * (8 << 20)), folders(tmp_path, 9)
    fleet = Fleet([parcel], [parse_target(str(place)) for place in places], Options(jobs=1))

    def interrupt(_: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet.run(interrupt)
    done = [place for place in places if (place / "a.c3b").exists()]
    assert 1 <= len(done) < len(places)
    assert all((place / "a.c3b").read_bytes() == parcel.data for place in done)


def test_an_interrupt_waits_for_no_host(host: SshHost, make_parcel: MakeParcel) -> None:
    """Of two hosts one is done, the other one answers nothing: it would be given up after hours."""
    del host
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = parse_target(f"ssh://127.0.0.1:{silent.getsockname()[1]}/x")
        done = parse_target("/no/such/folder")
        fleet = Fleet([make_parcel(b"x")], [mute, done], Options(timeout=9999))

        def interrupt(_: Outcome) -> None:
            with silent.accept()[0]:  # by now ssh waits
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fleet.run(interrupt)
    assert "interrupted" in str(fleet.outcomes[0].error)


def test_the_command_tells_what_became_of_each(
    run: Run, tmp_path: Path, bundle_file: Path, parcel: Parcel
) -> None:
    (good,) = folders(tmp_path, 1)
    (tmp_path / "hosts").write_text(f"{good}/ # again\n{tmp_path}/none\n")
    done = run(bundle_file, good, "--hosts", tmp_path / "hosts", "--json")
    assert done.exit_code == 6
    report = json.loads(done.stdout)
    (bundle,) = report["bundles"]
    assert (bundle["codec_id"], bundle["bytes"]) == (parcel.codec_id, len(parcel.data))
    shipped, failed = report["targets"]
    assert (shipped["state"], shipped["sent_bytes"]) == ("shipped", len(parcel.data))
    assert (failed["state"], failed["error"]) == ("failed", "MissingInputError")
    assert "is given more than once" in done.stderr
    assert f"{good}: shipped, 2.3 MB in" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: 1 of 2 targets failed: {tmp_path}/none;")


def test_two_bundles_and_targets_from_a_pipe(run: Run, tmp_path: Path, bundle_file: Path) -> None:
    places, other = folders(tmp_path, 2), bundle_file.with_name("0ad-xsmall.c3b")
    text = "\n".join(map(str, places))
    done = run(bundle_file, "--codec", other, "--hosts", "-", stdin=text)
    assert done.exit_code == 0
    for place in places:
        assert sorted(p.name for p in place.iterdir()) == [other.name, bundle_file.name]
    assert done.stdout.count("shipped") == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["generic-xsmall"], 2),
        (["no-such-bundle", "."], 2),
        (["{damaged}", "."], 5),
        (["{good}", "scheme://x"], 2),
        (["{good}", ".", "--hosts", "no-such-file"], 2),
        (["{good}", ".", "--install"], 2),
        (["{good}", ".", "--jobs", "0"], 2),
        (["{good}", "oci://127.0.0.1:{port}/a", "--retries", "0"], 6),
    ],
)
def test_exit_codes(
    arguments: list[str], code: int, run: Run, tmp_path: Path, bundle_file: Path
) -> None:
    damaged = tmp_path / "damaged.c3b"
    damaged.write_bytes(bundle_file.read_bytes()[:-1])
    filled = [a.format(damaged=damaged, good=bundle_file, port=free_port()) for a in arguments]
    done = run(*filled)
    assert done.exit_code == code
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_the_table_shows_what_moves_first_and_counts_all(make_parcel: MakeParcel) -> None:
    targets = [parse_target(f"ssh://host{index:02}/x") for index in range(30)]
    fleet = Fleet([make_parcel(b"x" * 3_000_000)], targets, Options())
    for outcome in fleet.outcomes[:20]:
        outcome.state, outcome.sent, outcome.seconds = "shipped", 3_000_000, 1.25
    fleet.outcomes[20].state, fleet.outcomes[20].sent = "sending", 1_500_000
    fleet.outcomes[20].started = time.monotonic() - 2
    fleet.outcomes[21].state, fleet.outcomes[21].error = "failed", UnreachableError("it is down")
    console = Console(width=100, height=12, file=io.StringIO())
    with console.capture() as shown:
        console.print(_table(fleet, console))
    lines = [line.split() for line in shown.get().splitlines() if line.strip()]
    assert lines[0] == ["target", "state", "sent", "seconds", "why"]
    assert lines[2][:6] == ["ssh://host20/x", "sending", "1.5", "MB", "of", "3.0"]
    assert lines[3][-3:] == ["it", "is", "down"]
    assert lines[2][-1] != "0.0"  # seconds so far, though it is not done
    assert len(lines) == 2 + 6 + 1
    assert " ".join(lines[-1]) == "1 sending, 1 failed, 8 waiting, 20 shipped"


def test_sizes_for_people() -> None:
    assert [size(n) for n in (0, 999, 1000, 2_261_180)] == ["0 B", "999 B", "1.0 kB", "2.3 MB"]


def test_twenty_folders_and_three_servers(
    run: Run, tmp_path: Path, bundle_file: Path, host: SshHost, shared_registry: str
) -> None:
    """The figure of docs/shipping.md; what it takes here is asserted with much room."""
    places = folders(tmp_path, 20)
    (tmp_path / "ssh1").mkdir()
    (tmp_path / "ssh2").mkdir()
    remote = [host.target(tmp_path / name) for name in ("ssh1", "ssh2")]
    start = time.monotonic()
    done = run(bundle_file, *places, *remote, f"oci://{shared_registry}/fleet/x", "--json")
    seconds = time.monotonic() - start
    assert done.exit_code == 0
    assert {target["state"] for target in json.loads(done.stdout)["targets"]} == {"shipped"}
    data = bundle_file.read_bytes()
    there = [*places, tmp_path / "ssh1", tmp_path / "ssh2"]
    assert all((place / bundle_file.name).read_bytes() == data for place in there)
    assert seconds < 120
