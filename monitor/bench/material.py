"""What a run works on: fed platforms, deployments, fresh vhosts, and messages encoded in advance."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import create_engine

from adapters.simulators import cgs
from bus.envelope import Wrapper
from bus.ledger.ledger import Ledger
from bus.relay import CHECKPOINT_EVERY
from bus.seal import checkpoint
from bus.transport import connect
from bus.transport.frames import Encoder
from bus.trust import Signer, load_trust
from monitor.bench.processes import Measured, Worker, run_together
from monitor.bench.topology import topology
from monitor.bench.yardstick import CHANNEL, FRAME_MAX, PER_WRITE
from monitor.commands.deployment import write_deployment
from monitor.commands.simulate import platform_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bus.message import Message
    from monitor.bench.services import PostgreSQL, RabbitMQ

#: Two installations of one product: the second process reads the second one.
DIVISIONS: Final = {"chancheng": "440604", "sanshui": "440607"}
GROUP: Final = "bench"

_TEMPLATE: Final = """\
node: bench-1
group: {group}
store: {store}
bus: {bus}
signing: {{key: keys/{group}.pem}}
packages: {packages}
sources:
  {source}:
    adapter: cgs
    division: "{division}"
    options: {options}
"""


class Bench:
    """Services and folders of one run.

    Args:
        broker, database: running servers of the bench's own.
        folder: for stores, configurations and logs.
        records: rows of each platform.

    Attributes:
        platforms: name → URL of a fed platform.
        stream: the first platform's messages in the order of their stream, checkpoints included, as the gateway
            publishes them one by one.
    """

    def __init__(self, broker: RabbitMQ, database: PostgreSQL, folder: Path, *, records: int) -> None:
        self.broker = broker
        self.database = database
        self.folder = folder
        self.records = records
        self.log = folder / "workers.log"
        self._stores = count(1)
        write_deployment(folder, GROUP, "")
        self.platforms = {name: self.platform(name, records) for name in DIVISIONS}
        self.stream: list[Message] = []

    def platform(self, name: str, records: int) -> str:
        """SQLAlchemy URL of a platform with so many rows."""
        url = self.database.url(self.database.database())
        engine = create_engine(url)
        try:
            cgs.create(engine)
            span = timedelta(days=30)
            start = platform_now() - 3 * span
            if records:
                cgs.feed(engine, division=DIVISIONS[name], start=start, records=records, seed=1, span=span)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM (FREEZE, ANALYZE)")
                connection.exec_driver_sql("CHECKPOINT")
        finally:
            engine.dispose()
        return url

    @contextmanager
    def vhost(self, *, has_journal: bool = False) -> Iterator[str]:
        """URL of a fresh vhost with its topology; it is gone afterwards, so each round begins empty."""
        name = self.broker.vhost()
        url = f"{self.broker.url(name)}?management={self.broker.management_url}"
        connect(url).declare(topology(has_journal=has_journal))
        try:
            yield url
        finally:
            self.broker.delete_vhost(name)

    def store(self) -> Path:
        """Path of a new SQLite store."""
        return self.folder / f"store-{next(self._stores)}.db"

    def gateway(self, name: str, bus: str, options: GatewayOptions) -> Worker:
        """A gateway process on one platform, ready to go."""
        store = options.store or f"sqlite:///{self.store()}"
        adapter = {"url": options.url or self.platforms[name], **options.adapter}
        text = _TEMPLATE.format(
            group=GROUP,
            store=store,
            bus=json.dumps(bus),
            packages=options.packages,
            source=name,
            division=DIVISIONS[name],
            options=json.dumps(adapter),
        )
        config = self.folder / f"{name}-{next(self._stores)}.yaml"
        config.write_text(text, encoding="utf-8")
        task = {
            "config": str(config),
            "records": options.records or self.records,
            "keeps_confirms": options.keeps_confirms,
            "has_journal": options.has_journal,
        }
        return Worker("gateway", task, log=self.log)

    def prepare(self) -> Measured:
        """Warm everything up by one run, and keep its messages."""
        store = self.store()
        options = GatewayOptions("never", store=f"sqlite:///{store}")
        with self.vhost() as bus:
            (measured,) = run_together([self.gateway("chancheng", bus, options)])
        self.stream = list(self.messages(store))
        return measured

    def messages(self, store: Path) -> Iterator[Message]:
        """Every entry of the ledger as its message, and a checkpoint after each 256."""
        trust = load_trust(self.folder / "trust.yaml")
        signer = Signer.load(self.folder / "keys" / f"{GROUP}.pem")
        with closing(Ledger(f"sqlite:///{store}", key_hash=trust.key_hash)) as ledger:
            source = ledger.source("chancheng", group=GROUP, division=DIVISIONS["chancheng"], is_explicit=True)
            wrapper = Wrapper(source.stream)
            after = 0
            while entries := source.outbox.entries(after=after, limit=CHECKPOINT_EVERY):
                yield from map(wrapper.wrap, entries)
                after = entries[-1].seq
                name, epoch = source.stream.name, source.stream.epoch
                yield wrapper.wrap_checkpoint(checkpoint(name, epoch, after, entries[-1].head, signer))

    def records_of_stream(self) -> list[Message]:
        """`stream` without its checkpoints: what the yardstick sends."""
        return [message for message in self.stream if "x-seq" in message.headers]


class GatewayOptions(NamedTuple):
    """How one gateway process runs.

    Attributes:
        packages: as in the deployment's file.
        store: URL of its store; "": a new SQLite file.
        url: of its platform; "": the fed one.
        records: when to stop; 0: when the whole platform is confirmed.
        adapter: further options of the adapter.
        keeps_confirms: whether every confirm is reported.
        has_journal: whether the vhost holds the journal too.
    """

    packages: str
    store: str = ""
    url: str = ""
    records: int = 0
    adapter: Mapping[str, Any] = MappingProxyType({})
    keeps_confirms: bool = False
    has_journal: bool = False


def writes(messages: Sequence[Message]) -> list[tuple[int, bytes]]:
    """(messages, frames) of one write each."""
    encoder = Encoder(CHANNEL, frame_max=FRAME_MAX)
    return [
        (len(part), b"".join(encoder.encode(part)))
        for part in (messages[at : at + PER_WRITE] for at in range(0, len(messages), PER_WRITE))
    ]
