"""A registry that takes images and keeps their digests: what a push and a pull need, no more."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

_kept: set[str] = set()


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        self._answer(200)

    def do_HEAD(self) -> None:
        # Who pushed a blob asks whether it is there.
        digest = self.path.rpartition("/")[2]
        self._answer(200 if digest in _kept else 404, Docker_Content_Digest=digest)

    def do_POST(self) -> None:
        self._body()
        self._answer(202, Location=f"{self.path.rstrip('/')}/{uuid4()}", Range="0-0")

    def do_PATCH(self) -> None:
        size = len(self._body())
        self._answer(202, Location=self.path, Range=f"0-{max(size - 1, 0)}")

    def do_PUT(self) -> None:
        digest = f"sha256:{hashlib.sha256(self._body()).hexdigest()}"
        if "/manifests/" not in self.path:
            digest = self.path.partition("digest=")[2].replace("%3A", ":")
            _kept.add(digest)
        self._answer(201, Location=self.path, Docker_Content_Digest=digest)

    def log_message(self, format: str, *args: object) -> None:
        """What is asked is no matter."""


@contextmanager
def a_registry() -> Generator[str]:
    """Its name, as it stands before an image's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Asked)
    serving = Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
