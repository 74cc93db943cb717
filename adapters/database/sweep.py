"""The sweep: every key of the source against every key of the ledger; finds what no look can find.

The seen-set is one bit a key: a million keys take 125 KB.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from adapters.database.look import Look
from adapters.database.passes import Output
from adapters.database.position import time_text
from bus.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from adapters.database.passes import Snapshot, Work
    from adapters.database.position import Position
    from bus.ports import KeyIndex

_PAGE: Final = 5_000
_NUMBERS: Final = 500
#: A sweep that would report more of one table stops: 1 % of its rows (never for fewer than 10), or 1,000.
_SHARE: Final = 0.01
_AT_LEAST: Final = 10
_AT_MOST: Final = 1_000
#: More than so many of one table are not even asked for once more.
_UNCONFIRMED: Final = 20_000


def last_ordinal(keys: KeyIndex) -> int:
    """The highest ordinal that the ledger has given; 0 when it knows nothing."""
    step, last = 1, 0
    while found := keys.ordinals(after=last + step - 1, limit=1):
        last, step = found[0][0], step * 2
    while step > 1:
        step //= 2
        if found := keys.ordinals(after=last + step - 1, limit=1):
            last = found[0][0]
            step *= 2
    found = keys.ordinals(after=last, limit=1)
    return found[0][0] if found else last


def sweep(
    work: Work,
    snapshot: Snapshot,
    position: Position,
    *,
    fresh: Callable[[], AbstractContextManager[Snapshot]],
) -> Generator[Output, None, None]:
    """All tables by thin queries; then the keys that the ledger has and the source lacks.

    Args:
        work: what the passes share.
        snapshot: of the sweep.
        position: before it.
        fresh: gives a new snapshot, in which each missing key is looked for once more.

    Raises:
        FatalError: too much is missing to be believed; nothing is reported.
    """
    begun = datetime.now(UTC)
    look = Look(work, snapshot, position, scope="sweep")
    last = last_ordinal(work.keys)
    look.bitmap = bytearray((last >> 3) + 1)
    for output in look.run():
        position = output.position
        if output.end != "complete":
            yield output
    if not look.is_complete:
        return
    missing = _missing(work, snapshot, look.bitmap, last)
    if missing:
        with fresh() as now:
            missing = {rank: _confirmed(work, now, rank, keys) for rank, keys in missing.items()}
    for rank, keys in missing.items():
        kind = work.tables[rank].plan.declaration.kind
        _guard(kind, len(keys), position.rows.get(kind, look.counts[kind] + len(keys)), work.options.vanished_max)
    position = position._replace(swept_at=begun.isoformat(), rows=look.counts)
    yield Output((), position, vanished=tuple(chain.from_iterable(missing.values())), end="complete")


def _missing(work: Work, snapshot: Snapshot, bitmap: bytearray, last: int) -> dict[int, list[str]]:
    """Rank of the table → row keys that the ledger had before the sweep, the sweep did not meet, and nothing explains.

    Raises:
        FatalError: more of one table than could be reported after any confirmation.
    """
    ranks = {table.plan.declaration.kind: rank for rank, table in work.tables.items()}
    most = max(_UNCONFIRMED, work.options.vanished_max or 0)
    missing: dict[int, list[str]] = {}
    after = 0
    while entries := work.keys.ordinals(after=after, limit=_PAGE):
        after = entries[-1][0]
        unmet = [key for ordinal, key in entries if ordinal <= last and not _is_set(bitmap, ordinal)]
        unmet = _unpurged(work, snapshot, unmet)
        if work.is_explicit:
            unmet = _unreplaced(work, bitmap, last, unmet)
        for key in unmet:
            owner, kind, _ = key.split(":", 2)
            if owner == work.division and kind in ranks:
                missing.setdefault(ranks[kind], []).append(key)
        for rank, keys in missing.items():
            if len(keys) > most:
                kind = work.tables[rank].plan.declaration.kind
                _guard(kind, len(keys), len(keys), work.options.vanished_max)
    return missing


def _is_set(bitmap: bytearray, ordinal: int) -> bool:
    return bool(bitmap[ordinal >> 3] >> (ordinal & 7) & 1)


def _unreplaced(work: Work, bitmap: bytearray, last: int, row_keys: Sequence[str]) -> list[str]:
    """`row_keys` without those of whose record the sweep met a later version: changed in place, not gone."""
    gone = []
    probes = {row_key: row_key for row_key in row_keys}
    while probes:
        later = {row_key: _next_version(probe) for row_key, probe in probes.items()}
        seen = work.keys.seen(list(later.values()))
        gone += [row_key for row_key, probe in later.items() if probe not in seen]
        probes = {
            row_key: probe
            for row_key, probe in later.items()
            if probe in seen and seen[probe].ordinal <= last and not _is_set(bitmap, seen[probe].ordinal)
        }
    return gone


def _next_version(row_key: str) -> str:
    key, _, version = row_key.rpartition(":")
    return f"{key}:{int(version) + 1}"


def _confirmed(work: Work, now: Snapshot, rank: int, row_keys: Sequence[str]) -> list[str]:
    """Which of `row_keys` the source has neither as they are nor in a later version, asked once more by number."""
    statements, plan = work.tables[rank]
    native_no = work.platform.native_no
    numbers = sorted({native_no(work.division, unquote(key.split(":")[2])) for key in row_keys})
    declaration = plan.declaration
    names = (declaration.key[0], declaration.part, declaration.version)
    text_at = (0, 1) if declaration.part and statements.is_text(declaration.part) else (0,)
    found: dict[str, int] = {}
    for start in range(0, len(numbers), _NUMBERS):
        part = numbers[start : start + _NUMBERS]
        page = now.reader.small(partial(statements.present, part), names, text_at=text_at)
        for row in page.rows:
            key, version = _split(plan.row_key_of(*row), is_explicit=bool(declaration.version))
            found[key] = max(found.get(key, 0), version)
    split = ((row_key, *_split(row_key, is_explicit=bool(declaration.version))) for row_key in row_keys)
    return [row_key for row_key, key, version in split if found.get(key, 0) < version]


def _split(row_key: str, *, is_explicit: bool) -> tuple[str, int]:
    """Business key and version of a row key; 1 where the source has no version."""
    if not is_explicit:
        return row_key, 1
    key, _, version = row_key.rpartition(":")
    return key, int(version)


def _unpurged(work: Work, snapshot: Snapshot, keys: list[str]) -> list[str]:
    """`keys` without those old enough to have been purged by the site as it says it does."""
    days = work.options.purges_after_days
    if days is None:
        return keys
    border = time_text(snapshot.now - timedelta(days=days))
    seen = work.keys.seen(keys)
    return [key for key in keys if key not in seen or not "" < seen[key].changed_at < border]


def _guard(kind: str, count: int, rows: int, allowed: int | None) -> None:
    if allowed is None:
        is_too_many = count >= _AT_MOST or (count >= _AT_LEAST and count > rows * _SHARE)
    else:
        is_too_many = count > allowed
    if is_too_many:
        raise FatalError(
            f"{kind}: {count} of {rows} rows are no longer in the source; nothing was reported as vanished. "
            "Ask the site what happened. If it purges old cases, set options.purges_after_days to its retention; "
            f"if the rows were removed on purpose, set options.vanished_max to {count} for one sweep; "
            "if its database was restored or emptied, stop this source until it is whole again. "
            f"（{kind}：源库缺少 {count} 行（共 {rows} 行），未作消失上报；请先与平台核实）"
        )
