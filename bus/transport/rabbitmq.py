"""RabbitMQ 3.10 or later, by pika.

URL: `amqp://user:password@host:5672/vhost` or `amqps://…`, with options in the query string:

* `management=http://host:15672`: the management API for `differences`; without it the default address on the same host
  is tried, `management=none` tries nothing (docs/decisions/0007).
* `heartbeat=30`: seconds, at most 30.
* `patience_s=30`: how long a broker that blocks publishing is borne.
* `cafile=`, `certfile=`, `keyfile=`: PEM files for amqps; the server's certificate is always verified.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pika

from bus.errors import ConfigurationError, FatalError, TransientError
from bus.topology import Topology
from bus.transport.capabilities import Capabilities
from bus.transport.consuming import RabbitConsumeChannel
from bus.transport.management import Management, management_url
from bus.transport.publishing import PATIENCE_S, RabbitPublishChannel
from bus.transport.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pika.channel import Channel

    from bus.ports import ConsumeChannel, PublishChannel
    from bus.topology import Binding, Exchange, Queue

HEARTBEAT_S: Final = 30
_OPTIONS: Final = ("cafile", "certfile", "heartbeat", "keyfile", "management", "patience_s")
_NOT_FOUND: Final = ": 404 "
_PROBE_AGAIN_S: Final = 60.0


class RabbitTransport:
    """Transport on RabbitMQ. Every channel, and every `declare` and `differences`, has a connection of its own.

    Args:
        url: see the module.

    Raises:
        ConfigurationError: malformed URL, unknown option, unreadable certificate.
    """

    capabilities = Capabilities(has_server=True, has_competing_consumers=True, enforces_limits=True)

    def __init__(self, url: str) -> None:
        options = _options(url)
        self._parameters = _parameters(url, options)
        self._patience_s = _seconds(options.get("patience_s", str(PATIENCE_S)))
        address = options.get("management", "")
        self._is_required = address not in ("", "none")
        self._management = None if address == "none" else self._api(address)
        self._probe_at = 0.0

    def declare(self, topology: Topology) -> None:
        """See Transport; needs an account with configure, write and read permissions. Names every refusal."""
        refused = _refusals(self._parameters, _declarations(topology))
        if refused:
            raise FatalError("\n".join(each.text for each in refused))

    def differences(self, topology: Topology) -> list[str]:
        """See Transport; needs no permission but access to the vhost.

        With the management API everything is compared, see `Management.differences`. Without it a passive declare
        tells missing exchanges and queues, and nothing else: AMQP cannot list bindings, and declaring again with the
        model's arguments would create a queue that was deleted a moment ago. `blind_spots` says which it is.

        Raises:
            TransientError: the broker, or an API that the URL names, does not answer.
        """
        seen = self._by_management(topology)
        return self._by_passive_declare(topology) if seen is None else seen

    def blind_spots(self) -> list[str]:
        """See ConnectedTransport."""
        if self._is_required or self._by_management(Topology((), (), ())) is not None:
            return []
        text = (
            "bindings, types and arguments are not compared: the management API cannot be read; enable "
            "rabbitmq_management, give the account the tag `management`, name the address by ?management=http://…"
        )
        return [text]

    def publisher(self) -> PublishChannel:
        """See Transport."""
        return RabbitPublishChannel(self._parameters, patience_s=self._patience_s)

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """See Transport."""
        return RabbitConsumeChannel(self._parameters, queue, prefetch=prefetch, start=start)

    def _api(self, address: str) -> Management:
        parameters = self._parameters
        credentials: Any = parameters.credentials
        tls = parameters.ssl_options
        default = f"https://{parameters.host}:15671" if tls else f"http://{parameters.host}:15672"
        return Management(
            management_url(address or default),
            parameters.virtual_host,
            credentials.username,
            credentials.password,
            tls.context if tls else None,
        )

    def _by_management(self, topology: Topology) -> list[str] | None:
        """What the API says; None when no address was given and the default one cannot be used.

        An API that has answered once is required from then on: comparing less than before must not pass unnoticed.
        """
        api = self._management
        if api is None or (not self._is_required and time.monotonic() < self._probe_at):
            return None
        try:
            found = api.differences(topology)
        except (TransientError, FatalError):
            if self._is_required:
                raise
            self._probe_at = time.monotonic() + _PROBE_AGAIN_S
            return None
        self._is_required = True
        return found

    def _by_passive_declare(self, topology: Topology) -> list[str]:
        refused = _refusals(self._parameters, _existence(topology))
        return [f"{each.what}: missing" for each in refused if each.is_missing]


class _Refusal(NamedTuple):
    what: str
    text: str
    is_missing: bool


_Request = Callable[["Channel", Callable[..., None]], object]


def _declarations(topology: Topology) -> Iterator[tuple[str, _Request]]:
    for each in topology.exchanges:
        yield f"exchange {each.name}", partial(_declare_exchange, each)
    for queue in topology.queues:
        yield f"queue {queue.name}", partial(_declare_queue, queue)
    for binding in topology.bindings:
        yield f"binding {binding.exchange} → {binding.queue} by {binding.key!r}", partial(_bind, binding)


def _existence(topology: Topology) -> Iterator[tuple[str, _Request]]:
    for each in topology.exchanges:
        yield f"exchange {each.name}", partial(_find_exchange, each)
    for queue in topology.queues:
        yield f"queue {queue.name}", partial(_find_queue, queue)


def _declare_exchange(exchange: Exchange, channel: Channel, done: Callable[..., None]) -> None:
    channel.exchange_declare(exchange.name, exchange.type, durable=True, internal=exchange.is_internal, callback=done)


def _declare_queue(queue: Queue, channel: Channel, done: Callable[..., None]) -> None:
    channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments), callback=done)


def _bind(binding: Binding, channel: Channel, done: Callable[..., None]) -> None:
    channel.queue_bind(binding.queue, binding.exchange, binding.key, callback=done)


def _find_exchange(exchange: Exchange, channel: Channel, done: Callable[..., None]) -> None:
    channel.exchange_declare(exchange.name, exchange.type, passive=True, callback=done)


def _find_queue(queue: Queue, channel: Channel, done: Callable[..., None]) -> None:
    channel.queue_declare(queue.name, passive=True, callback=done)


def _refusals(parameters: pika.URLParameters, requests: Iterable[tuple[str, _Request]]) -> list[_Refusal]:
    """Make the requests one by one; a refusal costs its channel, so the next request gets a new one."""
    refused: list[_Refusal] = []
    wire = Wire(parameters)
    try:
        channel: Channel | None = None
        for what, request in requests:
            channel = channel or wire.channel()
            try:
                wire.call(what, partial(request, channel))
            except FatalError as error:
                wire.forget_failure()
                channel = None
                refused.append(_Refusal(what, f"{what}: {error}", _NOT_FOUND in str(error)))
    finally:
        wire.close()
    return refused


def _options(url: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=bool(urlsplit(url).query))
    except ValueError as error:
        raise ConfigurationError([f"bus: malformed query string: {error}"]) from error
    problems = [
        f"bus: unknown option {name!r}; known are {', '.join(_OPTIONS)}" for name, _ in pairs if name not in _OPTIONS
    ]
    if problems:
        raise ConfigurationError(problems)
    return dict(pairs)


def _parameters(url: str, options: dict[str, str]) -> pika.URLParameters:
    try:
        parameters = pika.URLParameters(urlsplit(url)._replace(query="").geturl())
        parameters.heartbeat = min(int(options.get("heartbeat", HEARTBEAT_S)), HEARTBEAT_S)
        if parameters.heartbeat < 1:
            raise ConfigurationError(["bus: heartbeat: at least 1 second"])
    except (ValueError, TypeError) as error:
        # the text of the error may hold the URL, and the URL the password
        raise ConfigurationError([f"bus: malformed URL or option ({type(error).__name__})"]) from error
    if parameters.ssl_options:
        parameters.ssl_options = pika.SSLOptions(_context(options), parameters.host)
    parameters.client_properties = {"connection_name": "foshan-exchange"}
    return parameters


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigurationError([f"bus: patience_s: {text!r} is no number"]) from error


def _context(options: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("cafile"))
        if "certfile" in options:
            context.load_cert_chain(options["certfile"], options.get("keyfile"))
    except OSError as error:
        raise ConfigurationError([f"bus: certificate: {error}"]) from error
    return context
