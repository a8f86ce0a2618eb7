"""Requests over HTTPS with the standard library: bounded answers, and no secrets to strangers.

Proxies and certificates are those of the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from ...core.errors import AccessError, RemoteAnswerError, UnreachableError
from .deadline import Deadline, Progress, silent
from .webhandlers import HttpHandler, HttpsHandler, NoRedirects

# A socket that is silent for so long is given up.
_SILENCE: Final = 30.0
_PIECE: Final = 256 << 10
_REDIRECTS: Final = 5
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """Header names are compared without case."""

    status: int
    url: str
    body: bytes
    _headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """Empty where it is missing."""
        return self._headers.get(name.lower(), "")


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine by its name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Http:
    """plain_http: also to hosts that are not this one."""

    def __init__(self, deadline: Deadline, *, plain_http: bool = False) -> None:
        self._deadline, self._plain = deadline, plain_http
        self._line: socket.socket | None = None
        self._direct, self._proxied = self._opener({}), self._opener(None)

    def base(self, host: str) -> str:
        """http:// only where that is allowed, for this host and port."""
        plain = self._plain or is_loopback(urlsplit(f"//{host}").hostname or "")
        return f"{'http' if plain else 'https'}://{host}"

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        limit: int,
        body: memoryview | None = None,
        progress: Progress = silent,
    ) -> Answer:
        """The answer, whatever its status; GET and HEAD follow where they are sent on to.

        limit: most bytes of the answer's body. progress: of the body that is longer. Raises
        UnreachableError, AccessError (certificates, a way that is not allowed) and
        RemoteAnswerError.
        """
        for _ in range(_REDIRECTS):
            answer = self._once(method, url, headers, limit, body, progress)
            if answer.status not in _MOVED or method not in ("GET", "HEAD"):
                return answer
            following = urljoin(url, answer.header("location"))
            if _place(following) != _place(url):
                headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
            url = following
        raise RemoteAnswerError(f"{url} sends us on more than {_REDIRECTS} times")

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        limit: int,
        body: memoryview | None,
        progress: Progress,
    ) -> Answer:
        parts = self._checked(url)
        request = _request(method, url, headers, body, self._watched(body, progress))
        direct = is_loopback(parts.hostname or "")
        opener = self._direct if direct else self._proxied
        timeout = min(_SILENCE, self._deadline.left())
        told = silent if body is not None else progress
        try:
            with (
                self._deadline.over(self._hang_up),
                _opened(opener, request, timeout) as response,
            ):
                data = b"" if method == "HEAD" else self._read(response, limit, told)
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, url, data, found)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._error(parts, error) from error

    def _checked(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            allowed = self.base(parts.netloc).startswith("http:")
        except ValueError as error:
            raise RemoteAnswerError(f"{url[:200]!r} is no address") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise RemoteAnswerError(f"we are sent on to {url[:200]!r}, which is no web address")
        if parts.scheme == "http" and not allowed:
            raise AccessError(f"{parts.netloc} sends us on without encryption; that is refused")
        return parts

    def _watched(self, body: memoryview | None, progress: Progress) -> Iterator[memoryview]:
        for start in range(0, len(body or b""), _PIECE):
            assert body is not None
            piece = body[start : start + _PIECE]
            yield piece
            self._deadline.left()
            progress(len(piece))

    def _read(self, response: Any, limit: int, progress: Progress) -> bytes:
        """What there is at a time (read1), so that one who trickles cannot hold us for long."""
        pieces, total = [], 0
        promised = response.headers.get("Content-Length")
        while str(total) != promised and (piece := response.read1(_PIECE)):
            self._deadline.left()
            pieces.append(piece)
            total += len(piece)
            if total > limit:
                raise RemoteAnswerError(f"the answer has more than the {limit} bytes expected")
            progress(len(piece))
        self._deadline.left()  # where we hung up, what came looks like all
        if promised not in (None, str(total)):
            raise UnreachableError("the answer was cut; try again")
        return b"".join(pieces)

    def _connected(self, line: socket.socket) -> None:
        self._line = line

    def _hang_up(self) -> None:
        """Past what TLS makes of the socket: its own way is not for two threads."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)

    def _opener(self, proxies: dict[str, str] | None) -> urllib.request.OpenerDirector:
        """Without the handlers of files and FTP. proxies: None for those of the environment."""
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(proxies),
            HttpHandler(self._connected),
            HttpsHandler(self._connected),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            NoRedirects(),
        ):
            opener.add_handler(handler)
        return opener

    def _error(self, parts: SplitResult, error: Exception) -> UnreachableError | AccessError:
        if self._deadline.passed:
            return self._deadline.error()
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        host = parts.netloc
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AccessError(
                f"the certificate of {host} is not trusted: {cause.verify_message}; name the"
                " authority that signed it in SSL_CERT_FILE"
            )
        if isinstance(cause, ssl.SSLError):
            return AccessError(f"{host} does not speak HTTPS; --plain-http allows HTTP")
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return UnreachableError(f"no answer of {host}: {reason[:200]}; check the host and network")


def _opened(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout: float
) -> Any:
    try:
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as answer:
        return answer  # it is the response of a status that is no success


def _request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: memoryview | None,
    pieces: Iterator[memoryview],
) -> urllib.request.Request:
    own = {"User-Agent": "c3d-export", **headers}
    if body is not None:
        own["Content-Length"] = str(len(body))
        own.setdefault("Content-Type", "application/octet-stream")
    data: Any = None if body is None else pieces if len(body) else b""
    return urllib.request.Request(url, data=data, headers=own, method=method)


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
