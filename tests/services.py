"""Real services for tests: those of the bench, RabbitMQ with TLS too, and MariaDB. See `monitor.bench.services`.

with rabbitmq() as broker:
    vhost = broker.vhost()          # a fresh vhost in about 10 ms
    connect(broker.url(vhost))
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import pymysql

from monitor.bench import services
from monitor.bench.services import PostgreSQL, Service, free_ports, postgresql, running, wait_for
from tests.certificates import self_signed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "MariaDB",
    "PostgreSQL",
    "RabbitMQ",
    "Service",
    "free_ports",
    "mariadb",
    "postgresql",
    "rabbitmq",
    "wait_for",
]


class RabbitMQ(services.RabbitMQ):
    """The bench's RabbitMQ, listening for TLS too.

    Attributes:
        tls_port: AMQP over TLS, on 127.0.0.1.
        certificate: PEM file with the server's own certificate, which clients may trust.
    """

    def settings(self) -> str:
        """The TLS listener."""
        (self.tls_port,) = free_ports(1)
        self.certificate = self_signed(self.folder / "server.pem")
        return (
            f"listeners.ssl.default = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.certfile = {self.certificate}\nssl_options.keyfile = {self.certificate}\n"
        )


class MariaDB(Service):
    """MariaDB with InnoDB defaults; `root` without a password over loopback.

    Args:
        charset, collation: of the server, e.g. `gbk`.
        options: further options of mariadbd, e.g. `{"innodb-flush-log-at-trx-commit": "2"}`.
    """

    name = "mariadb"

    def __init__(
        self, *, charset: str = "utf8mb4", collation: str | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(user="mysql")
        (self.port,) = free_ports(1)
        self._charset = charset
        self._options = {"character-set-server": charset, "default-time-zone": "+08:00"} | dict(options or {})
        if collation:
            self._options["collation-server"] = collation
        self._databases = (f"d{number}" for number in itertools.count(1))
        self.run(
            f"mariadb-install-db --no-defaults --datadir={self.folder}/data --skip-test-db --skip-name-resolve"
            f" --auth-root-authentication-method=normal {' '.join(self._small())}".split()
        )

    def command(self) -> Sequence[str]:
        own = {"bind-address": "127.0.0.1", "port": str(self.port), "skip-name-resolve": "1"}
        paths = {"datadir": "data", "socket": "mysqld.sock", "pid-file": "mysqld.pid", "tmpdir": "."}
        settings = own | {name: str(self.folder / path) for name, path in paths.items()} | self._options
        return ["mariadbd", "--no-defaults", *self._small(), *(f"--{name}={value}" for name, value in settings.items())]

    def answers(self) -> bool:
        with contextlib.suppress(pymysql.err.OperationalError):
            pymysql.connect(host="127.0.0.1", port=self.port, user="root").close()
            return True
        return False

    def url(self, database: str = "mysql", *, charset: str | None = None) -> str:
        """URL for SQLAlchemy."""
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}?charset={charset or self._charset}"

    def database(self, *, charset: str | None = None) -> str:
        """Name of a fresh database."""
        name = next(self._databases)
        with (
            contextlib.closing(pymysql.connect(host="127.0.0.1", port=self.port, user="root")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET {charset or self._charset}")
        return name

    @staticmethod
    def _small() -> list[str]:
        return ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--performance-schema=0"]


def rabbitmq() -> contextlib.AbstractContextManager[RabbitMQ]:
    """A running RabbitMQ."""
    return running(RabbitMQ())


def mariadb(
    *, charset: str = "utf8mb4", collation: str | None = None, options: Mapping[str, str] | None = None
) -> contextlib.AbstractContextManager[MariaDB]:
    """A running MariaDB, see `MariaDB`."""
    return running(MariaDB(charset=charset, collation=collation, options=options))
