"""The connection: what of pika it relies on, how it ends, how it notices that the other side is gone."""

from __future__ import annotations

import inspect
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pika
import pytest
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.adapters.utils import io_services_utils

from bus.errors import FatalError, TransientError
from bus.message import Message
from bus.transport import connect
from bus.transport import wire as wire_module
from bus.transport.wire import Wire
from tests import services

if TYPE_CHECKING:
    from tests.conftest import Vhost


def _parameters(url: str, **values: object) -> pika.URLParameters:
    parameters = pika.URLParameters(url)
    for name, value in values.items():
        setattr(parameters, name, value)
    return parameters


@pytest.mark.parametrize(
    ("owner", "name", "arguments"),
    [
        (SelectConnection, "_on_data_available", ["self", "data_in"]),
        (SelectConnection, "_process_frame", ["self", "frame_value"]),
        (SelectConnection, "_output_marshaled_frames", ["self", "marshaled_frames"]),
        (SelectConnection, "_get_write_buffer_size", ["self"]),
        (SelectConnection, "_terminate_stream", ["self", "error"]),
        (SelectConnection, "_set_connection_state", ["self", "connection_state"]),
        (SelectConnection, "_send_connection_close", ["self", "reply_code", "reply_text"]),
        (IOLoop, "_get_remaining_interval", ["self"]),
        (pika.frame, "decode_frame", ["data_in"]),
    ],
)
def test_pika_still_has_the_private_functions_that_the_wire_relies_on(
    owner: object, name: str, arguments: list[str]
) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == arguments


def test_pika_still_has_the_private_attributes_that_the_wire_relies_on() -> None:
    transport = io_services_utils._AsyncTransportBase
    assert (transport._MAX_RECV_BYTES, transport._MAX_CONSUME_BYTES) == (4096, 102_400)
    assert "self._transport" in inspect.getsource(SelectConnection.__base__)
    assert "self._error" in inspect.getsource(pika.connection.Connection._on_stream_terminated)
    assert "self.bytes_received" in inspect.getsource(pika.connection.Connection._trim_frame_buffer)
    assert "bytes_received" in inspect.getsource(pika.heartbeat.HeartbeatChecker)


def test_nobody_listening_is_transient() -> None:
    (port,) = services.free_ports(1)
    with pytest.raises(TransientError, match=rf"broker 127\.0\.0\.1:{port} vhost v: connecting: .*refused"):
        Wire(_parameters(f"amqp://127.0.0.1:{port}/v"))


def test_something_that_accepts_and_never_answers_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "_CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(TransientError, match="no answer within 0 s"):
            Wire(_parameters(f"amqp://127.0.0.1:{port}/v"))


@pytest.mark.services
def test_a_wrong_password_or_vhost_is_fatal_and_never_told(vhost: Vhost) -> None:
    with pytest.raises(FatalError, match="connecting: ") as raised:
        Wire(_parameters(vhost.broker.url(vhost.name, password="geheim")))
    assert "geheim" not in str(raised.value)
    with pytest.raises(FatalError, match="vhost nowhere: connecting: "):
        Wire(_parameters(vhost.broker.url("nowhere")))


@pytest.mark.services
def test_a_half_open_connection_is_noticed_by_the_heartbeat(vhost: Vhost) -> None:
    with closing(Wire(_parameters(vhost.url, heartbeat=1))) as wire:
        vhost.broker.pause()
        began = time.monotonic()
        try:
            with pytest.raises(TransientError, match="missed heartbeats"):  # noqa: PT012
                while time.monotonic() < began + 20:
                    wire.pump(0.5)
        finally:
            vhost.broker.resume()
        assert time.monotonic() - began < 15
        with pytest.raises(TransientError, match="missed heartbeats"):
            wire.write(b"x")
        assert wire.unsent_bytes == 0


@pytest.mark.services
def test_heartbeats_keep_an_idle_connection_that_is_pumped(vhost: Vhost) -> None:
    with closing(Wire(_parameters(vhost.url, heartbeat=1))) as wire:
        until = time.monotonic() + 4
        while time.monotonic() < until:
            wire.pump(0.5)
        wire.channel()


@pytest.mark.services
def test_closing_does_not_wait_for_a_broker_that_hangs(vhost: Vhost) -> None:
    wire = Wire(_parameters(vhost.url))
    vhost.broker.pause()
    began = time.monotonic()
    try:
        wire.close()
    finally:
        vhost.broker.resume()
    assert time.monotonic() - began < 4
    with pytest.raises(TransientError):
        wire.pump(0)
    wire.close()


@pytest.mark.services
def test_a_request_on_a_closed_channel_is_an_error_of_ours(vhost: Vhost) -> None:
    with closing(Wire(_parameters(vhost.url))) as wire:
        channel = wire.channel()
        with pytest.raises(FatalError, match=r"404 NOT_FOUND.*topology apply"):
            wire.call("looking", lambda done: channel.queue_declare("nowhere", passive=True, callback=done))
        wire.forget_failure()
        with pytest.raises(TransientError, match=r"looking: .*Channel is closed"):
            wire.call("looking", lambda done: channel.queue_declare("nowhere", passive=True, callback=done))


@pytest.mark.services
def test_a_broker_that_says_why_it_closes_is_quoted(vhost: Vhost) -> None:
    with closing(Wire(_parameters(vhost.url))) as wire:
        vhost.broker.evaluate('rabbit_networking:close_all_user_connections(<<"guest">>, <<"maintenance">>)')
        with pytest.raises(TransientError, match="320 CONNECTION_FORCED - maintenance"):  # noqa: PT012
            for _ in range(100):
                wire.pump(0.1)
        wire.forget_failure()
        with pytest.raises(TransientError, match="320"):
            wire.pump(0)


@pytest.mark.services
def test_tls_is_spoken_and_the_certificate_verified(vhost: Vhost) -> None:
    url = f"amqps://guest:guest@127.0.0.1:{vhost.broker.tls_port}/{vhost.name}?management=none"
    with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(url).publisher()
    transport = connect(f"{url}&cafile={vhost.broker.certificate}")
    with closing(transport.publisher()) as channel:
        channel.publish([Message("nowhere", {}, {}, b"x" * 3_000_000, "")])
        with pytest.raises(FatalError, match="no queue is bound for routing key 'nowhere'"):  # noqa: PT012
            for _ in range(100):
                channel.confirmed(timeout_s=0.2)
