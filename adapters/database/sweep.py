"""The sweep: every key of the source against every key of the ledger; finds what no look can find.

The seen-set is one bit a key: a million keys take 125 KB.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from adapters.database.passes import Look, Output
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
#: `bus.message.escape_key_part`, undone: white space beyond U+00FF has four digits, none of them starting like others.
_ESCAPE: Final = re.compile(r"%(1680|20[02][0-9A-F]|205F|3000|[0-9A-F]{2})")


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
    missing = _missing(work, look.bitmap, last)
    if missing:
        with fresh() as now:
            missing = {rank: _confirmed(work, now, rank, keys) for rank, keys in missing.items()}
    vanished: list[str] = []
    for rank, unconfirmed in missing.items():
        kind = work.tables[rank].plan.declaration.kind
        keys = _unpurged(work, snapshot, unconfirmed)
        vanished += keys
        base = position.rows.get(kind, look.counts[kind] + len(keys))
        _guard(kind, len(keys), base, work.options.vanished_max)
    position = position._replace(swept_at=begun.isoformat(), rows=look.counts)
    yield Output((), position, vanished=tuple(vanished), end="complete")


def _missing(work: Work, bitmap: bytearray, last: int) -> dict[int, list[str]]:
    """Rank of the table → keys that the ledger had before the sweep and the sweep did not meet."""
    ranks = {table.plan.declaration.kind: rank for rank, table in work.tables.items()}
    missing: dict[int, list[str]] = {}
    after = 0
    while entries := work.keys.ordinals(after=after, limit=_PAGE):
        for ordinal, key in entries:
            if ordinal > last:
                return missing
            if not bitmap[ordinal >> 3] >> (ordinal & 7) & 1:
                owner, kind, *_ = key.split(":", 2)
                if owner == work.division and kind in ranks:
                    missing.setdefault(ranks[kind], []).append(key)
        after = entries[-1][0]
    return missing


def _confirmed(work: Work, now: Snapshot, rank: int, keys: Sequence[str]) -> list[str]:
    """Which of `keys` are not in the source, asked once more by number."""
    statements, plan = work.tables[rank]
    native_no = work.platform.native_no
    numbers = sorted({native_no(work.division, unescaped(key.split(":")[2])) for key in keys})
    names = (plan.declaration.key[0], plan.declaration.part)
    text_at = (0, 1) if plan.declaration.part and statements.is_text(plan.declaration.part) else (0,)
    found: set[str] = set()
    for start in range(0, len(numbers), _NUMBERS):
        part = numbers[start : start + _NUMBERS]
        page = now.reader.small(partial(statements.present, part), names, text_at=text_at)
        found.update(plan.key_of(*row) for row in page.rows)
    return [key for key in keys if key not in found]


def unescaped(part: str) -> str:
    """A part of a business key as it was before `bus.message.escape_key_part`."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), part)


def _unpurged(work: Work, snapshot: Snapshot, keys: Sequence[str]) -> list[str]:
    """`keys` without those old enough to have been purged by the site as it says it does."""
    days = work.options.purges_after_days
    if days is None:
        return list(keys)
    border = time_text(snapshot.now - timedelta(days=days))
    kept = []
    for start in range(0, len(keys), _PAGE):
        part = keys[start : start + _PAGE]
        seen = work.keys.seen(part)
        kept += [key for key in part if key not in seen or not "" < seen[key].changed_at < border]
    return kept


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
