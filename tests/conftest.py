"""Fixtures every package may use: real services, started once a session when the first test asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator


class Vhost(NamedTuple):
    """A vhost of the session's RabbitMQ that belongs to one test.

    Attributes:
        name: of the vhost.
        url: AMQP URL with all rights.
        broker: the server; do not kill it, other tests use it too: start one with `services.rabbitmq()`.
    """

    name: str
    url: str
    broker: services.RabbitMQ


@pytest.fixture(scope="session")
def rabbit() -> Iterator[services.RabbitMQ]:
    with services.rabbitmq() as broker:
        yield broker


@pytest.fixture
def vhost(rabbit: services.RabbitMQ) -> Iterator[Vhost]:
    name = rabbit.vhost()
    yield Vhost(name, rabbit.url(name), rabbit)
    rabbit.delete_vhost(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[services.PostgreSQL]:
    with services.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[services.MariaDB]:
    with services.mariadb() as server:
        yield server
