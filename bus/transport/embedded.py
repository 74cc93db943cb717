"""The embedded broker: durable, no service needed, several processes on one machine, one SQLite file.

A commit is the confirm, no binding is the return, the append-only table of messages is the journal. Every queue has a
single active consumer, whatever its arguments say; `x-` arguments are kept and compared, limits and dead-lettering are
not enforced (`EmbeddedTransport.capabilities`). Reasons and limits: docs/decisions/0003.

URL: `embedded:///bus.db` is relative to the working directory, `embedded:////var/lib/exchange/bus.db` absolute.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from bus.errors import ConfigurationError, FatalError
from bus.topology import Binding, Exchange, Queue
from bus.transport.capabilities import Capabilities
from bus.transport.embedded_channels import EmbeddedConsumeChannel, EmbeddedPublishChannel
from bus.transport.embedded_store import lost, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bus.ports import ConsumeChannel, PublishChannel
    from bus.topology import Topology


class EmbeddedTransport:
    """Transport on a file.

    Args:
        url: see the module.

    Raises:
        ConfigurationError: malformed URL, or a folder that does not exist.
    """

    capabilities = Capabilities(has_server=False, has_competing_consumers=False, enforces_limits=False)

    def __init__(self, url: str) -> None:
        path = url.removeprefix("embedded:///")
        if path == url or not path or "?" in path:
            raise ConfigurationError([f"bus: {url}: expected embedded:///file or embedded:////absolute/file"])
        self._path = Path(path)
        if not self._path.parent.is_dir():
            raise ConfigurationError([f"bus: {url}: no folder {self._path.parent}"])

    def declare(self, topology: Topology) -> None:
        """See Transport; nothing is created when anything is refused."""
        with self._store() as store:
            store.execute("BEGIN IMMEDIATE")
            model = _Model(topology)
            refused = _other(model, _Model.read(store))
            if refused:
                store.execute("ROLLBACK")
                raise FatalError("\n".join(refused))
            store.executemany(
                "INSERT OR IGNORE INTO exchanges VALUES (?, ?, ?)",
                [(each.name, each.type, each.is_internal) for each in topology.exchanges],
            )
            store.executemany(
                "INSERT OR IGNORE INTO queues (name, arguments, is_stream) VALUES (?, ?, ?)",
                [(each.name, _text(each.arguments), each.is_stream) for each in topology.queues],
            )
            store.executemany(
                "INSERT OR IGNORE INTO bindings VALUES (?, ?, ?)",
                [(each.exchange, each.queue, each.key) for each in topology.bindings],
            )
            store.execute("COMMIT")

    def differences(self, topology: Topology) -> list[str]:
        """See Transport; compares everything, also bindings into the model's queues that the model does not have."""
        with self._store() as store:
            found = _Model.read(store)
        model = _Model(topology)
        missing = [f"exchange {name}: missing" for name in model.exchanges if name not in found.exchanges]
        missing += [f"queue {name}: missing" for name in model.queues if name not in found.queues]
        missing += [f"{_name(each)}: missing" for each in model.bindings if each not in found.bindings]
        beyond = [each for each in found.bindings if each not in model.bindings and each.queue in model.queues]
        return missing + _other(model, found) + [f"{_name(each)}: not in the model" for each in beyond]

    def blind_spots(self) -> list[str]:
        """None: the file shows everything."""
        return []

    def publisher(self) -> PublishChannel:
        """See Transport."""
        return EmbeddedPublishChannel(self._path)

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """See Transport."""
        return EmbeddedConsumeChannel(self._path, queue, prefetch=prefetch, start=start)

    @contextlib.contextmanager
    def _store(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(open_store(self._path, is_durable=True)) as store:
            try:
                yield store
            except sqlite3.Error as error:
                raise lost(error) from error


class _Model:
    """A topology by name, from the model or from the file."""

    def __init__(self, topology: Topology) -> None:
        self.exchanges = {each.name: each for each in topology.exchanges}
        self.queues = {each.name: each for each in topology.queues}
        self.bindings = dict.fromkeys(topology.bindings)

    @classmethod
    def read(cls, store: sqlite3.Connection) -> _Model:
        """What the file holds."""
        found = cls.__new__(cls)
        exchanges = store.execute("SELECT name, type, is_internal FROM exchanges")
        found.exchanges = {name: Exchange(name, type_, is_internal=bool(flag)) for name, type_, flag in exchanges}
        queues = store.execute("SELECT name, arguments FROM queues")
        found.queues = {name: Queue(name, json.loads(arguments)) for name, arguments in queues}
        bindings = store.execute("SELECT exchange, queue, key FROM bindings ORDER BY exchange, queue, key")
        found.bindings = dict.fromkeys(Binding(*row) for row in bindings)
        return found


def _other(model: _Model, found: _Model) -> list[str]:
    """What exists under a name of the model and is not the same."""
    texts = [
        f"exchange {name}: is {there}, the model says {each}"
        for name, each in model.exchanges.items()
        if (there := found.exchanges.get(name)) not in (None, each)
    ]
    for name, queue in model.queues.items():
        there_arguments = found.queues[name].arguments if name in found.queues else queue.arguments
        for key in sorted({*queue.arguments, *there_arguments}):
            if queue.arguments.get(key) != there_arguments.get(key):
                is_, says = there_arguments.get(key), queue.arguments.get(key)
                texts.append(f"queue {name}: argument {key} is {is_!r}, the model says {says!r}")
    return texts


def _name(binding: Binding) -> str:
    return f"binding {binding.exchange} → {binding.queue} by {binding.key!r}"


def _text(arguments: Mapping[str, str | int | bool]) -> str:
    return json.dumps(dict(arguments), sort_keys=True)
