"""Answers of the management API that a healthy broker does not give."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from bus.errors import FatalError, TransientError
from bus.topology import Topology, supervision
from bus.transport.management import Management, management_url
from bus.transport.rabbitmq import RabbitTransport
from tests.certificates import self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def _api(status: int, body: bytes, certificate: Path | None = None) -> Iterator[int]:
    """A server that always answers the same; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "kind"), [(500, TransientError), (503, TransientError), (404, FatalError)])
def test_the_status_decides(status: int, kind: type[Exception]) -> None:
    with _api(status, b"[]") as port:
        api = Management(f"http://127.0.0.1:{port}", "v", "gateway", "geheim")
        with pytest.raises(kind, match=str(status)) as raised:
            api.differences(supervision())
    assert "geheim" not in str(raised.value)


def test_an_api_over_tls_is_verified(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "api.pem")
    with _api(200, b"[]", certificate) as port:
        url = f"amqps://a:b@127.0.0.1:1/v?management=https://127.0.0.1:{port}"
        trusting = RabbitTransport(f"{url}&cafile={certificate}")
        assert trusting.differences(Topology((), (), ())) == []
        with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
            RabbitTransport(url).differences(Topology((), (), ()))


def test_the_address_is_kept_without_its_last_slash() -> None:
    assert management_url("https://host:15671/") == "https://host:15671"
