"""What a verifier finds and what it remembers (docs/reference/stream.md §9)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FindingKind = Literal["gap", "double", "reorder", "altered", "forged", "head", "tail", "checkpoint"]


class Finding(NamedTuple):
    """One thing wrong with a stream.

    Attributes:
        kind: as in §9.
        stream, epoch: where; "" and 0 when the message does not say.
        first_seq, last_seq: which entries, inclusive; 0 when unknown.
        zh, en: what is wrong and what it means.
        hop: where it happened, when somebody knows.
    """

    kind: FindingKind
    stream: str
    epoch: int
    first_seq: int
    last_seq: int
    zh: str
    en: str
    hop: str = "unknown"


class Hole(NamedTuple):
    """Entries below the high-water mark that have not arrived.

    Attributes:
        first, last: inclusive.
        before: head after `first - 1`; b"" when unknown.
        leaves: of the run that arrived behind the hole; empty behind a checkpoint.
        after: head after `leaves`; with no leaves the head after `last`.
        is_silent: the verifier began in the middle, so nobody says that they are missing.
    """

    first: int
    last: int
    before: bytes
    leaves: tuple[bytes, ...]
    after: bytes
    is_silent: bool


class State(NamedTuple):
    """What a verifier knows of one epoch of one stream; a consumer keeps it with its high-water mark.

    Attributes:
        seq: the highest that has arrived (or that a checkpoint covers).
        head: after it.
        signed_seq: the highest covered by a good checkpoint; 0: none.
        anchor_seq: where the unbroken chain that ends at `seq` begins.
        holes: below `seq`, in rising order.
    """

    stream: str
    epoch: int
    seq: int
    head: bytes
    signed_seq: int
    anchor_seq: int
    holes: tuple[Hole, ...] = ()

    def to_json(self) -> str:
        """One line of text; `from_json` is the way back."""
        holes = [
            hole._replace(before=hole.before.hex(), leaves=[leaf.hex() for leaf in hole.leaves], after=hole.after.hex())  # type: ignore[arg-type]
            for hole in self.holes
        ]
        return json.dumps(self._replace(head=self.head.hex(), holes=holes), ensure_ascii=False)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, text: str) -> State:
        """The state that `to_json` wrote. Raises ValueError for anything else."""
        stream, epoch, seq, head, signed_seq, anchor_seq, rows = json.loads(text)
        holes = tuple(
            Hole(first, last, bytes.fromhex(before), tuple(map(bytes.fromhex, leaves)), bytes.fromhex(after), silent)
            for first, last, before, leaves, after, silent in rows
        )
        return cls(stream, epoch, seq, bytes.fromhex(head), signed_seq, anchor_seq, holes)


#: kind → (zh, en); `{what}` is the entry or entries, `{why}` what is known besides.
_TEXTS: Final[dict[FindingKind, tuple[str, str]]] = {
    "gap": ("{what}缺失：没有收到", "{what}: missing, nothing was received"),
    "double": (
        "{what}重复：内容相同，且没有重发标记",
        "{what}: received twice, without the mark of a re-send",
    ),
    "reorder": ("{what}次序颠倒：晚于其后的条目到达", "{what}: arrived after a later entry"),
    "altered": ("{what}被改动：{why}", "{what}: altered: {why}"),
    "forged": ("{what}系伪造：{why}", "{what}: forged: {why}"),
    "head": ("{what}与链不符：{why}", "{what}: does not fit the chain: {why}"),
    "tail": ("{what}在最后一个检查点之后，尚无签名", "{what}: after the last checkpoint, nobody has signed for it"),
    "checkpoint": (
        "{where}：截至第 {last} 条的检查点签名有效，但与收到的内容不符",
        "{where}: the checkpoint up to entry {last} is well signed but contradicts what was received",
    ),
}


def finding(
    kind: FindingKind, place: tuple[str, int], first: int, last: int, why: tuple[str, str] = ("", "")
) -> Finding:
    """Finding about entries `first` to `last` (inclusive) of a stream and epoch.

    Args:
        kind: as in §9.
        place: stream and epoch.
        first: 0 when unknown.
        last: inclusive.
        why: zh and en, for the kinds that need a reason.
    """
    stream, epoch = place
    where = f"{stream}/e{epoch}"
    numbers = str(first) if first == last else f"{first}–{last}"
    zh, en = _TEXTS[kind]
    zh_what = f"{where} 第 {numbers} 条" if first else f"{where} 的一条消息"
    en_what = f"{where} entry {numbers}" if first else f"{where} a message"
    values = {"last": last, "where": where}
    return Finding(
        kind, stream, epoch, first, last,
        zh.format(what=zh_what, why=why[0], **values), en.format(what=en_what, why=why[1], **values),
    )  # fmt: skip


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Rising ranges (inclusive) with neighbours made one."""
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and found[-1][1] == first - 1:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def without(first: int, last: int, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts of `first` to `last` that none of `ranges` covers; all inclusive."""
    parts = []
    for low, high in sorted(ranges):
        if high < first or low > last:
            continue
        if low > first:
            parts.append((first, low - 1))
        first = high + 1
    if first <= last:
        parts.append((first, last))
    return parts
