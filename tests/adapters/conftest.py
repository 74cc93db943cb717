"""Empty databases of every product that a platform may have."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests import services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the maintenance database of a PostgreSQL of our own, in which nothing waits for the disk."""
    with services.postgresql(options={"fsync": "off"}) as server:
        yield server.url()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """URL of the `mysql` database of a MariaDB of our own, in which nothing waits for the disk."""
    with services.mariadb(options={"innodb-flush-log-at-trx-commit": "0"}) as server:
        yield server.url(charset="utf8mb4")


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
