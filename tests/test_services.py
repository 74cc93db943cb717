"""The services are real, on the same data after kill and start, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import create_engine, text

from bus.errors import FatalError
from tests import services

if TYPE_CHECKING:
    from tests.conftest import Vhost

pytestmark = pytest.mark.services


def test_postgresql_keeps_committed_rows_over_kill() -> None:
    with services.postgresql() as server:
        database = server.database()
        with psycopg.connect(server.dsn(database)) as connection:
            connection.execute("CREATE TABLE t AS SELECT '测试单位' AS name")
        server.kill()
        assert not server.is_running
        server.start()
        engine = create_engine(server.url(database))
        with engine.connect() as again:
            assert again.execute(text("SELECT name FROM t")).scalar_one() == "测试单位"
        engine.dispose()
        folder = server.folder
    assert not folder.exists()


def test_mariadb_speaks_the_charset_asked_for() -> None:
    with services.mariadb(charset="gbk") as server:
        database = server.database()
        engine = create_engine(server.url(database))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (name VARCHAR(20)) ENGINE=InnoDB"))
            connection.execute(text("INSERT INTO t VALUES ('测试单位')"))
        engine.dispose()
        server.kill()
        server.start()
        with engine.connect() as connection:
            assert (
                connection.execute(text("SELECT HEX(name) FROM t")).scalar_one()
                == "测试单位".encode("gbk").hex().upper()
            )
        engine.dispose()


def test_rabbitmq_has_a_node_and_an_epmd_of_its_own() -> None:
    with services.rabbitmq() as broker:
        epmd = broker._epmd.pid
        name = broker.vhost()
        broker.settle(0)
        broker.stop_app()
        assert not broker._greets()
        broker.start_app()
        assert name in broker.ctl("list_vhosts")
        pid = broker.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{epmd}").exists()


def test_every_test_has_a_vhost_of_its_own(vhost: Vhost) -> None:
    vhost.broker.account("reader", vhost.name, ("^$", "^$", ".*"), tags="management")
    assert vhost.url.endswith(f"/{vhost.name}")
    assert "reader\t^$\t^$\t.*" in vhost.broker.ctl("list_permissions", "-p", vhost.name)


def test_a_server_that_cannot_start_says_why(postgres: services.PostgreSQL) -> None:
    broken = services.PostgreSQL(options={"port": "no"})
    try:
        with pytest.raises(FatalError, match="postgresql ended at start"):
            broken.start()
        with pytest.raises(FatalError, match="exit 2"):
            broken.run([sys.executable, "-c", "raise SystemExit(2)"])
    finally:
        broken.remove()


def test_services_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom tests import services\n"
        "with services.postgresql() as server:\n"
        "    print(server.pid, server.folder, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path.cwd())
    pid, folder = done.stdout.split()
    services.wait_for(lambda: not _is_alive(int(pid)), what="orphaned server ends", timeout_s=10)
    shutil.rmtree(folder)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
