"""DatabaseSource: the generic SourceAdapter on SQLAlchemy Core, `mode: cursor`."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from adapters.database.dialects import begin_snapshot, codec_of, dialect_of, horizon, needs_octets
from adapters.database.error_map import mapped
from adapters.database.look import Look
from adapters.database.parents import Table
from adapters.database.passes import Output, Snapshot, Work, first_reading
from adapters.database.position import Position
from adapters.database.reading import Reader
from adapters.database.rows import RowPlan
from adapters.database.statements import Catalogue, TableStatements
from adapters.database.sweep import sweep
from bus.errors import ConfigurationError, EndOfSource
from bus.message import KIND_ORDER, Batch
from bus.ports import SourceAdapter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sqlalchemy.engine import Engine

    from adapters.database.declaration import Platform
    from adapters.options import DatabaseOptions
    from bus.ports import KeyIndex

_SCOPES: Final = ("sweep", "window", "poll")


class DatabaseSource(SourceAdapter):
    """Reads the tables that `platform` declares.

    A pass reads one snapshot: the first reading streams everything; a poll looks from the last change time on
    (PostgreSQL: at row versions that the last snapshot could not see); the window looks `late_s` back; the sweep looks
    at every key. A pass may take several `read` calls, and its snapshot is held until its last batch is handed on.

    Args:
        platform: declarations of the tables.
        division: the source's own.
        options: as configured.

    Raises:
        ConfigurationError: `where` names a column that a table has neither itself nor from its parent.
    """

    def __init__(self, platform: Platform, *, division: str, options: DatabaseOptions) -> None:
        self.is_explicit = platform.is_explicit
        self._platform = platform
        self._division = division
        self._options = options
        self._engine: Engine | None = None
        self._pass: Generator[Output, None, None] | None = None
        self._source_at: datetime | None = None
        self._is_draining = False
        self._left: list[str] = []
        self._due: dict[str, float] = {}
        self._position = Position()
        self._check_where()

    def _check_where(self) -> None:
        for name in self._options.where:
            own = name.removeprefix("parent.")
            problems = [
                f"options.where.{name}: {d.table} has no such column, and neither has its parent"
                for d in self._platform.tables
                if own not in {c.name for c in d.read_columns} and (d.parent is None or own not in d.parent.columns)
            ]
            if problems:
                raise ConfigurationError(problems)

    def open(self, keys: KeyIndex, *, position: str | None, drain: bool) -> None:
        """See SourceAdapter."""
        self.close()
        self._position = Position.load(position)
        self._is_draining = drain
        self._left = ["poll", "sweep"]
        self._due = dict.fromkeys(_SCOPES, 0.0)
        try:
            self._engine = sa.create_engine(
                self._options.url, pool_size=1, max_overflow=1, pool_pre_ping=True, poolclass=sa.pool.QueuePool
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ConfigurationError([f"options.url: {error}"]) from error
        except ValueError as error:  # its text quotes a part of the URL, which may be one of a password
            raise ConfigurationError(["options.url: malformed: its port is no number"]) from error
        try:
            self._prepare(keys)
        except BaseException:
            self.close()
            raise

    def _prepare(self, keys: KeyIndex) -> None:
        assert self._engine is not None
        with mapped("connecting"), self._engine.connect() as connection:
            self._dialect = dialect_of(self._engine)
            self._codec = self._options.bytes_as or codec_of(connection)
            self._is_octets = self._options.bytes_as is not None or needs_octets(connection)
            tables = self._tables(Catalogue(connection, self._dialect, self._options.db_schema))
            for table in tables.values():
                # An account without the right to read is found now, not at the first pass.
                connection.execute(table.statements.full(None, limit=0, as_octets=False)).close()
        self._work = Work(self._platform, tables, keys, division=self._division, options=self._options)

    def _tables(self, catalogue: Catalogue) -> dict[int, Table]:
        tables: dict[int, Table] = {}
        for declaration in sorted(self._platform.tables, key=lambda d: KIND_ORDER.get(d.kind, len(KIND_ORDER))):
            rank = len(tables)
            statements = TableStatements(declaration, catalogue, self._dialect, rank=rank, options=self._options)
            plan = RowPlan(declaration, self._platform, division=self._division)
            tables[rank] = Table(statements, plan)
        catalogue.check()
        # A view has no system columns: such a source is read through the window, as on any other product.
        self._has_horizon = self._dialect.has_horizon and not any(
            catalogue.is_view(d.table) for d in self._platform.tables
        )
        return tables

    def read(self, max_records: int) -> Batch:
        """See SourceAdapter."""
        assert self._engine is not None, "open comes first"
        self._work.limit = max_records
        output = self._next_output()
        if output is None:
            return Batch((), self._position.dump(), datetime.now(UTC))
        self._position = output.position
        return Batch(
            output.records,
            output.position.dump(),
            datetime.now(UTC),
            self._source_at,
            output.vanished,
            output.unassigned,
        )

    def _next_output(self) -> Output | None:
        """What the running pass gives, or the next one that is due; None when none is. Every pass gives something."""
        while True:
            if self._pass is None:
                scope = self._next_scope()
                if scope is None:
                    return None
                self._pass = self._run(scope)
            output = next(self._pass, None)
            if output is not None:
                return output
            self._pass = None

    def _next_scope(self) -> str | None:
        if self._is_draining:
            if not self._left:
                raise EndOfSource
            return self._left[0]
        if self._position.time is None:
            return "first"
        if self._is_sweep_due():
            return "sweep"
        scopes = ("poll",) if self._has_horizon else ("window", "poll")
        return next((scope for scope in scopes if time.monotonic() >= self._due[scope]), None)

    def _is_sweep_due(self) -> bool:
        swept_at = self._position.swept_at
        if swept_at is None:
            return True
        age_s = (datetime.now(UTC) - datetime.fromisoformat(swept_at)).total_seconds()
        # Negative: our own clock was set back. Better once too often.
        return age_s < 0 or age_s >= self._options.sweep_s

    def _run(self, scope: str) -> Generator[Output, None, None]:
        """One pass in a snapshot of its own, which is let go before the last batch is handed on."""
        with self._snapshot() as snapshot, closing(self._pass_of(scope, snapshot)) as outputs:
            self._source_at = snapshot.source_at
            unassigned = 0
            for output in outputs:
                unassigned += output.unassigned
                if output.end:
                    break
                # A batch without records means that nothing is new, so what belongs to nobody is told with the next.
                if output.records:
                    yield output._replace(unassigned=unassigned)
                    unassigned = 0
        self._plan_next(scope, is_complete=output.end == "complete")
        yield output._replace(unassigned=unassigned)

    def _pass_of(self, scope: str, snapshot: Snapshot) -> Generator[Output, None, None]:
        if self._position.time is None:
            return first_reading(self._work, snapshot, self._position)
        if scope == "sweep":
            return sweep(self._work, snapshot, self._position, fresh=self._snapshot)
        return Look(self._work, snapshot, self._position, scope=scope).run()

    def _plan_next(self, scope: str, *, is_complete: bool) -> None:
        """When to look again: not before its interval, and not so soon that the platform does little else."""
        now = time.monotonic()
        rest_s = self._work.thin_s * 100 / self._options.load_percent
        if is_complete:
            self._due["poll"] = now + max(self._options.poll_s, rest_s)
            if scope != "poll":
                self._due["window"] = now + max(self._options.late_poll_s, rest_s)
            if self._is_draining:
                self._left.pop(0)

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        assert self._engine is not None
        with mapped("connecting"):
            connection = self._engine.connect()
        try:
            with mapped("beginning a snapshot"):
                options: dict[str, Any] = {}
                if self._dialect.isolation:
                    options["isolation_level"] = self._dialect.isolation
                if self._engine.dialect.name == "postgresql":
                    options["postgresql_readonly"] = True
                connection = connection.execution_options(**options)
                source_at = begin_snapshot(connection, self._dialect, limit_s=self._options.page_limit_s)
                seen = horizon(connection) if self._has_horizon else None
            reader = Reader(connection, self._dialect, codec=self._codec, is_octets=self._is_octets)
            yield Snapshot(reader, source_at, seen)
        finally:
            with mapped("ending a snapshot"):
                connection.close()

    def acknowledge(self, position: str) -> None:
        """Nothing to do: the platform is only read, and progress is in the ledger."""

    def close(self) -> None:
        """See SourceAdapter."""
        if self._pass is not None:
            self._pass.close()
            self._pass = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
