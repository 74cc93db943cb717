"""One measured process: `python -m monitor.bench.worker ROLE JSON`.

It prepares, prints `ready`, waits for a line on its standard input, works, and prints one JSON object. So several can
begin at the same moment, and neither the interpreter's start nor its end is measured.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine

from bus.outbound import Consumer, ConsumerOptions
from bus.transport import connect
from bus.trust import load_trust
from monitor import logs
from monitor.bench.topology import topology
from monitor.bench.watch import WatchedTransport
from monitor.bootstrap import build
from monitor.settings import load
from monitor.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from bus.outbound import Received

_TIMEOUT_S = 900.0


def rss_kb() -> int:
    """Resident memory of this process now."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * resource.getpagesize() // 1024


def cpu_s() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def ready(prepare: Callable[[], Any] = tune) -> None:
    """Say that everything is prepared, and wait for the word."""
    prepare()
    print("ready", flush=True)
    sys.stdin.readline()


def run_gateway(options: Mapping[str, Any]) -> dict[str, Any]:
    """One gateway process until `records` records are confirmed."""
    settings = load(Path(options["config"]))
    transport = WatchedTransport(connect(settings.bus), keeps_all=options["keeps_confirms"])
    gateway = build(settings, transport=transport, topology=topology(has_journal=options["has_journal"]))
    stop = threading.Event()
    until = time.monotonic() + _TIMEOUT_S
    memory: list[tuple[int, int]] = []

    def look() -> None:
        confirms = transport.confirms
        if confirms:
            memory.append((confirms[-1].records, rss_kb()))
        if (confirms and confirms[-1].records >= options["records"]) or time.monotonic() > until:
            stop.set()

    ready()
    before = cpu_s()
    gateway.run(stop, drain=False, timeout_s=60.0, on_tick=look)
    spent = cpu_s() - before
    problems = [text for run in gateway.runs if (text := run.trouble())]
    gateway.close()
    confirms = transport.confirms
    first, last = confirms[0], confirms[-1]
    return {
        "first": first,
        "last": last,
        "cpu_s": spent,
        "problems": problems,
        "memory": memory,
        "confirms": confirms if options["keeps_confirms"] else [],
    }


def run_consume(options: Mapping[str, Any]) -> dict[str, Any]:
    """The core's library: digest, head, checkpoint, high-water mark once a batch; the handler only counts."""
    engine = create_engine(options["store"])
    counted: list[float] = []

    def handle(_connection: Connection, _received: Received) -> None:
        counted.append(time.monotonic())

    consumer = Consumer(
        connect(options["bus"]),
        trust=load_trust(Path(options["trust"])),
        engine=engine,
        handle=handle,
        options=ConsumerOptions(prefetch=500),
    )
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    ready()
    before = cpu_s()
    thread.start()
    until = time.monotonic() + _TIMEOUT_S
    while consumer.handled < options["records"] and time.monotonic() < until and thread.is_alive():
        time.sleep(0.01)
    spent = cpu_s() - before
    stop.set()
    thread.join()
    engine.dispose()
    return {"first": (counted[0], 1), "last": (counted[-1], len(counted)), "cpu_s": spent, "problems": []}


def run_kombu(options: Mapping[str, Any]) -> dict[str, Any]:
    """Kombu's best plain consumer: raw bodies, prefetch 500, one acknowledgement a hundred; nothing is checked."""
    from kombu.connection import Connection  # noqa: PLC0415 - only this role pays for it
    from kombu.entity import Queue  # noqa: PLC0415
    from kombu.messaging import Consumer as PlainConsumer  # noqa: PLC0415

    counted: list[float] = []
    wanted = options["records"]

    def on_message(message: Any) -> None:
        counted.append(time.monotonic())
        if len(counted) % 100 == 0 or len(counted) == wanted:
            message.ack(multiple=True)

    with Connection(options["bus"]) as connection:
        channel = connection.channel()
        queue = Queue(options["queue"], channel=channel, no_declare=True)
        consumer = PlainConsumer(channel, [queue], on_message=on_message, auto_declare=False, prefetch_count=500)
        ready()
        before = cpu_s()
        with consumer:
            while len(counted) < wanted:
                connection.drain_events(timeout=30)
        spent = cpu_s() - before
    return {"first": (counted[0], 1), "last": (counted[-1], len(counted)), "cpu_s": spent, "problems": []}


ROLES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "gateway": run_gateway,
    "consume": run_consume,
    "kombu": run_kombu,
}


def main(arguments: list[str]) -> None:
    """Run one role."""
    role, text = arguments
    logs.configure(is_quiet=False)
    print(json.dumps(ROLES[role](json.loads(text))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
