"""Real services for the bench and for tests: RabbitMQ and PostgreSQL, each a process of its own.

Every service lives in a temporary folder, listens on free loopback ports, is stopped by its own process id and dies
with the process that started it. Whoever started one may kill and restart it: `kill()` is `kill -9`, `start()`
continues on the same data, `stop()` is an orderly end. What has to be installed is listed, and installed, by
`.ci/services`.

    with rabbitmq() as broker:
        vhost = broker.vhost()          # a fresh vhost in about 10 ms
        connect(broker.url(vhost))

Services that refuse to run as root (PostgreSQL) run as the user of their Debian package when we run as root.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import psycopg

from bus.errors import FatalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_RABBITMQ_SBIN: Final = Path("/usr/lib/rabbitmq/lib")
_POSTGRESQL: Final = Path("/usr/lib/postgresql")
_START_TIMEOUT_S: Final = 60.0


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that nobody listened on a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for(
    condition: Callable[[], object], *, what: str, timeout_s: float = _START_TIMEOUT_S, every_s: float = 0.05
) -> None:
    """Call `condition` until it is true; TransientError naming `what` after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise TransientError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(every_s)


_Some = TypeVar("_Some", bound="Service")


class Service:
    """One server process in a folder of its own.

    Attributes:
        folder: everything the service writes; removed at the end.
        log: its standard output and error.
        start_s: how long the last start took.
    """

    name = "service"

    def __init__(self, *, user: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"fx-{self.name}-"))
        self.folder.chmod(0o755)
        self.log = self.folder / "output.log"
        self.start_s = 0.0
        self._user = pwd.getpwnam(user) if user and os.getuid() == 0 else None
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on the data in `folder` and return when the service answers."""
        began = time.monotonic()
        self._process = self._spawn(self.command(), env=self.environment())
        wait_for(self._answers_or_died, what=f"{self.name} answers; see {self.log}")
        self.start_s = time.monotonic() - began

    def kill(self) -> None:
        """`kill -9`: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Orderly shutdown; the data stay."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze the process: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """Kill what runs and delete the folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self) -> Sequence[str]:
        """The server's command line."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """What the server needs beyond our environment."""
        return {}

    def answers(self) -> bool:
        """Whether the service takes work."""
        raise NotImplementedError

    def run(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, text: str = "") -> str:
        """Run a tool as the service's user and return what it prints; FatalError with its output if it fails."""
        done = subprocess.run(
            self._as_user(command),
            input=text,
            env=os.environ | dict(env or {}),
            capture_output=True,
            encoding="utf-8",
            cwd=self.folder,
            check=False,
        )
        if done.returncode != 0:
            raise FatalError(f"{command[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _answers_or_died(self) -> bool:
        if not self.is_running:
            raise FatalError(f"{self.name} ended at start:\n{self.log.read_text(errors='replace')[-2000:]}")
        return self.answers()

    def _as_user(self, command: Sequence[str]) -> list[str]:
        if self._user is None:
            return list(command)
        identity = [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        return ["setpriv", *identity, "--", *command]

    def _spawn(self, command: Sequence[str], *, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a daemon that dies with the thread that started it."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "--", *self._with_parent_death(command)],
                env=os.environ | dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def _with_parent_death(self, command: Sequence[str]) -> list[str]:
        """Changing the user clears the parent-death signal, so the inner setpriv sets it again."""
        changed = self._as_user(command)
        return changed if self._user is None else [changed[0], "--pdeathsig=KILL", *changed[1:]]

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(timeout=_START_TIMEOUT_S)
        self._process = None


class RabbitMQ(Service):
    """RabbitMQ 3.10 with quorum queues, streams and the management API, one node, own epmd.

    A broker killed within about a second after a quorum queue was declared leaves that queue broken for ever on
    3.10.8 (the name table of its Raft library is flushed late): call `settle()` between declaring and `kill()`.

    Attributes:
        port, management_port: AMQP and HTTP, on 127.0.0.1.
    """

    name = "rabbitmq"
    user = "guest"
    password = "guest"

    def __init__(self) -> None:
        super().__init__()
        self.port, self.management_port, self._epmd_port, self._dist_port = free_ports(4)
        self.node = f"rabbit{self.port}@localhost"
        self._vhosts = (f"v{number}" for number in itertools.count(1))
        self._sbin = next(_RABBITMQ_SBIN.glob("rabbitmq_server-*/sbin"))
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(f"COOKIE{self.port}")
        cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.management_port}\n"
            "log.file = false\nlog.console = true\nlog.console.level = warning\n"
            f"{self.settings()}"
        )
        self._epmd = self._spawn(
            ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"], env=self.environment()
        )

    def settings(self) -> str:
        """Further lines of rabbitmq.conf; asked once, when the server is made."""
        return ""

    def url(self, vhost: str = "/", *, user: str = "guest", password: str = "guest") -> str:
        """AMQP URL of a vhost."""
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    @property
    def management_url(self) -> str:
        """The management API's address, without a path."""
        return f"http://127.0.0.1:{self.management_port}"

    def environment(self) -> Mapping[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/no-env.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/no-advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RABBITMQ_ALLOW_INPUT": "1",  # the script then becomes the server instead of a parent of it
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def command(self) -> Sequence[str]:
        return [str(self._sbin / "rabbitmq-server")]

    def answers(self) -> bool:
        return self._greets() and self._serves_management()

    def ctl(self, *arguments: str) -> str:
        """`rabbitmqctl` (about 1.5 s a call); `evaluate` is faster where an Erlang call exists."""
        return self.run([str(self._sbin / "rabbitmqctl"), "-q", "-n", self.node, *arguments], env=self.environment())

    def evaluate(self, expression: str) -> str:
        """Evaluate Erlang in the node (about 10 ms) and return its value as text."""
        command = ["erl_call", "-sname", self.node, "-c", f"COOKIE{self.port}", "-fetch_stdout", "-e"]
        out = self.run(command, env=self.environment(), text=f"{expression}.\n")
        if not out.startswith("{ok,"):
            raise FatalError(f"erl_call: {out}")
        return out[len("{ok, ") : -1].strip()

    def vhost(self, name: str | None = None) -> str:
        """A fresh vhost that `guest` may use."""
        name = name or next(self._vhosts)
        self.evaluate(
            f'rabbit_vhost:add(<<"{name}">>, <<"test">>),'
            f'rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>,'
            '<<".*">>, <<".*">>, <<".*">>, <<"test">>)'
        )
        return name

    def delete_vhost(self, name: str) -> None:
        """Remove a vhost and everything in it; its connections are closed."""
        self.evaluate(f'rabbit_vhost:delete(<<"{name}">>, <<"test">>)')

    def account(
        self, name: str, vhost: str, permissions: Sequence[str] = ("^$", ".*", ".*"), *, tags: str = ""
    ) -> None:
        """An account whose password is its name.

        Args:
            name: of the account.
            vhost: it may use.
            permissions: regular expressions for configure, write, read.
            tags: Erlang atoms such as `management`, separated by commas.
        """
        configure, write, read = permissions
        self.evaluate(
            f'rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{name}">>, <<"test">>),'
            f'rabbit_auth_backend_internal:set_tags(<<"{name}">>, [{tags}], <<"test">>),'
            f'rabbit_auth_backend_internal:set_permissions(<<"{name}">>, <<"{vhost}">>,'
            f'<<"{configure}">>, <<"{write}">>, <<"{read}">>, <<"test">>)'
        )

    def memory_alarm(self, *, is_on: bool) -> None:
        """Raise or clear the alarm that makes the broker block every publishing connection."""
        self.evaluate(f"vm_memory_monitor:set_vm_memory_high_watermark({'0.000001' if is_on else '0.4'})")

    def settle(self, seconds: float = 8.0) -> None:
        """Wait until a quorum queue that was just declared survives `kill()` (see the class)."""
        time.sleep(seconds)

    def stop_app(self) -> None:
        """Stop the broker inside its node; `start_app` brings it back."""
        self.ctl("stop_app")

    def start_app(self) -> None:
        """Start the broker again after `stop_app`."""
        self.ctl("start_app")
        wait_for(self.answers, what="rabbitmq answers after start_app")

    def remove(self) -> None:
        super().remove()
        self._epmd.kill()
        self._epmd.wait(timeout=10)

    def _greets(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
        return False

    def _serves_management(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.management_port, timeout=5)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/api/index.html")
            return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
        return False


class PostgreSQL(Service):
    """PostgreSQL with its defaults (fsync on), trusting every loopback connection."""

    name = "postgresql"

    def __init__(self, *, options: Mapping[str, str] | None = None) -> None:
        super().__init__(user="postgres")
        (self.port,) = free_ports(1)
        self._options = dict(options or {})
        self._databases = (f"d{number}" for number in itertools.count(1))
        self._bin = max(_POSTGRESQL.glob("*/bin"))
        self.run(
            f"{self._bin}/initdb -D {self.folder}/data -U postgres -A trust -E UTF8 --locale=C.UTF-8"
            " --no-sync --no-instructions".split()
        )

    def command(self) -> Sequence[str]:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "timezone": "UTC"}
        pairs = [f"--{name}={value}" for name, value in (settings | self._options).items()]
        return [str(self._bin / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *pairs]

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.dsn()).close()
            return True
        return False

    @property
    def psql(self) -> list[str]:
        """Command line of psql on this server, to which options are added."""
        return [str(self._bin / "psql"), self.dsn()]

    def dsn(self, database: str = "postgres") -> str:
        """Connection string for psycopg and psql."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def url(self, database: str = "postgres") -> str:
        """URL for SQLAlchemy."""
        return self.dsn(database).replace("postgresql:", "postgresql+psycopg:", 1)

    def database(self) -> str:
        """Name of a fresh database."""
        name = next(self._databases)
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return name

    def start(self) -> None:
        """As `Service.start`; after `kill` the orphaned back ends must let go of the shared memory first."""
        lock = self.folder / "data" / "postmaster.pid"
        if lock.exists():
            wait_for(lambda: not self._orphans(), what="back ends of the killed PostgreSQL end")
            lock.unlink()
        super().start()

    def stop(self) -> None:
        """Fast shutdown: clients are cut, data are flushed."""
        self._end(signal.SIGINT)

    def _orphans(self) -> bool:
        marker = str(self.folder / "data").encode()
        return any(_link(each / "cwd") == marker for each in Path("/proc").iterdir() if each.name.isdigit())


def _link(path: Path) -> bytes:
    try:
        return os.fsencode(path.readlink())
    except OSError:
        return b""


@contextlib.contextmanager
def running(service: _Some) -> Iterator[_Some]:
    """Start `service`; remove it at the end."""
    try:
        service.start()
        yield service
    finally:
        service.remove()


def rabbitmq() -> contextlib.AbstractContextManager[RabbitMQ]:
    """A running RabbitMQ."""
    return running(RabbitMQ())


def postgresql(*, options: Mapping[str, str] | None = None) -> contextlib.AbstractContextManager[PostgreSQL]:
    """A running PostgreSQL; `options` are server settings."""
    return running(PostgreSQL(options=options))
