"""A bus of each kind, empty, with the topology of one city declared, and ways to damage it behind its back."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pika
import pytest

from bus.topology import Topology, supervision
from bus.transport import ConnectedTransport, connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from bus.ports import ConsumeChannel, PublishChannel
    from tests import services
    from tests.conftest import Vhost


class BusUnderTest(ABC):
    """One broker for one test.

    Attributes:
        url: for `connect`, also in another process.
        topology: what is declared.
        transport: connected to it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.topology: Topology = supervision()
        self.transport: ConnectedTransport = connect(url)
        self.transport.declare(self.topology)
        self._channels = ExitStack()

    def publisher(self) -> PublishChannel:
        """A channel that is closed after the test at the latest."""
        return self._channels.enter_context(closing(self.transport.publisher()))

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """The same for a consumer."""
        return self._channels.enter_context(closing(self.transport.consumer(queue, prefetch=prefetch, start=start)))

    def close(self) -> None:
        """Close all channels."""
        self._channels.close()

    @abstractmethod
    def delete_queue(self, name: str) -> None:
        """Remove a queue as an operator would."""

    @abstractmethod
    def unbind(self, queue: str, key: str) -> None:
        """Remove one binding from `supervision`."""

    @abstractmethod
    def bind(self, queue: str, key: str) -> None:
        """Add one binding to `supervision`."""

    @abstractmethod
    def delete_exchange(self, name: str) -> None:
        """Remove an exchange."""


class EmbeddedBus(BusUnderTest):
    """A file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(f"embedded:///{path}")

    def delete_queue(self, name: str) -> None:
        self._execute("DELETE FROM queues WHERE name = ?", name)

    def unbind(self, queue: str, key: str) -> None:
        self._execute("DELETE FROM bindings WHERE queue = ? AND key = ?", queue, key)

    def bind(self, queue: str, key: str) -> None:
        self._execute("INSERT INTO bindings VALUES ('supervision', ?, ?)", queue, key)

    def delete_exchange(self, name: str) -> None:
        self._execute("DELETE FROM exchanges WHERE name = ?", name)

    def _execute(self, statement: str, *arguments: str) -> None:
        with closing(sqlite3.connect(self._path)) as store, store:
            store.execute("PRAGMA foreign_keys = ON")
            store.execute(statement, arguments)


class RabbitBus(BusUnderTest):
    """A vhost of a real RabbitMQ, compared through its management API."""

    def __init__(self, url: str, broker: services.RabbitMQ) -> None:
        self._amqp_url = url
        super().__init__(f"{url}?management={broker.management_url}&patience_s=2")

    def delete_queue(self, name: str) -> None:
        with closing(self._connection()) as connection:
            connection.channel().queue_delete(name)

    def unbind(self, queue: str, key: str) -> None:
        with closing(self._connection()) as connection:
            connection.channel().queue_unbind(queue, "supervision", key)

    def bind(self, queue: str, key: str) -> None:
        with closing(self._connection()) as connection:
            connection.channel().queue_bind(queue, "supervision", key)

    def delete_exchange(self, name: str) -> None:
        with closing(self._connection()) as connection:
            connection.channel().exchange_delete(name)

    def _connection(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.URLParameters(self._amqp_url))


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.services)])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BusUnderTest]:
    made: BusUnderTest
    if request.param == "embedded":
        made = EmbeddedBus(tmp_path / "bus.db")
    else:
        vhost: Vhost = request.getfixturevalue("vhost")
        made = RabbitBus(vhost.url, vhost.broker)
    with closing(made):
        yield made
