"""Bundles in OCI registries: a real one on loopback, and answers that no registry should give."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import (
    AccessError,
    C3DError,
    RemoteAnswerError,
    RemoteDiskError,
    RemoteMissingError,
    UnreachableError,
)
from c3d_export.deploy.ship.deliver import Options, deliver
from c3d_export.deploy.ship.parcel import Parcel
from c3d_export.runtime.remote.credentials import credentials_of
from c3d_export.runtime.remote.deadline import Deadline
from c3d_export.runtime.remote.fetch import fetch
from c3d_export.runtime.remote.http import Http, is_loopback
from c3d_export.runtime.remote.oci import MANIFEST_TYPE, MEDIA_TYPE, digest_of, manifest_of
from c3d_export.runtime.remote.registry import Registry
from c3d_export.runtime.remote.target import OciTarget, parse_target

from .conftest import MakeParcel
from .servers import free_port, program, registry
from .web import Reply, Request, Web, web

OPTIONS = Options(timeout=600, retries=0)
# bcrypt of "secret".
HTPASSWD = "me:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
DATA = b"no bundle, but bytes" * 100


class Counter:
    total = 0

    def __call__(self, count: int) -> None:
        self.total += count


def send(target: str, parcel: Parcel) -> tuple[bool, int]:
    """Whether something was sent, and how much."""
    counter = Counter()
    return deliver(parse_target(target), [parcel], OPTIONS, Deadline(600), counter), counter.total


def docker_config(monkeypatch: pytest.MonkeyPatch, folder: Path, config: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def auths(registry: str, login: str = "me:secret") -> dict[str, object]:
    return {"auths": {registry: {"auth": base64.b64encode(login.encode()).decode()}}}


def test_it_arrives_once_and_comes_back(shared_registry: str, parcel: Parcel) -> None:
    target = f"oci://{shared_registry}/codecs/generic"
    assert send(target, parcel) == (True, len(parcel.data))
    assert send(target, parcel) == (False, 0)
    assert [f.data for f in fetch(target)] == [parcel.data]
    # Another tag, and another repository's blob: only what is not there goes over the line.
    assert send(f"{target}:v2", parcel) == (True, 0)
    digest = digest_of(manifest_of(parcel.data, parcel.file, parcel.name, parcel.codec_id))
    for reference in (":v2", f":{parcel.codec_id}", f"@{digest}"):
        assert [f.data for f in fetch(target + reference)] == [parcel.data]


def test_a_tag_moves_and_what_it_named_stays(shared_registry: str, make_parcel: MakeParcel) -> None:
    old, new = make_parcel(b"old"), make_parcel(b"new")
    target = f"oci://{shared_registry}/codecs/moves"
    for parcel in (old, new):
        assert send(target, parcel) == (True, 3)
    assert [f.data for f in fetch(target)] == [b"new"]
    assert [f.data for f in fetch(f"{target}:{old.codec_id}")] == [b"old"]
    assert send(target, old) == (True, 0)
    assert [f.data for f in fetch(target)] == [b"old"]


def test_the_manifest_is_as_the_image_specification_says(
    shared_registry: str, parcel: Parcel
) -> None:
    target = parse_target(f"oci://{shared_registry}/codecs/manifest")
    assert isinstance(target, OciTarget)
    send(str(target), parcel)
    data = Registry(target, Deadline(600)).get_manifest("latest", MANIFEST_TYPE, 1 << 20)
    manifest = json.loads(data)
    (layer,) = manifest["layers"]
    assert manifest["artifactType"] == layer["mediaType"] == MEDIA_TYPE
    assert layer["annotations"]["org.opencontainers.image.title"] == parcel.file
    assert manifest["annotations"]["io.c3d-export.codec-id"] == parcel.codec_id
    assert layer["size"] == len(parcel.data)


def test_what_is_not_there(shared_registry: str) -> None:
    with pytest.raises(RemoteMissingError, match="check name and tag"):
        list(fetch(f"oci://{shared_registry}/codecs/none"))


def test_a_registry_that_wants_a_login(
    tmp_path: Path, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "htpasswd"
    passwords.write_text(HTPASSWD)
    more = f"auth: {{htpasswd: {{realm: here, path: {passwords}}}}}"
    with registry(tmp_path / "registry", more=more) as address:
        target = f"oci://{address}/codecs/generic"
        with pytest.raises(AccessError, match="docker login"):
            send(target, parcel)
        docker_config(monkeypatch, tmp_path / "docker", auths(address, "me:wrong"))
        with pytest.raises(AccessError, match="401"):
            send(target, parcel)
        docker_config(monkeypatch, tmp_path / "docker", auths(address))
        assert send(target, parcel) == (True, len(parcel.data))
        assert [f.data for f in fetch(target)] == [parcel.data]


def test_a_registry_that_is_down(parcel: Parcel) -> None:
    with pytest.raises(UnreachableError, match="Connection refused"):
        send(f"oci://127.0.0.1:{free_port()}/a", parcel)


def refused(reply: Reply, call: Callable[[str], object]) -> C3DError:
    """What comes of a registry that answers everything so."""
    with web(lambda _: reply) as server, pytest.raises(C3DError) as caught:
        call(f"oci://{server.address}/a")
    assert "\n" not in str(caught.value)
    return caught.value


REASON = json.dumps({"errors": [{"code": "X", "message": "because\nof this"}]}).encode()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(401), AccessError),
        (Reply(401, headers={"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'}), None),
        (Reply(403, REASON), AccessError),
        (Reply(404), RemoteMissingError),
        (Reply(413), RemoteDiskError),
        (Reply(418), RemoteAnswerError),
        (Reply(429), UnreachableError),
        (Reply(500, b"<html>"), UnreachableError),
        (Reply(507), RemoteDiskError),
        (Reply(200, b"garbage"), RemoteAnswerError),
        (Reply(200, b"[]"), RemoteMissingError),
        (Reply(200, b"{" * (5 << 20)), RemoteAnswerError),
        (Reply(200, b"{}", length=9), UnreachableError),
        (Reply(raw=b"SSH-2.0-OpenSSH\r\n"), UnreachableError),
        (Reply(raw=b""), UnreachableError),
        (Reply(302, headers={"Location": "/v2/a/manifests/latest"}), RemoteAnswerError),
        (Reply(302, headers={"Location": "file:///etc/passwd"}), RemoteAnswerError),
        (Reply(302, headers={"Location": "http://203.0.113.9/x"}), AccessError),
        (Reply(302), RemoteAnswerError),
    ],
)
def test_answers_that_are_none(reply: Reply, error: type[C3DError] | None) -> None:
    found = refused(reply, lambda target: list(fetch(target)))
    assert type(found) is (error or RemoteAnswerError)


def test_a_pushed_blob_that_fails_is_told_and_called_off(make_parcel: MakeParcel) -> None:
    def answers(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(202, headers={"Location": "/v2/a/blobs/uploads/1?state=x"})
        return Reply({"HEAD": 404, "PUT": 500, "DELETE": 204}[request.method], REASON)

    with web(answers) as server, pytest.raises(UnreachableError, match="500: because of this"):
        send(f"oci://{server.address}/a", make_parcel(DATA))
    put, last = server.seen()[-2:]
    assert put.startswith("PUT /v2/a/blobs/uploads/1?state=x&digest=sha256%3A")
    assert last == "DELETE /v2/a/blobs/uploads/1?state=x"


@pytest.mark.parametrize("location", ["", "ftp://127.0.0.1/x", "http://203.0.113.9/upload"])
def test_an_upload_goes_to_no_forbidden_place(location: str, make_parcel: MakeParcel) -> None:
    def answers(request: Request) -> Reply:
        headers = {"Location": location} if location else {}
        return Reply(404) if request.method == "HEAD" else Reply(202, headers=headers)

    with web(answers) as server, pytest.raises((RemoteAnswerError, AccessError)):
        send(f"oci://{server.address}/a", make_parcel(DATA))
    assert {request.method for request in server.requests} == {"HEAD", "POST"}


class Stored:
    """A registry that has one artifact, whose parts a test can change."""

    def __init__(self, blob: bytes = DATA, **layer: object) -> None:
        manifest = json.loads(manifest_of(DATA, "a.c3b", "a", "0" * 16))
        manifest["layers"][0] |= layer
        self.manifest, self.blob = json.dumps(manifest).encode(), blob

    def __call__(self, request: Request) -> Reply:
        return Reply(200, self.manifest if "/manifests/" in request.path else self.blob)


def pulled(answers: Callable[[Request], Reply], reference: str = ":latest") -> list[bytes]:
    with web(answers) as server:
        return [f.data for f in fetch(f"oci://{server.address}/a{reference}")]


def test_an_artifact_as_it_should_be() -> None:
    assert pulled(Stored()) == [DATA]
    assert pulled(Stored(), f"@{digest_of(Stored().manifest)}") == [DATA]


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (Stored(blob=DATA[:-1]), RemoteAnswerError),
        (Stored(blob=DATA[:-1] + b"!"), RemoteAnswerError),
        (Stored(blob=DATA * 1000), RemoteAnswerError),
        (Stored(size=len(DATA) - 1), RemoteAnswerError),
        (Stored(size=-1), RemoteAnswerError),
        (Stored(size=1 << 40), RemoteAnswerError),
        (Stored(size="12"), RemoteAnswerError),
        (Stored(size=True), RemoteAnswerError),
        (Stored(digest="sha256:../../etc"), RemoteAnswerError),
        (Stored(digest=None), RemoteAnswerError),
        (Stored(mediaType="application/vnd.oci.image.layer.v1.tar"), RemoteMissingError),
    ],
)
def test_an_artifact_that_lies(stored: Stored, error: type[C3DError]) -> None:
    with pytest.raises(error):
        pulled(stored)


def test_a_digest_is_held_against_the_manifest() -> None:
    with pytest.raises(RemoteAnswerError, match="digest"):
        pulled(Stored(), f"@sha256:{'0' * 64}")


class Tokens:
    """A registry whose token service is beside it; it keeps what it was shown."""

    def __init__(self, token: object = "good.token-1") -> None:
        self.token, self.web = token, Web("")

    def __call__(self, request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, json.dumps({"token": self.token}).encode())
        if request.headers.get("authorization") == "Bearer good.token-1":
            return Stored()(request)
        realm = f'realm="http://{request.headers["host"]}/token"'
        challenge = f'Bearer {realm},service="r",scope="repository:a:pull"'
        return Reply(401, headers={"WWW-Authenticate": challenge})


def test_a_token_is_fetched_with_the_credentials_and_then_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web(Tokens()) as server:
        docker_config(monkeypatch, tmp_path / "docker", auths(server.address))
        assert [f.data for f in fetch(f"oci://{server.address}/a")] == [DATA]
    assert server.seen()[1] == "GET /token?service=r&scope=repository%3Aa%3Apull"
    shown = [request.headers.get("authorization", "") for request in server.requests]
    basic = "Basic " + base64.b64encode(b"me:secret").decode()
    assert shown == ["", basic, "Bearer good.token-1", "Bearer good.token-1"]


@pytest.mark.parametrize("token", [None, 7, "", "a\r\nEvil: yes", "x y"])
def test_a_token_that_is_none(token: object) -> None:
    with pytest.raises(RemoteAnswerError, match="no token"):
        pulled(Tokens(token))


def test_credentials_are_not_taken_along_to_other_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(request: Request) -> Reply:
        if "authorization" not in request.headers:
            return Reply(401, headers={"WWW-Authenticate": "Basic realm=x"})
        if "/blobs/" in request.path:
            return Reply(307, headers={"Location": f"http://{other.address}/elsewhere"})
        return Stored()(request)

    with web(Stored()) as other, web(answers) as server:
        docker_config(monkeypatch, tmp_path / "docker", auths(server.address))
        assert [f.data for f in fetch(f"oci://{server.address}/a")] == [DATA]
        (request,) = other.requests
        assert "authorization" not in request.headers


def test_http_only_to_ourselves_unless_it_is_allowed() -> None:
    secret, plain = Http(Deadline(600)), Http(Deadline(600), plain_http=True)
    assert secret.base("localhost:5000") == "http://localhost:5000"
    assert secret.base("[::1]:5000") == "http://[::1]:5000"
    assert secret.base("reg.example:5000") == "https://reg.example:5000"
    assert plain.base("reg.example:5000") == "http://reg.example:5000"
    assert not any(map(is_loopback, ("localhost.evil.example", "127.0.0.1.evil.example", "", "0")))


def test_https_where_none_is_spoken_says_so() -> None:
    with web(lambda _: Reply()) as server, pytest.raises(AccessError, match="--plain-http"):
        Http(Deadline(600)).send("GET", f"https://{server.address}/", {}, limit=9)


def certificate(folder: Path) -> Path:
    """Of 127.0.0.1, signed by itself, with its key."""
    openssl = program("openssl", "openssl")
    path, names = folder / "certificate.pem", "subjectAltName=IP:127.0.0.1"
    command = [openssl, "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-batch"]
    files = ["-keyout", str(path), "-out", str(folder / "public.pem")]
    made = [*command, *files, "-subj", "/CN=test", "-addext", names]
    subprocess.run(made, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (folder / "public.pem").read_bytes())
    return path


def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web(lambda _: Reply(200, b"safe"), certificate(tmp_path)) as server:
        url = f"https://{server.address}/"
        with pytest.raises(AccessError, match=r"certificate .* is not trusted: self"):
            Http(Deadline(600)).send("GET", url, {}, limit=9)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
        assert Http(Deadline(600)).send("GET", url, {}, limit=9).body == b"safe"
        with pytest.raises(RemoteAnswerError, match="more than the 3 bytes"):
            Http(Deadline(600)).send("GET", url, {}, limit=3)


@pytest.mark.parametrize(
    "reply", [Reply(200, b" " * 1000, pause=0.01), Reply(raw=b"HTTP/1.1 200 OK\r\n", wait=20)]
)
def test_the_time_of_a_target_is_kept(reply: Reply) -> None:
    """By one who trickles, and by one who says nothing more."""
    start = time.monotonic()
    with web(lambda _: reply) as server, pytest.raises(UnreachableError, match="--timeout"):
        list(fetch(f"oci://{server.address}/a", timeout=0.5))
    assert time.monotonic() - start < 9


def helper(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "docker-credential-test"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def test_credentials_by_a_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """read name; [ "$name" = reg ] || exit 1; echo '{"Username":"u","Secret":"s:1"}'"""
    helper(tmp_path, text, monkeypatch)
    docker_config(monkeypatch, tmp_path, {"credsStore": "test"})
    assert credentials_of("reg") == ("u", "s:1")
    assert credentials_of("other") is None
    docker_config(monkeypatch, tmp_path, {"credHelpers": {"reg": "test"}, **auths("other")})
    assert credentials_of("reg") == ("u", "s:1")
    assert credentials_of("other") == ("me", "secret")


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"auths": {"reg": {"auth": "%%%"}}},
        {"auths": {"reg": {"auth": "bm9jb2xvbg=="}}},
        {"credsStore": "../../bin/sh"},
        {"credsStore": "not-installed"},
        {"credHelpers": {"reg": "test"}},
    ],
)
def test_credentials_that_are_damaged(
    config: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "echo nonsense", monkeypatch)
    docker_config(monkeypatch, tmp_path, config)
    with pytest.raises(AccessError):
        credentials_of("reg")
