"""Exchanges, queues and bindings as values: the model that `topology apply` creates and every service compares with.

Source: architecture §5 "Topology". RabbitMQ ≥ 3.10 accepts an `x-` argument that it does not know without a word, so
the values below are compared with what the broker says, never assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXCHANGE: Final = "supervision"
DEAD_EXCHANGE: Final = "supervision.dead"
CORE: Final = "core"
JOURNAL: Final = "journal"
CONTROL: Final = "control"
DEAD_LETTERS: Final = "dead-letters"

#: Binding keys of a queue that carries whole streams: records, notices, manifests, epochs, checkpoints.
_WHOLE_STREAMS: Final = ("approval", "oa", "notice", "manifest", "epoch", "checkpoint")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: Literal["topic", "fanout"]
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue with its `x-` arguments."""

    name: str
    arguments: Mapping[str, str | int | bool] = field(hash=False)

    @property
    def is_stream(self) -> bool:
        """Whether it is an append-only queue of type stream."""
        return self.arguments["x-queue-type"] == "stream"


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue bound to an exchange by one key."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that one vhost of the city's own services holds."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def _record_queue(name: str, *, max_length_bytes: int | None = None) -> Queue:
    arguments: dict[str, str | int | bool] = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-strategy": "at-least-once",
        "x-single-active-consumer": True,
        "x-delivery-limit": 1000,
    }
    if max_length_bytes is not None:
        arguments["x-max-length-bytes"] = max_length_bytes
    return Queue(name, arguments)


def supervision(
    *,
    feeds: Sequence[str] = (),
    deliveries: Sequence[str] = (),
    journal_max_age: str = "400D",
    core_max_bytes: int | None = None,
) -> Topology:
    """The topology of architecture §5.

    Args:
        feeds: divisions whose centre reads a feed of its own.
        deliveries: divisions whose platform takes results back.
        journal_max_age: RabbitMQ's `x-max-age` of the journal.
        core_max_bytes: limit of a record queue; a full one refuses publishes and the ledger holds.
    """
    queues = [
        _record_queue(CORE, max_length_bytes=core_max_bytes),
        Queue(JOURNAL, {"x-queue-type": "stream", "x-max-age": journal_max_age}),
        _record_queue(CONTROL),
        Queue(DEAD_LETTERS, {"x-queue-type": "quorum", "x-overflow": "reject-publish"}),
    ]
    bindings = [Binding(EXCHANGE, CORE, f"{domain}.#") for domain in _WHOLE_STREAMS]
    bindings += [
        Binding(EXCHANGE, JOURNAL, "#"),
        Binding(EXCHANGE, CONTROL, "receipt.#"),
        Binding(EXCHANGE, CONTROL, "refill.#"),
        Binding(DEAD_EXCHANGE, DEAD_LETTERS, ""),
    ]
    for division in feeds:
        name = f"feed.{division}"
        queues.append(_record_queue(name, max_length_bytes=core_max_bytes))
        bindings += [Binding(EXCHANGE, name, f"{domain}.{division}.#") for domain in (*_WHOLE_STREAMS, "result")]
    for division in deliveries:
        name = f"deliver.{division}"
        queues.append(_record_queue(name))
        bindings.append(Binding(EXCHANGE, name, f"result.{division}.#"))
    exchanges = (Exchange(EXCHANGE, "topic"), Exchange(DEAD_EXCHANGE, "fanout", is_internal=True))
    return Topology(exchanges, tuple(queues), tuple(bindings))
