"""A transport is chosen by the URL's scheme, and a broken URL is told without its password."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bus.errors import ConfigurationError
from bus.transport import connect
from bus.transport.embedded import EmbeddedTransport
from bus.transport.rabbitmq import RabbitTransport

if TYPE_CHECKING:
    from pathlib import Path


def test_the_scheme_chooses(tmp_path: Path) -> None:
    assert isinstance(connect(f"embedded:///{tmp_path}/bus.db"), EmbeddedTransport)
    for scheme in ("amqp", "amqps"):
        assert isinstance(connect(f"{scheme}://gateway:pass@127.0.0.1:5672/supervision"), RabbitTransport)


@pytest.mark.parametrize("url", ["kafka://x", "bus.db", "embedded:/bus.db", ""])
def test_an_unknown_scheme_names_the_known_ones(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"known are amqp://, amqps://, embedded://"):
        connect(url)


def test_a_driver_is_imported_on_use_only() -> None:
    code = "import sys, bus.transport; sys.exit(bool({'pika', 'amqp', 'kombu'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "url", ["embedded:///", "embedded://host/bus.db", "embedded:///bus.db?x=1", "embedded:///no/such/bus.db"]
)
def test_a_malformed_file_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="bus: embedded:"):
        connect(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://gateway:geheim@host:port/v", "malformed URL or option"),
        ("amqp://gateway:geheim@host/v?heartbeat=soon", "malformed URL or option"),
        ("amqp://gateway:geheim@host/v?heartbeat=0", "heartbeat: at least 1 second"),
        ("amqp://gateway:geheim@host/v?patience_s=long", "patience_s: 'long' is no number"),
        ("amqp://gateway:geheim@host/v?colour=red&size=1", "unknown option 'colour'.*\n.*'size'"),
        ("amqp://gateway:geheim@host/v?colour", "malformed query string"),
        ("amqp://gateway:geheim@host/v?management=host:15672", "expected http"),
        ("amqp://gateway:geheim@host/v?management=http://host:15672/api", "without a path"),
        ("amqps://gateway:geheim@host/v?cafile=/no/such.pem", "certificate: .*No such file"),
        ("amqps://gateway:geheim@host/v?certfile=/no/such.pem", "certificate: .*No such file"),
    ],
)
def test_a_malformed_broker_url_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as raised:
        connect(url)
    assert "geheim" not in str(raised.value)


def test_the_heartbeat_is_never_longer_than_30_seconds() -> None:
    assert RabbitTransport("amqp://host/v?heartbeat=600")._parameters.heartbeat == 30
    assert RabbitTransport("amqp://host/v?heartbeat=5")._parameters.heartbeat == 5
    assert RabbitTransport("amqp://host/v")._parameters.virtual_host == "v"
