"""A gateway of its own for one fault test: a fed SQLite platform, a RabbitMQ vhost, real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, text

from adapters.cgs.platform import application_no
from adapters.simulators import cgs
from bus.message import business_key
from bus.topology import supervision
from bus.transport import connect
from monitor.commands.deployment import write_deployment
from monitor.commands.simulate import platform_now

if TYPE_CHECKING:
    from pathlib import Path

DIVISION = "440604"
START = datetime(2010, 3, 1, 8)  # noqa: DTZ001 - the platform's columns have no zone

_CONFIG = """\
node: test-1
group: test
store: {store}
bus: {bus}
signing: {{key: keys/test.pem}}
packages: {packages}
sources:
  chancheng:
    adapter: cgs
    division: "440604"
    options: {{url: "{url}", poll_s: 0.05, late_s: 60, late_poll_s: 0.2}}
"""

_PARTS = {
    "SL": ("T_SHOULI", None),
    "SPCL": ("T_SHENPIGUOCHENG", "SPBZH"),
    "BZGZ": ("T_BUJIAOGAOZHI", "1"),
    "BZSL": ("T_BUJIAOSHOULI", "1"),
    "TBCXSQ": ("T_TEBIECHENGXUSHENQING", "XH"),
    "TBCXJG": ("T_TEBIECHENGXUJIEGUO", "XH"),
    "BJ": ("T_BANJIE", None),
}


@dataclass(frozen=True)
class Deployment:
    """One gateway's folder."""

    folder: Path
    url: str
    bus: str

    @classmethod
    def make(
        cls, folder: Path, bus: str, *, packages: str = "auto", url: str = "", store: str = "sqlite:///gateway.db"
    ) -> Deployment:
        """Write the configuration, declare the topology, create an empty platform."""
        url = url or f"sqlite:///{folder}/platform.db"
        write_deployment(folder, "test", _CONFIG.format(bus=bus, packages=packages, url=url, store=store))
        connect(bus).declare(supervision())
        made = cls(folder, url, bus)
        engine = made.platform()
        cgs.create(engine)
        engine.dispose()
        return made

    def platform(self) -> Engine:
        """The platform's database."""
        return create_engine(self.url, connect_args={"timeout": 60} if self.url.startswith("sqlite") else {})

    def feed(self, records: int, *, first_case: int) -> None:
        """Some more rows, a commit each, with the platform's own clock as change time; cases are numbered on."""
        engine = self.platform()
        steps = cgs.live(engine, division=DIVISION, now=platform_now, seed=first_case, first_case=first_case)
        for _ in range(records):
            next(steps)
        engine.dispose()

    def feed_past(self, records: int) -> None:
        """Rows of past months, in bulk."""
        engine = self.platform()
        cgs.feed(engine, division=DIVISION, start=START, records=records, seed=7)
        engine.dispose()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`gateway run` in a process of its own."""
        command = [sys.executable, "-m", "monitor", "run", "--config", str(self.folder / "gateway.yaml"), *arguments]
        with (self.folder / "gateway.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def run(self, *arguments: str) -> dict[str, Any]:
        """A command to its end; its JSON."""
        command = [sys.executable, "-m", "monitor", *arguments, "--config", str(self.folder / "gateway.yaml"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    def keys(self) -> list[str]:
        """What the platform's database holds, as keys with versions, read without the adapter."""
        found = []
        engine = self.platform()
        with engine.connect() as connection:
            for kind, (table, part) in _PARTS.items():
                column = f", {part}" if part and not part.isdigit() else ""
                for row in connection.execute(text(f"SELECT YWLSH, SJBBH{column} FROM {table}")):
                    number = application_no(DIVISION, row[0].strip())
                    tail = str(row[2]).strip() if column else (part or "")
                    found.append(f"{business_key(DIVISION, kind, number, tail)}:{row[1]}")
        engine.dispose()
        return found


def kill(process: subprocess.Popen[bytes]) -> bool:
    """Kill -9; False when it had ended by itself before."""
    was_alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    return was_alive


def wait_until(condition: Any, *, timeout_s: float, what: str) -> None:
    """Poll until true; fails with `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
