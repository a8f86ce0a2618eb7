"""The requests of OCI distribution 1.1 that bundles need, and how a registry lets us in."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from ...core import jsonio
from ...core.errors import (
    AccessError,
    C3DError,
    RemoteAnswerError,
    RemoteDiskError,
    RemoteError,
    RemoteMissingError,
    UnreachableError,
)
from ...core.limits import MAX_ANSWER_BYTES
from .credentials import credentials_of
from .deadline import Deadline, Progress, silent
from .http import Answer, Http
from .target import OciTarget

_PARAMETER: Final = re.compile(r'([a-z_]+)="([^"]*)"')
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")


class Registry:
    """One repository. Every method raises leaves of RemoteError, or RemoteAnswerError."""

    def __init__(self, target: OciTarget, deadline: Deadline, *, plain_http: bool = False) -> None:
        self.target, self._http = target, Http(deadline, plain_http=plain_http)
        self._root = f"{self._http.base(target.registry)}/v2/{target.repository}"
        self._authorization = ""

    def has_blob(self, digest: str) -> bool:
        return self._send("HEAD", f"/blobs/{digest}", accept=(200, 404)).status == 200

    def get_blob(self, digest: str, size: int, progress: Progress = silent) -> bytes:
        return self._send("GET", f"/blobs/{digest}", limit=size, progress=progress).body

    def put_blob(self, digest: str, data: bytes, progress: Progress = silent) -> None:
        """In one request, so that a cut one leaves nothing that the registry does not clean up."""
        begun = self._send("POST", "/blobs/uploads/", accept=(202,), body=b"")
        place = urljoin(begun.url, begun.header("location"))
        if not begun.header("location"):
            raise RemoteAnswerError(f"{self.target.registry} names no place for an upload")
        mark = "&" if urlsplit(place).query else "?"
        url = f"{place}{mark}{urlencode({'digest': digest})}"
        try:
            self._send("PUT", url, accept=(201, 204), body=data, progress=progress)
        except C3DError:
            with suppress(C3DError):
                self._send("DELETE", place, accept=(200, 202, 204, 404))
            raise

    def manifest_digest(self, reference: str, kind: str) -> str:
        """Empty where there is none."""
        answer = self._send(
            "HEAD", f"/manifests/{reference}", accept=(200, 404), headers={"Accept": kind}
        )
        return answer.header("docker-content-digest") if answer.status == 200 else ""

    def get_manifest(self, reference: str, kind: str, limit: int) -> bytes:
        return self._send(
            "GET", f"/manifests/{reference}", headers={"Accept": kind}, limit=limit
        ).body

    def put_manifest(self, reference: str, data: bytes, kind: str) -> None:
        headers = {"Content-Type": kind}
        self._send("PUT", f"/manifests/{reference}", accept=(201,), headers=headers, body=data)

    def _send(
        self,
        method: str,
        place: str,
        *,
        accept: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_ANSWER_BYTES,
        progress: Progress = silent,
    ) -> Answer:
        """place: behind the repository, or a whole address."""
        url = place if "://" in place else self._root + place
        view = None if body is None else memoryview(body)
        # The body of an error may be longer than what was asked for.
        most = max(limit, MAX_ANSWER_BYTES)
        for attempt in range(2):
            sent = {**(headers or {}), **self._credentials(url)}
            answer = self._http.send(method, url, sent, limit=most, body=view, progress=progress)
            if answer.status in accept:
                return answer
            if answer.status != 401 or attempt:
                break
            self._authorization = self._let_in(answer)
        raise self._refusal(answer)

    def _credentials(self, url: str) -> dict[str, str]:
        """Only to the registry itself: uploads may be sent elsewhere."""
        own = urlsplit(url)[:2] == urlsplit(self._root)[:2]
        return {"Authorization": self._authorization} if own and self._authorization else {}

    def _let_in(self, answer: Answer) -> str:
        """What a 401 asks for: a user and a password, or a token of a service that it names."""
        challenge = answer.header("www-authenticate")
        known = credentials_of(self.target.registry)
        basic = ""
        if known:
            basic = "Basic " + base64.b64encode(":".join(known).encode()).decode("ascii")
        if challenge.lower().startswith("bearer "):
            return f"Bearer {self._token(dict(_PARAMETER.findall(challenge)), basic)}"
        if basic and challenge.lower().startswith("basic"):
            return basic
        raise self._refusal(answer)

    def _token(self, challenge: dict[str, str], basic: str) -> str:
        """The token service of the Docker Registry v2 authentication specification."""
        asked = [(name, challenge[name]) for name in ("service", "scope") if name in challenge]
        query = urlencode(asked)
        url = f"{challenge.get('realm', '')}?{query}"
        headers = {"Authorization": basic} if basic else {}
        answer = self._http.send("GET", url, headers, limit=MAX_ANSWER_BYTES)
        if answer.status != 200:
            raise self._refusal(answer)
        value = jsonio.loads(answer.body, RemoteAnswerError, what=f"the token of {url}")
        token = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise RemoteAnswerError(f"{urlsplit(url).netloc} answered no token; try again")
        return token

    def _refusal(self, answer: Answer) -> RemoteError | RemoteAnswerError:
        registry, status = self.target.registry, answer.status
        reason = f"{registry} answered {status}{_reason(answer.body)}"
        if status in (401, 403):
            return AccessError(f"{reason}; log in with `docker login {registry}` or its like")
        if status == 404:
            return RemoteMissingError(f"there is no {self.target} ({status}); check name and tag")
        if status in (413, 507):
            return RemoteDiskError(f"{reason}; it has no room for the bundle")
        if status == 429 or status >= 500:
            return UnreachableError(f"{reason}; try again later, or ask who runs it")
        return RemoteAnswerError(f"{reason}, which no registry should; check the address")


def _reason(body: bytes) -> str:
    """The first message of an error as registries tell it, or nothing."""
    try:
        errors = jsonio.loads(body, RemoteAnswerError)["errors"]
        return f": {str(errors[0]['message'])[:100]}"
    except (RemoteAnswerError, KeyError, IndexError, TypeError):
        return ""
