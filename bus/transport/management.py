"""RabbitMQ's management API: the one way to see types, arguments and bindings without changing anything."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from bus.errors import ConfigurationError, FatalError, TransientError

if TYPE_CHECKING:
    import ssl

    from bus.topology import Exchange, Queue, Topology


class Management(NamedTuple):
    """Where the API listens and who asks.

    Attributes:
        url: `http://host:15672` or `https://…`, without a path.
        vhost, user, password: as in the AMQP URL; the account needs the tag `management`.
        context: for https.
        timeout_s: of one request.
    """

    url: str
    vhost: str
    user: str
    password: str
    context: ssl.SSLContext | None = None
    timeout_s: float = 2.0

    def differences(self, topology: Topology) -> list[str]:
        """How the vhost differs from the model, as the broker's own tables say.

        Reported: an exchange or queue that is missing or has another type, durability or argument, or a policy on it
        (it changes what arguments promise; the broker shows it about ten seconds after it was set); a binding that is
        missing; a binding into a queue of the model that the model does not have. Queues beyond the model, and
        bindings to them, are not our business.

        Raises:
            TransientError: the API does not answer.
            FatalError: it refuses the account.
        """
        exchanges = {each["name"]: each for each in self._get("exchanges")}
        queues = {each["name"]: each for each in self._get("queues")}
        found = [text for exchange in topology.exchanges for text in _exchange(exchange, exchanges.get(exchange.name))]
        found += [text for queue in topology.queues for text in _queue(queue, queues.get(queue.name))]
        return found + _bindings(topology, self._get("bindings"))

    def _get(self, what: str) -> list[dict[str, Any]]:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        options: dict[str, Any] = {"context": self.context} if parts.scheme == "https" else {}
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout_s, **options)
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        try:
            with contextlib.closing(connection):
                connection.request(
                    "GET", f"/api/{what}/{quote(self.vhost, safe='')}", headers={"Authorization": f"Basic {token}"}
                )
                answer = connection.getresponse()
                body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(f"management API {self.url}: {error!r}") from error
        if answer.status in (401, 403, 404):
            raise FatalError(
                f"management API {self.url}: {answer.status} {answer.reason} for {what} of vhost {self.vhost}: "
                "give the account the tag `management` and a permission on the vhost"
            )
        if answer.status != http.HTTPStatus.OK:
            raise TransientError(f"management API {self.url}: {answer.status} {answer.reason} for {what}")
        listed: list[dict[str, Any]] = json.loads(body)
        return listed


def management_url(value: str) -> str:
    """Check the address of the API. Raises ConfigurationError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ConfigurationError([f"bus: management={value}: expected http(s)://host:port without a path"])
    return value.rstrip("/")


def _exchange(model: Exchange, found: dict[str, Any] | None) -> list[str]:
    name = f"exchange {model.name}"
    if found is None:
        return [f"{name}: missing"]
    expected = {"type": model.type, "durable": True, "internal": model.is_internal, "auto_delete": False}
    return _compared(name, expected, found) + _arguments(name, {}, found["arguments"]) + _policy(name, found)


def _queue(model: Queue, found: dict[str, Any] | None) -> list[str]:
    name = f"queue {model.name}"
    if found is None:
        return [f"{name}: missing"]
    expected = {"type": model.arguments["x-queue-type"], "durable": True, "auto_delete": False, "exclusive": False}
    return (
        _compared(name, expected, found) + _arguments(name, model.arguments, found["arguments"]) + _policy(name, found)
    )


def _compared(name: str, expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {key} is {found.get(key)!r}, the model says {value!r}"
        for key, value in expected.items()
        if found.get(key) != value
    ]


def _arguments(name: str, expected: Any, found: dict[str, Any]) -> list[str]:
    return [
        f"{name}: argument {key} is {found.get(key)!r}, the model says {expected.get(key)!r}"
        for key in sorted({*expected, *found})
        if found.get(key) != expected.get(key)
    ]


def _policy(name: str, found: dict[str, Any]) -> list[str]:
    policies = [found[key] for key in ("policy", "operator_policy") if found.get(key)]
    return [f"{name}: policy {policy} applies; the model has none" for policy in policies]


def _bindings(topology: Topology, listed: list[dict[str, Any]]) -> list[str]:
    found = {
        (each["source"], each["destination"], each["routing_key"])
        for each in listed
        if each["source"] and each["destination_type"] == "queue" and not each["arguments"]
    }
    model = {(each.exchange, each.queue, each.key) for each in topology.bindings}
    queues = {queue.name for queue in topology.queues}
    missing = [f"binding {s} → {q} by {key!r}: missing" for s, q, key in sorted(model - found)]
    beyond = sorted((s, q, key) for s, q, key in found - model if q in queues)
    return missing + [f"binding {s} → {q} by {key!r}: not in the model" for s, q, key in beyond]
