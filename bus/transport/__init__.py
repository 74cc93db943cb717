"""Brokers behind one port: RabbitMQ by pika, and an embedded one on SQLite.

`connect(url)` chooses by the URL's scheme and imports the transport only then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from bus.errors import ConfigurationError
from bus.ports import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.transport.capabilities import Capabilities

#: Scheme → module and class, imported on use.
_TRANSPORTS: Final[Mapping[str, tuple[str, str]]] = {
    "embedded": ("bus.transport.embedded", "EmbeddedTransport"),
    "amqp": ("bus.transport.rabbitmq", "RabbitTransport"),
    "amqps": ("bus.transport.rabbitmq", "RabbitTransport"),
}


class ConnectedTransport(Transport, Protocol):
    """What `connect` gives: the port, and what this transport can and cannot do."""

    capabilities: Capabilities

    def blind_spots(self) -> list[str]:
        """What `differences` cannot see on this broker, one text each; [] = it sees everything. Never raises."""
        ...


def connect(url: str) -> ConnectedTransport:
    """The transport for `url`; nothing is opened yet.

    * `embedded:///bus.db` is a file relative to the working directory, `embedded:////var/lib/bus.db` an absolute one.
    * `amqp://user:password@host:5672/vhost`, `amqps://…`: the last path segment is the vhost, percent-encoded; options
      in the query string are listed at `bus.transport.rabbitmq`.

    Raises:
        ConfigurationError: unknown scheme or malformed URL; the text never holds the password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _TRANSPORTS:
        known = ", ".join(f"{name}://" for name in sorted(_TRANSPORTS))
        raise ConfigurationError([f"bus: unknown scheme {scheme[:20]!r}; known are {known}"])
    module, name = _TRANSPORTS[scheme]
    transport: ConnectedTransport = getattr(import_module(module), name)(url)
    return transport
