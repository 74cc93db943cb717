"""Which entries travel together: a package is a run of consecutive records (architecture §5 "Package")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.message import Entry


def pack(entries: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    """Runs of records with one schema and one mapping, cut to `size`; everything else travels alone."""
    groups: list[Sequence[Entry]] = []
    run: list[Entry] = []
    for entry in entries:
        fits = entry.type == "record" and len(run) < size
        if run and not (fits and entry.schema_id == run[0].schema_id and entry.mapping_id == run[0].mapping_id):
            groups.append(tuple(run))
            run = []
        run.append(entry)
        if entry.type != "record":
            groups.append(tuple(run))
            run = []
    if run:
        groups.append(tuple(run))
    return groups


def regroup(entries: Sequence[Entry], tried: Mapping[int, int]) -> list[Sequence[Entry]]:
    """Groups as they were tried before: `tried` maps the first seq of a package to its count.

    A package that is not whole in `entries` is left out, with all that follows: it is read again as a whole.
    """
    groups: list[Sequence[Entry]] = []
    at = 0
    while at < len(entries):
        count = tried.get(entries[at].seq, 1)
        if at + count > len(entries):
            break
        groups.append(tuple(entries[at : at + count]))
        at += count
    return groups


def portions(groups: Sequence[Sequence[Entry]], size: int) -> list[list[Sequence[Entry]]]:
    """`groups` in order, in runs of at most `size` entries, each of at least one group: what one checkpoint covers."""
    runs: list[list[Sequence[Entry]]] = []
    room = 0
    for group in groups:
        room -= len(group)
        if room < 0 or not runs:
            runs.append([])
            room = size - len(group)
        runs[-1].append(group)
    return runs
