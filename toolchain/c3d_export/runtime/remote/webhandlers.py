"""What `http` changes of the library's way to open an address."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

Connected = Callable[[socket.socket], None]
"""Is told of a socket that is connected, so that it can be hung up."""


class HttpHandler(urllib.request.HTTPHandler):
    """Tells of each connection that is made."""

    def __init__(self, connected: Connected) -> None:
        super().__init__()
        self._connected = connected

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(_Connection, self._connected), request)


class HttpsHandler(urllib.request.HTTPSHandler):
    """As HttpHandler, with the system's authorities."""

    def __init__(self, connected: Connected) -> None:
        super().__init__()
        self._connected, self._trust = connected, ssl.create_default_context()

    def https_open(self, request: urllib.request.Request) -> Any:
        make = partial(_TlsConnection, self._connected)
        return self.do_open(make, request, context=self._trust)


class _Connection(http.client.HTTPConnection):
    def __init__(self, connected: Connected, host: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._connected = connected

    def connect(self) -> None:
        super().connect()
        self._connected(self.sock)


class _TlsConnection(http.client.HTTPSConnection):
    def __init__(self, connected: Connected, host: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._connected = connected

    def connect(self) -> None:
        super().connect()
        self._connected(self.sock)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to `Http.send`: the library's own would take our credentials along."""

    def redirect_request(self, *_: Any) -> None:
        return None
