"""Damaged and forged bundles: the same error as Python's, under the sanitizers too."""

from __future__ import annotations

from c3d_export.runtime.archive import pack_archive, unpack_archive

from .forged import (
    GOOD,
    Repack,
    archives,
    broken_signatures,
    edits,
    flipped,
    graphs,
    manifests,
    members,
    signed,
    sound_signatures,
    values,
)
from .host import CLASSES, STATUSES, Case, Driver, is_error
from .opening import compare_opening, opening_status


def test_flipped_bits(driver: Driver) -> None:
    assert compare_opening(driver, flipped()) >= {"ERR_BUNDLE_FORMAT", "ERR_BUNDLE_MEMBER"}


def test_other_archives(driver: Driver) -> None:
    assert "OK" not in compare_opening(driver, archives())


def test_members(driver: Driver, repack: Repack) -> None:
    assert compare_opening(driver, members(repack)) >= {"ERR_BUNDLE_HASH", "ERR_BUNDLE_MEMBER"}


def test_values(driver: Driver, repack: Repack) -> None:
    found = compare_opening(driver, values(repack))
    assert found == {"ERR_BUNDLE_MEMBER", "ERR_KNOWN_ANSWER"}


def test_manifests(driver: Driver, repack: Repack) -> None:
    edited = [repack(GOOD, None, edit) for edit in edits()]
    found = compare_opening(driver, [GOOD, *edited, *manifests()])
    assert found >= {
        "OK",
        "ERR_BUNDLE_MANIFEST",
        "ERR_BUNDLE_VERSION",
        "ERR_BUNDLE_FORMAT",
        "ERR_KNOWN_ANSWER",
    }


def test_graphs(driver: Driver, repack: Repack) -> None:
    assert "ERR_BUNDLE_GRAPH" in compare_opening(driver, graphs(repack))


def test_signed_bundles_are_read_and_their_signatures_are_not_verified(driver: Driver) -> None:
    bundles = [signed(GOOD, member) for member in sound_signatures()]
    assert compare_opening(driver, bundles) == {"OK"}


def test_signatures_of_another_form(driver: Driver, sanitized: Driver) -> None:
    members = broken_signatures()
    assert len(members) == len(set(members))
    bundles = [signed(GOOD, member) for member in members]
    assert compare_opening(driver, bundles) == {"ERR_BUNDLE_SIGNATURE"}
    cases = [Case("b", data) for data in bundles]
    assert sanitized.run(cases) == driver.run(cases)


def test_signatures_in_another_place_or_listed(driver: Driver, repack: Repack) -> None:
    (member, *_) = sound_signatures()
    names = ("signature.json", "graphs/signatures.json", "signatures.jso")
    bundles = [pack_archive({**unpack_archive(GOOD), name: member}) for name in names]
    # Listed by the manifest, they would be part of what they sign.
    bundles.append(repack(GOOD, {"signatures.json": member}))
    assert compare_opening(driver, bundles) == {"ERR_BUNDLE_MEMBER"}


def test_all_of_these_under_the_sanitizers(
    driver: Driver, sanitized: Driver, repack: Repack
) -> None:
    edited = [repack(GOOD, None, edit) for edit in edits()]
    bundles = [*flipped()[::2], *archives(), *members(repack), *values(repack), *edited[::3]]
    cases = [Case("b", data) for data in [*bundles, *manifests(), *graphs(repack)[::2]]]
    assert sanitized.run(cases) == driver.run(cases)


def test_every_allocation_may_fail(sanitized: Driver) -> None:
    """The call says so, nothing leaks, and the next call with the same codec succeeds."""
    (answer,) = sanitized.run([Case("m", GOOD)], threads=3)
    assert answer.status == "OK"
    assert int(answer.text) > 50


def test_outputs_of_another_shape_are_refused_before_they_are_written(
    sanitized: Driver, repack: Repack
) -> None:
    """The arrays of outputs are there before the network runs."""
    parts = unpack_archive(GOOD)
    changes: dict[str, bytes | None] = {}
    for kind in ("qlinear", "float", "weights"):
        # A graph's name is the one string field of four letters, g_ep, in its part of nodes.
        changes[f"graphs/g_cp.{kind}"] = parts[f"graphs/g_ep.{kind}"].replace(
            b"\x12\x04g_ep", b"\x12\x04g_cp"
        )
    forged = repack(GOOD, changes)
    assert opening_status(forged) == "ERR_BUNDLE_FORMAT"
    (answer,) = sanitized.run([Case("b", forged)])
    assert (answer.status, "do not run" in answer.text) == ("ERR_BUNDLE_FORMAT", True)


def test_what_python_takes_and_the_c_host_does_not(driver: Driver, repack: Repack) -> None:
    """Ways to write the same that no program of ours uses: docs/c-host.md lists them."""
    parts = unpack_archive(GOOD)
    spaced = parts["arrays/step.npy"].replace(b"(3, 32)", b"(3,32) ")
    many = {str(n): 0 for n in range(1025)}
    bundles = [
        repack(GOOD, {"arrays/step.npy": spaced}),
        repack(GOOD, None, lambda m: m["spec"].update(latents="32")),
        repack(GOOD, None, lambda m: m["members"]["card.md"].update(size=277.0)),
        repack(GOOD, None, lambda m: m.update(version=5.0)),
        repack(GOOD, None, lambda m: m.update(more=many)),
    ]
    assert [opening_status(data) for data in bundles] == ["OK"] * len(bundles)
    answers = driver.run([Case("b", data) for data in bundles])
    assert [a.status for a in answers] == [
        "ERR_BUNDLE_MEMBER",
        "ERR_BUNDLE_MANIFEST",
        "ERR_BUNDLE_HASH",
        "ERR_BUNDLE_VERSION",
        "ERR_BUNDLE_MANIFEST",
    ]


def test_every_status_that_names_an_error_names_one_that_exists() -> None:
    assert CLASSES
    assert len(set(CLASSES.values())) == len(CLASSES)
    assert all(is_error(name) for name in CLASSES.values())
    covered = {name for name in STATUSES.values() if "BUNDLE" in name or "STREAM" in name}
    assert covered <= CLASSES.keys()
