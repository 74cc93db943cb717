"""Real PostgreSQL and MariaDB for the tests that need them: temporary folders, free loopback ports, stopped by pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POSTGRES = Path("/usr/lib/postgresql/15/bin")
_NUMBERS = count(1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _as_user(user: str) -> list[str]:
    """Servers refuse to run as root."""
    return ["runuser", "-u", user, "--"] if os.getuid() == 0 else []


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"adapters-{user}-"))
    if os.getuid() == 0:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(command: list[str], folder: Path, url: str) -> Iterator[str]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        deadline = time.monotonic() + 60
        while True:
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                assert process.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.1)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the maintenance database of a PostgreSQL of our own."""
    with _folder("postgres") as folder:
        user, port = _as_user("postgres"), _free_port()
        subprocess.run(
            [*user, str(_POSTGRES / "initdb"), "-D", f"{folder}/data", "-U", "postgres", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
        )
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", f"port={port}", "-k", str(folder)]
        command = [*user, str(_POSTGRES / "postgres"), "-D", f"{folder}/data", *options]
        with _server(command, folder, f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres") as url:
            yield url


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """URL of the `mysql` database of a MariaDB of our own."""
    with _folder("mysql") as folder:
        port, user = _free_port(), ["--user=mysql"] if os.getuid() == 0 else []
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", *user]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        command = ["mariadbd", "--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/s", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", *user]
        with _server(command, folder, f"mysql+pymysql://root@127.0.0.1:{port}/mysql?charset=utf8mb4") as url:
            yield url


@contextmanager
def _database(server: str, create: str, drop: str, query: dict[str, str]) -> Iterator[str]:
    name = f"d{next(_NUMBERS)}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(create.format(name))
    url = sa.make_url(server).set(database=name, query=query)
    yield url.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(drop.format(name))


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with _database(postgres_server, "CREATE DATABASE {}", "DROP DATABASE {} WITH (FORCE)", {}) as url:
        yield url


@pytest.fixture
def postgres_ascii(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database that checks no octets."""
    create = "CREATE DATABASE {} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with _database(postgres_server, create, "DROP DATABASE {} WITH (FORCE)", {"client_encoding": "utf8"}) as url:
        yield url


@pytest.fixture
def mariadb(mariadb_server: str) -> Iterator[str]:
    """URL of an empty MariaDB database, connections in GBK."""
    with _database(
        mariadb_server, "CREATE DATABASE {} CHARACTER SET gbk", "DROP DATABASE {}", {"charset": "gbk"}
    ) as url:
        yield url


@pytest.fixture
def mariadb_latin1(mariadb_server: str) -> Iterator[str]:
    """URL of an empty MariaDB database, columns and connections in latin1."""
    create = "CREATE DATABASE {} CHARACTER SET latin1"
    with _database(mariadb_server, create, "DROP DATABASE {}", {"charset": "latin1"}) as url:
        yield url


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """URL of an empty SQLite database."""
    return f"sqlite:///{tmp_path}/site.db"


@pytest.fixture
def engines() -> Iterator[Callable[[str], sa.Engine]]:
    """Makes engines that are closed at the end."""
    made: list[sa.Engine] = []

    def make(url: str) -> sa.Engine:
        made.append(sa.create_engine(url, poolclass=sa.pool.NullPool))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


_SERVICES = [pytest.param(name, marks=pytest.mark.services) for name in ("postgres", "mariadb")]


@pytest.fixture(params=["sqlite", *_SERVICES])
def site(request: pytest.FixtureRequest) -> str:
    """URL of an empty database of each product in turn."""
    return str(request.getfixturevalue(request.param))
