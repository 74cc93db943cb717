"""What `differences` sees on a real RabbitMQ, with the management API and without it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pika
import pytest

from bus.errors import FatalError, TransientError
from bus.topology import CORE, Topology, supervision
from bus.transport.rabbitmq import RabbitTransport
from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.conftest import Vhost

pytestmark = pytest.mark.services


@pytest.fixture
def channel(vhost: Vhost) -> Iterator[BlockingChannel]:
    with closing(pika.BlockingConnection(pika.URLParameters(vhost.url))) as connection:
        yield connection.channel()


@pytest.fixture
def topology(vhost: Vhost) -> Topology:
    model = supervision(feeds=["440604"])
    RabbitTransport(vhost.url).declare(model)
    return model


@pytest.fixture
def seeing(vhost: Vhost) -> RabbitTransport:
    """A service's account: it may configure nothing."""
    vhost.broker.account(f"gateway{vhost.name}", vhost.name, ("^$", "supervision", ".*"), tags="management")
    name = f"gateway{vhost.name}"
    url = vhost.broker.url(vhost.name, user=name, password=name)
    return RabbitTransport(f"{url}?management={vhost.broker.management_url}")


@pytest.fixture
def blind(vhost: Vhost) -> RabbitTransport:
    return RabbitTransport(f"{vhost.url}?management=none")


def _core(topology: Topology, **changes: Any) -> dict[str, Any]:
    (queue,) = (each for each in topology.queues if each.name == CORE)
    return {**queue.arguments, **{f"x-{name.replace('_', '-')}": value for name, value in changes.items()}}


def test_a_deleted_queue_is_seen_by_both(
    seeing: RabbitTransport, blind: RabbitTransport, topology: Topology, channel: BlockingChannel
) -> None:
    assert seeing.differences(topology) == blind.differences(topology) == []
    channel.queue_delete(CORE)
    channel.exchange_delete("supervision.dead")
    assert blind.differences(topology) == ["exchange supervision.dead: missing", "queue core: missing"]
    seen = seeing.differences(topology)
    assert seen[:2] == ["exchange supervision.dead: missing", "queue core: missing"]
    assert "binding supervision → core by 'approval.#': missing" in seen
    assert len(seen) == 2 + 6 + 1


def test_a_queue_that_was_unbound_is_seen_with_the_api_only(
    seeing: RabbitTransport, blind: RabbitTransport, topology: Topology, channel: BlockingChannel
) -> None:
    channel.queue_unbind(CORE, "supervision", "notice.#")
    assert seeing.differences(topology) == ["binding supervision → core by 'notice.#': missing"]
    assert blind.differences(topology) == []
    assert seeing.blind_spots() == []
    (text,) = blind.blind_spots()
    assert "bindings, types and arguments are not compared" in text


def test_a_queue_replaced_by_a_classic_one_is_seen(
    seeing: RabbitTransport, topology: Topology, channel: BlockingChannel
) -> None:
    channel.queue_delete(CORE)
    channel.queue_declare(CORE, durable=True)
    for binding in topology.bindings:
        if binding.queue == CORE:
            channel.queue_bind(CORE, binding.exchange, binding.key)
    seen = seeing.differences(topology)
    assert seen[0] == "queue core: type is 'classic', the model says 'quorum'"
    assert "queue core: argument x-queue-type is None, the model says 'quorum'" in seen
    assert len(seen) == 1 + 6


def test_a_wrong_or_misspelt_argument_is_seen(
    seeing: RabbitTransport, topology: Topology, channel: BlockingChannel
) -> None:
    channel.queue_delete(CORE)
    channel.queue_declare(CORE, durable=True, arguments=_core(topology, delivery_limit=5, delivery_limits=1000))
    seen = [each for each in seeing.differences(topology) if each.startswith("queue")]
    assert seen == [
        "queue core: argument x-delivery-limit is 5, the model says 1000",
        "queue core: argument x-delivery-limits is 1000, the model says None",
    ]


def test_an_exchange_of_another_type_or_with_an_alternate_is_seen(
    seeing: RabbitTransport, topology: Topology, channel: BlockingChannel
) -> None:
    channel.exchange_delete("supervision")
    channel.exchange_declare("supervision", "direct", arguments={"alternate-exchange": "amq.fanout"})
    seen = [each for each in seeing.differences(topology) if each.startswith("exchange")]
    assert seen == [
        "exchange supervision: type is 'direct', the model says 'topic'",
        "exchange supervision: durable is False, the model says True",
        "exchange supervision: argument alternate-exchange is 'amq.fanout', the model says None",
    ]


def test_a_policy_is_seen(seeing: RabbitTransport, topology: Topology, vhost: Vhost) -> None:
    vhost.broker.ctl("set_policy", "-p", vhost.name, "short", "^core$", '{"max-length":10}', "--apply-to", "queues")
    expected = ["queue core: policy short applies; the model has none"]
    services.wait_for(lambda: seeing.differences(topology) == expected, what="the policy is seen", timeout_s=30)


def test_bindings_of_others_are_not_our_business_but_those_into_our_queues_are(
    seeing: RabbitTransport, topology: Topology, channel: BlockingChannel
) -> None:
    channel.queue_declare("theirs", durable=True)
    channel.queue_bind("theirs", "supervision", "#")
    channel.exchange_declare("theirs", "fanout")
    channel.exchange_bind("theirs", "supervision", "#")
    assert seeing.differences(topology) == []
    channel.queue_bind(CORE, "theirs", "x")
    assert seeing.differences(topology) == ["binding theirs → core by 'x': not in the model"]


def test_an_account_that_may_not_ask_the_api_named_is_told(vhost: Vhost) -> None:
    vhost.broker.account("plain", vhost.name, ("^$", ".*", ".*"))
    url = vhost.broker.url(vhost.name, user="plain", password="plain")
    transport = RabbitTransport(f"{url}?management={vhost.broker.management_url}")
    with pytest.raises(FatalError, match=r"management API .*: 401 .*give the account the tag `management`"):
        transport.differences(supervision())


def test_an_api_that_is_named_and_away_is_transient(vhost: Vhost) -> None:
    (port,) = services.free_ports(1)
    transport = RabbitTransport(f"{vhost.url}?management=http://127.0.0.1:{port}")
    with pytest.raises(TransientError, match=r"management API http://127\.0\.0\.1"):
        transport.differences(supervision())
    assert transport.blind_spots() == []


def test_the_default_address_is_tried_and_missed_once_in_a_while(vhost: Vhost) -> None:
    transport = RabbitTransport(vhost.url)
    assert transport._management is not None
    assert transport._management.url == "http://127.0.0.1:15672"
    (port,) = services.free_ports(1)
    transport._management = transport._management._replace(url=f"http://127.0.0.1:{port}")
    assert transport.blind_spots() != []
    probe_at = transport._probe_at
    assert probe_at > 0
    assert "queue core: missing" in transport.differences(supervision())
    assert transport._probe_at == probe_at


def test_an_api_found_at_the_default_address_is_required_from_then_on(vhost: Vhost, topology: Topology) -> None:
    transport = RabbitTransport(vhost.url)
    assert transport._management is not None
    transport._management = transport._management._replace(url=vhost.broker.management_url)
    assert transport.differences(topology) == []
    transport._management = transport._management._replace(url="http://127.0.0.1:9")
    with pytest.raises(TransientError, match="management API"):
        transport.differences(topology)


def test_every_refusal_of_a_declaration_is_named(vhost: Vhost, topology: Topology) -> None:
    queues = tuple(replace(each, arguments={**each.arguments, "x-max-length-bytes": 5}) for each in topology.queues[:2])
    with pytest.raises(FatalError) as raised:
        RabbitTransport(vhost.url).declare(Topology(topology.exchanges, queues, topology.bindings))
    first, second = str(raised.value).splitlines()
    assert first.startswith("queue core: ")
    assert second.startswith("queue journal: ")
    assert "406 PRECONDITION_FAILED - inequivalent arg 'x-max-length-bytes'" in first


def test_an_account_without_the_right_to_configure_cannot_declare(seeing: RabbitTransport) -> None:
    with pytest.raises(FatalError, match=r"exchange supervision: .*403 ACCESS_REFUSED.*lacks a permission"):
        seeing.declare(supervision())


def test_a_declaration_without_a_broker_is_transient() -> None:
    (port,) = services.free_ports(1)
    with pytest.raises(TransientError, match="connecting"):
        RabbitTransport(f"amqp://127.0.0.1:{port}/v").declare(supervision())
