"""A registry that does what a test wants: answers by a function, and every request is kept."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """length: what it says of its body, where that is not the truth. raw: instead of all, and then
    it waits, until the other side has enough. pause: seconds between two bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    raw: bytes | None = None
    wait: float = 0.0
    pause: float = 0.0


Answers = Callable[[Request], Reply]


@dataclass
class Web:
    """address: host:port."""

    address: str
    requests: list[Request] = field(default_factory=list)

    def seen(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def web(answers: Answers, certificate: Path | None = None) -> Iterator[Web]:
    """certificate: a file with its key too, for HTTPS."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                self._answer()

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            request = Request(self.command, self.path, headers, body)
            made.requests.append(request)
            reply = answers(request)
            if reply.raw is not None:
                self.wfile.write(reply.raw)
                self.wfile.flush()
                if reply.wait:
                    self.connection.settimeout(reply.wait)
                    self.rfile.read(1)
                return
            self.send_response(reply.status)
            length = len(reply.body) if reply.length is None else reply.length
            for name, value in {"Content-Length": str(length), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self._write(reply)

        def _write(self, reply: Reply) -> None:
            if not reply.pause:
                self.wfile.write(reply.body)
                return
            with suppress(OSError):  # who reads may have enough of it
                for byte in reply.body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(reply.pause)

        def handle(self) -> None:
            with suppress(ssl.SSLError):  # who does not trust us says so and goes
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    made = Web(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
