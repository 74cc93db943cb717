"""The model of the bus: architecture §5, as values."""

from __future__ import annotations

import pytest

import bus
from bus.errors import BatchError, RejectedError, TransientError
from bus.topology import Topology, supervision


def queue(topology: Topology, name: str) -> dict[str, object]:
    return dict(next(q.arguments for q in topology.queues if q.name == name))


def keys(topology: Topology, name: str) -> list[str]:
    return sorted(b.key for b in topology.bindings if b.queue == name)


def test_a_record_queue_refuses_what_it_cannot_keep_and_loses_nothing() -> None:
    assert queue(supervision(core_max_bytes=10**9), "core") == {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "supervision.dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-single-active-consumer": True,
        "x-delivery-limit": 1000,
        "x-max-length-bytes": 10**9,
    }


def test_the_core_gets_whole_streams_and_the_journal_everything() -> None:
    topology = supervision()
    assert keys(topology, "core") == ["approval.#", "checkpoint.#", "epoch.#", "manifest.#", "notice.#", "oa.#"]
    assert keys(topology, "journal") == ["#"]
    assert keys(topology, "control") == ["receipt.#", "refill.#"]
    assert [q.name for q in topology.queues if q.is_stream] == ["journal"]
    assert all(not name.startswith("alternate") for q in topology.queues for name in q.arguments)


def test_a_districts_feed_is_bound_to_its_own_division_only() -> None:
    topology = supervision(feeds=["440604"], deliveries=["440605"])
    assert keys(topology, "feed.440604") == [
        "approval.440604.#",
        "checkpoint.440604.#",
        "epoch.440604.#",
        "manifest.440604.#",
        "notice.440604.#",
        "oa.440604.#",
        "result.440604.#",
    ]
    assert keys(topology, "deliver.440605") == ["result.440605.#"]


def test_a_batch_error_names_its_members() -> None:
    error = BatchError({3: TransientError("away"), 1: RejectedError("bad")})
    assert str(error) == "[1] bad; [3] away"


def test_the_cores_names_are_imported_on_use() -> None:
    assert bus.Consumer.__name__ == "Consumer"
    with pytest.raises(AttributeError, match="no attribute 'Producer'"):
        _ = bus.Producer
