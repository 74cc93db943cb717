"""Verification of streams, message by message: docs/reference/stream.md §9 in constant memory a stream."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from bus.chain import Chain, Place
from bus.envelope import Member, Run, open_message
from bus.errors import FatalError, RejectedError
from bus.findings import Finding, FindingKind, Hole, State, finding, joined, without
from bus.jsonl import Unreadable, read_jsonl, write_jsonl
from bus.seal import MAX_SEQ, Checkpoint, open_checkpoint, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bus.message import Message
    from bus.trust import Trust

__all__ = [
    "Finding",
    "FindingKind",
    "Hole",
    "Report",
    "State",
    "Totals",
    "Unreadable",
    "Verified",
    "Verifier",
    "audit",
    "read_jsonl",
    "write_jsonl",
]

MemberState = Literal["anchored", "chained", "verified", "duplicate", "refused"]

_MEMORY: Final = 4096
_AUDIT_MEMORY: Final = 65536
_MAX_HOLES: Final = 1024
_LONGEST_NAME: Final = 255


class Verified(NamedTuple):
    """What one message was found to be.

    Attributes:
        members: its entries; empty for a checkpoint and for what cannot be opened.
        states: one a member. `anchored`: taken as it is, the head before it is unknown. `chained`: continues a chain
            from an anchor or from the beginning. `verified`: continues a chain that a checkpoint has signed.
            `duplicate`: has arrived before, or is a second form of what has. `refused`: not to be used, and not
            counted as arrived. Only the first three are to be handled.
        findings: what is wrong.
        checkpoint: when the message is a good one and contradicts nothing.
        closed: gaps (first, last) that are no more.
    """

    members: tuple[Member, ...] = ()
    states: tuple[MemberState, ...] = ()
    findings: tuple[Finding, ...] = ()
    checkpoint: Checkpoint | None = None
    closed: tuple[tuple[int, int], ...] = ()


_NOTHING: Final = Verified()
_REFUSED: Final[tuple[MemberState]] = ("refused",)
_ONE: Final[dict[MemberState, tuple[MemberState]]] = {"chained": ("chained",), "verified": ("verified",)}


class Verifier:
    """Checks the messages of any number of streams in the order of their arrival.

    Args:
        trust: keys.
        states: where to go on, as `states()` gave them.
        is_whole: streams must begin at number 1; otherwise the first message is anchored.
        memory: how many recent entries of a stream are compared when they come again.
        max_holes: of one stream; None: no limit.
    """

    def __init__(
        self,
        trust: Trust,
        *,
        states: Iterable[State] = (),
        is_whole: bool = False,
        memory: int = _MEMORY,
        max_holes: int | None = _MAX_HOLES,
    ) -> None:
        self._trust = trust
        self._is_whole = is_whole
        self._memory = memory
        self._max_holes = max_holes
        self._chains: dict[Place, Chain] = {}
        self._refused: dict[Place, deque[tuple[int, int]]] = {}
        self._missing_epochs: list[Finding] = []
        for state in states:
            place = (state.stream, state.epoch)
            chain = self._chains[place] = Chain(place, trust.key_hash, memory, is_silent=False)
            chain.seq, chain.head, chain.signed, chain.anchor = state[2:6]
            chain.holes = list(state.holes)

    def states(self) -> tuple[State, ...]:
        """What is to be kept, one a stream and epoch."""
        return tuple(chain.state() for chain in self._chains.values())

    def feed(self, message: Message, *, is_redelivered: bool = False) -> Verified:
        """Check the next message.

        Args:
            message: as received.
            is_redelivered: the broker says that it has handed it out before: then it is no `double`.

        Raises:
            FatalError: more holes than `max_holes`; nothing of this message was taken.
        """
        try:
            run = open_message(message)
        except RejectedError as error:
            return self._unopened(message, error)
        members = run.members
        first = members[0]
        chain = self._chains.get((first.stream, first.epoch))
        if chain is None:
            chain = self._begin(first.stream, first.epoch, first.seq)
        if chain is None:
            found = finding("forged", (first.stream, first.epoch), first.seq, members[-1].seq, _NO_KEY)
            return Verified(members, _REFUSED * len(members), (found,))
        leaf = chain.sealer.leaf
        leaves = [
            leaf(m.seq, (m.type, m.key, m.row_digest, m.payload_digest, m.schema_id, m.mapping_id, m.collected_at))
            for m in members
        ]
        if first.seq == chain.seq + 1 and not (first.seq == 1 and chain.place[1] > 1):
            heads = chain.sealer.chain(chain.head, leaves)
            if heads[-1] == run.head:
                label: MemberState = "verified" if chain.signed >= chain.anchor else "chained"
                chain.seq, chain.head = members[-1].seq, run.head
                if len(leaves) == 1:
                    chain.recent[first.seq % chain.size] = (first.seq, leaves[0], run.head)
                    return Verified(members, _ONE[label])
                chain.remember(first.seq, leaves, heads)
                return Verified(members, _ONE[label] * len(members))
        return self._take(chain, run, tuple(leaves), is_fresh=not (run.is_resent or is_redelivered))

    def finish(self) -> tuple[Finding, ...]:
        """What is wrong at the end: entries for which nobody has signed."""
        tails = [c for c in self._chains.values() if c.signed < c.seq]
        return tuple(finding("tail", chain.place, chain.signed + 1, chain.seq) for chain in tails)

    def gaps(self) -> tuple[Finding, ...]:
        """What is missing now."""
        found = list(self._missing_epochs)
        for place, chain in self._chains.items():
            for first, last in joined((hole.first, hole.last) for hole in chain.holes if not hole.is_silent):
                found += self._gap(place, first, last)
        return tuple(found)

    def _gap(self, place: Place, first: int, last: int) -> list[Finding]:
        return [finding("gap", place, *part) for part in without(first, last, list(self._refused.get(place, ())))]

    def _begin(self, stream: str, epoch: int, first: int) -> Chain | None:
        """The chain of an epoch not seen before, or None when nobody may sign it."""
        if self._trust.key_for(stream, epoch=epoch) is None:
            return None
        place = (stream, epoch)
        lower = max((e for name, e in self._chains if name == stream and e < epoch), default=0)
        if 0 < lower < epoch - 1:
            self._missing_epochs.append(finding("gap", (stream, lower + 1), 1, 1))
        is_silent = first > 1 and not self._is_whole and not lower
        chain = self._chains[place] = Chain(place, self._trust.key_hash, self._memory, is_silent=is_silent)
        return chain

    def _refuse(self, kind: FindingKind, place: Place, first: int, last: int, why: tuple[str, str]) -> Finding:
        if place not in self._refused and len(self._refused) >= _MAX_HOLES:
            self._refused.clear()
        self._refused.setdefault(place, deque(maxlen=_MAX_HOLES)).append((first, last))
        return finding(kind, place, first, last, why)

    def _unopened(self, message: Message, error: RejectedError) -> Verified:
        """Checkpoints, messages of no stream, and what contradicts itself."""
        word = message.routing_key.partition(".")[0]
        if word == "checkpoint":
            return self._checkpoint(message)
        if word in {"receipt", "refill"}:
            return _NOTHING
        stream, epoch, seq, count = _claims(message)
        if self._trust.key_for(stream, epoch=epoch) is None:
            return Verified(findings=(finding("forged", (stream, epoch), seq, seq + count - 1, _NO_KEY),))
        zh = "；".join(f"{fault.field} {fault.zh}" for fault in error.faults)
        en = "; ".join(f"{fault.field} {fault.en}" for fault in error.faults)
        return Verified(findings=(self._refuse("altered", (stream, epoch), seq, seq + count - 1, (zh, en)),))

    def _take(self, chain: Chain, run: Run, leaves: tuple[bytes, ...], *, is_fresh: bool) -> Verified:
        """Any message that is not simply the next one."""
        members, place = run.members, chain.place
        first, last = members[0].seq, members[-1].seq
        new = [m.seq for m in members if chain.is_new(m.seq)]
        found = _again(chain, run, leaves, is_fresh=is_fresh)
        states: dict[int, MemberState] = dict.fromkeys(range(first, last + 1), "duplicate")
        if not new:
            return Verified(members, tuple(states.values()), tuple(found))
        before = chain.head_at(first - 1)
        heads = chain.sealer.chain(before, leaves) if before else [b""] * (len(leaves) - 1) + [run.head]
        if why := _misfit(chain, run, heads):
            states |= dict.fromkeys(new, "refused")
            found.append(self._refuse("head", place, new[0], last, why))
            return Verified(members, tuple(states.values()), tuple(found))
        label: MemberState = "verified" if chain.signed >= chain.anchor else "chained"
        states |= dict.fromkeys(new, label if before else "anchored")
        if is_fresh:
            found += [finding("reorder", place, seq, seq) for seq in new if seq <= chain.seq]
        closed = chain.fill(first, leaves, run.head)
        if first > chain.seq + 1:
            hole = Hole(chain.seq + 1, first - 1, chain.head, leaves, run.head, chain.is_silent)
            found += self._open_hole(chain, hole, anchor=first)
        if last > chain.seq:
            chain.seq, chain.head, chain.is_silent = last, run.head, False
        chain.remember(first, leaves, heads)
        return Verified(members, tuple(states.values()), tuple(found), closed=tuple(closed))

    def _open_hole(self, chain: Chain, hole: Hole, *, anchor: int) -> list[Finding]:
        if self._max_holes is not None and len(chain.holes) >= self._max_holes:
            stream, epoch = chain.place
            raise FatalError(f"{stream}/e{epoch}: more than {self._max_holes} gaps; ask for a refill before going on")
        chain.holes.append(hole)
        chain.anchor = anchor
        return [] if hole.is_silent else self._gap(chain.place, hole.first, hole.last)

    def _checkpoint(self, message: Message) -> Verified:
        stream, epoch, _, _ = _claims(message)
        try:
            signed = open_checkpoint(message.body, self._trust)
        except RejectedError as error:
            fault = error.faults[0]
            size = _claimed_size(message.body)
            return Verified(findings=(finding("forged", (stream, epoch), size, size, (fault.zh, fault.en)),))
        place = (signed.stream, signed.epoch)
        if (stream, epoch) != place:
            return Verified(findings=(finding("forged", (stream, epoch), signed.size, signed.size, _OTHER_STREAM),))
        chain = self._chains.get(place) or self._begin(*place, signed.size + 1)
        assert chain is not None, "open_checkpoint has found a key"
        return self._sign(chain, signed)

    def _sign(self, chain: Chain, signed: Checkpoint) -> Verified:
        if signed.size > chain.seq:
            hole = Hole(chain.seq + 1, signed.size, chain.head, (), signed.head, chain.is_silent)
            found = self._open_hole(chain, hole, anchor=signed.size)
            chain.seq, chain.head, chain.signed, chain.is_silent = signed.size, signed.head, signed.size, False
            return Verified(findings=tuple(found), checkpoint=signed)
        known = chain.head_at(signed.size)
        if not known:
            return _NOTHING  # an old one, for a place that is forgotten or was never known: it proves nothing new
        if known != signed.head:
            return Verified(findings=(finding("checkpoint", chain.place, signed.size, signed.size),))
        chain.signed = max(chain.signed, signed.size)
        return Verified(checkpoint=signed)


_NO_KEY: Final = ("信任文件中没有此数据流的密钥", "the trust file has no key for this stream")
_OTHER_STREAM: Final = ("检查点属于另一数据流", "the checkpoint is of another stream than its message says")
_NOT_OPENED: Final = ("新纪元的第 1 条必须是 epoch 条目", "number 1 of a new epoch must be an epoch entry")
_NOT_BEFORE: Final = ("链头不能由前一条推出", "the head does not follow from the entry before")
_NOT_BEHIND: Final = ("其后的链头不能由此推出", "the head of the entry behind does not follow from this one")


def _claims(message: Message) -> tuple[str, int, int, int]:
    """Stream, epoch, seq and count as a message that cannot be opened claims; "" and 0 where that is no claim.

    Whoever wrote it may have chosen them to break what keeps or shows findings.
    """
    headers = message.headers
    stream = headers.get("x-stream")
    is_name = isinstance(stream, str) and len(stream) <= _LONGEST_NAME and stream.isprintable()
    numbers = [headers.get(word) for word in ("x-epoch", "x-seq")]
    epoch, seq = (n if type(n) is int and 0 < n <= MAX_SEQ else 0 for n in numbers)
    count = headers.get("x-count")
    count = min(count, MAX_SEQ - seq + 1) if type(count) is int and count > 0 else 1
    return str(stream) if is_name else "", epoch, seq, count


def _claimed_size(note: bytes) -> int:
    try:
        return read_checkpoint(note).size
    except RejectedError:
        return 0


def _again(chain: Chain, run: Run, leaves: tuple[bytes, ...], *, is_fresh: bool) -> list[Finding]:
    """Findings about members that have arrived before."""
    found, last = [], run.members[-1].seq
    for member, leaf in zip(run.members, leaves, strict=True):
        if chain.is_new(member.seq):
            continue
        known = chain.recall(member.seq)
        head = chain.head_at(member.seq) if member.seq == last else b""
        if (known is not None and known[0] != leaf) or head not in {b"", run.head}:
            why = ("同一序号先后出现两种内容", "two contents for one number")
            found.append(finding("altered", chain.place, member.seq, member.seq, why))
        elif is_fresh:
            found.append(finding("double", chain.place, member.seq, member.seq))
    return found


def _misfit(chain: Chain, run: Run, heads: list[bytes]) -> tuple[str, str] | None:
    """Why a run with new entries does not fit its neighbours, or None."""
    first, last = run.members[0], run.members[-1].seq
    if first.seq == 1 and first.epoch > 1 and first.type != "epoch":
        return _NOT_OPENED
    if heads[-1] != run.head:
        return _NOT_BEFORE
    if chain.head_at(last) not in {b"", run.head} or not chain.fits_behind(run.head, last):
        return _NOT_BEHIND
    return None


class Totals(NamedTuple):
    """What an audit has counted in one epoch of one stream.

    Attributes:
        messages: carriers of entries, without checkpoints.
        entries: that have arrived.
        records: of them.
        first_seq, last_seq: the lowest and the highest that has arrived; 0: none.
        checkpoints: good ones.
        signed_seq: up to where somebody has signed.
        duplicates, refused: entries.
    """

    stream: str
    epoch: int
    messages: int
    entries: int
    records: int
    first_seq: int
    last_seq: int
    checkpoints: int
    signed_seq: int
    duplicates: int
    refused: int


class Report(NamedTuple):
    """Result of an audit.

    Attributes:
        totals: one a stream and epoch, in order of name.
        findings: in order of stream, epoch, seq.
        others: messages of no stream (receipts, refills).
    """

    totals: tuple[Totals, ...]
    findings: tuple[Finding, ...]
    others: int


def audit(messages: Iterable[Message | Unreadable], trust: Trust, *, is_whole: bool = False) -> Report:
    """Check a file or a journal from its beginning to its end.

    Args:
        messages: in the order of arrival; lines that are none are findings.
        trust: keys.
        is_whole: streams must begin at number 1.
    """
    verifier = Verifier(trust, is_whole=is_whole, memory=_AUDIT_MEMORY, max_holes=None)
    counts: dict[Place, Counter[str]] = {}
    findings: list[Finding] = []
    others = 0
    for message in messages:
        if isinstance(message, Unreadable):
            findings.append(_unreadable(message))
            continue
        verified = verifier.feed(message)
        findings += [found for found in verified.findings if found.kind != "gap"]
        others += verified == _NOTHING
        _count(counts, verified)
    findings += [*verifier.gaps(), *verifier.finish()]
    findings.sort(key=lambda found: (found.stream, found.epoch, found.first_seq, found.kind))
    totals = [_totals(state, counts.get((state.stream, state.epoch), Counter())) for state in verifier.states()]
    return Report(tuple(sorted(totals)), tuple(findings), others)


def _unreadable(line: Unreadable) -> Finding:
    kind: FindingKind = "tail" if line.is_cut else "altered"
    zh, en = f"第 {line.line} 行不是消息", f"line {line.line} is no message"
    if line.is_cut:
        zh, en = f"文件被截断：{zh}", f"the file was cut: {en}"
    return Finding(kind, "", 0, 0, 0, f"{zh}：{line.reason}", f"{en}: {line.reason}")


def _count(counts: dict[Place, Counter[str]], verified: Verified) -> None:
    if verified.checkpoint is not None:
        counts.setdefault((verified.checkpoint.stream, verified.checkpoint.epoch), Counter())["checkpoints"] += 1
    if not verified.members:
        return
    first = verified.members[0]
    count = counts.setdefault((first.stream, first.epoch), Counter())
    count["messages"] += 1
    for member, state in zip(verified.members, verified.states, strict=True):
        if state in {"duplicate", "refused"}:
            count[state] += 1
            continue
        count["entries"] += 1
        count["records"] += member.type == "record"
        count["first"] = min(count["first"] or member.seq, member.seq)
        count["last"] = max(count["last"], member.seq)


def _totals(state: State, n: Counter[str]) -> Totals:
    return Totals(
        state.stream, state.epoch, n["messages"], n["entries"], n["records"], n["first"], n["last"],
        n["checkpoints"], state.signed_seq, n["duplicate"], n["refused"],
    )  # fmt: skip
