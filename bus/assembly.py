"""One page for the ledger, made from one segment of a batch: decisions, translations, notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import unquote

import structlog

from bus.errors import ExchangeError, RejectedError
from bus.ledger.values import BEHIND, NO_PARENT, Draft, Hold, KeyChange, Known, Page, Release
from bus.message import Fault, Translation
from bus.triage import Decision, decide_explicit, decide_observed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bus.ledger.intake import Intake
    from bus.ledger.values import HeldState, KeyState
    from bus.message import Record
    from bus.ports import Difference, NoticeWriter, Translator, Validator


_log = structlog.get_logger(__name__)

MAX_SHORT_BYTES: Final = 255
"""Of a short string of AMQP, as `correlation_id` is."""


class Parts(NamedTuple):
    """What the assembly works with."""

    intake: Intake
    translator: Translator
    validator: Validator
    notices: NoticeWriter
    is_explicit: bool
    passes_gaps: bool = False


class Moment(NamedTuple):
    """When the batch was read.

    Attributes:
        collected_at: RFC 3339 UTC with milliseconds.
        now: the later of our and the source's clock, for the rule on dates in the future.
    """

    collected_at: str
    now: datetime


class Assembly:
    """Collects what one segment does to the ledger. Used once."""

    def __init__(self, parts: Parts, moment: Moment) -> None:
        self._parts = parts
        self._moment = moment
        self._drafts: list[Draft] = []
        self._keys: list[KeyChange] = []
        self._holds: list[Hold] = []
        self._releases: list[Release] = []
        self._vanished: list[int] = []
        self._read = self._duplicate = self._stale = self._out = 0

    def page(
        self, records: Sequence[Record], vanished: Sequence[str], *, position: str | None, unassigned: int
    ) -> Page:
        """Decide, translate, validate and put in order."""
        decisions = self._decide(records)
        fresh = [decision for decision in decisions if decision.verb == "fresh"]
        conflicts = [decision for decision in decisions if decision.verb == "conflict"]
        self._take_known(decisions)
        self._take_fresh(fresh)
        self._take_conflicts(conflicts)
        self._take_vanished(vanished)
        return Page(
            position=position,
            collected_at=self._moment.collected_at,
            schema_id=self._parts.validator.id,
            mapping_id=self._parts.translator.id,
            drafts=self._drafts,
            keys=self._keys,
            holds=self._holds,
            releases=self._releases,
            vanished=self._vanished,
            read=self._read,
            duplicate=self._duplicate,
            stale=self._stale,
            out=self._out,
            unassigned=unassigned,
        )

    def _decide(self, records: Sequence[Record]) -> list[Decision]:
        known = self._parts.intake.known([record.key for record in records])
        decide = decide_explicit if self._parts.is_explicit else decide_observed
        decisions = []
        for record in records:
            versions = known.get(record.key)
            decision = decide(record, versions)
            decisions.append(decision)
            if decision.verb == "fresh" and decision.known is None:  # a later version in this page must see it
                version = decision.record.version
                assert version is not None
                seen = Known(
                    0, version, record.digest, record.digest, record.changed_at, "out", None, is_vanished=False
                )
                known.setdefault(record.key, {})[version] = seen
        return decisions

    def _take_known(self, decisions: Sequence[Decision]) -> None:
        """Everything that ends at the ledger without a translation."""
        for decision in decisions:
            record, known = decision.record, decision.known
            match decision.verb:
                case "settle":
                    self._note(decision)
                case "duplicate":
                    self._read, self._duplicate = self._read + 1, self._duplicate + 1
                    self._note(decision)
                case "stale":
                    self._read, self._stale = self._read + 1, self._stale + 1
                    self._note(decision) if known else self._add_key(record, "stale", None)
                case "returned" | "reappeared":
                    self._read, self._duplicate = self._read + 1, self._duplicate + 1
                    self._note(decision)
                    self._notice_of_return(decision)
                case "nothing" | "fresh" | "conflict":
                    pass

    def _take_fresh(self, fresh: Sequence[Decision]) -> None:
        translations = self._translate([decision.record for decision in fresh])
        blocked = self._parts.intake.blocked_cases(decision.record.application_no for decision in fresh)
        for decision, translation in zip(fresh, translations, strict=True):
            record = decision.record
            is_waiting = decision.known is not None and decision.known.state == "waiting"
            self._read += not is_waiting
            if translation.is_rejected:
                reason = next(fault.code for fault in translation.faults if fault.severity == "reject")
                self._hold(decision, translation, "quarantined", reason)
                blocked.add(record.application_no)
            elif record.park:
                self._hold(decision, translation, "parked", record.park)
            elif record.application_no in blocked and not self._parts.passes_gaps:
                self._hold(decision, translation, "parked", BEHIND)
            else:
                overtakes = record.application_no in blocked
                self._send(decision, self._made([record], is_gap=True)[0] if overtakes else translation)

    def _send(self, decision: Decision, translation: Translation) -> None:
        record = decision.record
        self._out += 1
        self._settle_candidate(decision, "out", None)
        self._drafts.append(
            Draft(
                "record",
                record.kind,
                record.kind,
                f"{record.key}:{record.version}",
                record.application_no,
                record.digest,
                translation.payload,
            )
        )
        former = decision.former
        if former is not None and former.seq is not None:
            before = self._parts.intake.payload(former.seq)
            fields = self._parts.notices.differences(before, translation.fields)
            self._notice("changed", record, record.digest, fields)

    def _hold(
        self, decision: Decision, translation: Translation, state: Literal["quarantined", "parked"], reason: str
    ) -> None:
        is_waiting = state == "parked" and reason == NO_PARENT
        hold = Hold(state, reason, decision.record, translation)
        if not self._settle_candidate(decision, "waiting" if is_waiting else state, hold):
            self._holds.append(hold)

    def _settle_candidate(self, decision: Decision, key_state: KeyState, hold: Hold | None) -> bool:
        """Write the key's new state; True when the candidate was held before and moves; no `hold`: it goes out."""
        record, known = decision.record, decision.known
        draft = len(self._drafts) if key_state == "out" else None
        if known is None:
            self._add_key(record, key_state, draft)
            return False
        digest = record.digest
        self._keys.append(
            KeyChange(known.ordinal, record.key, known.version, digest, digest, record.changed_at, key_state, draft)
        )
        held_id = self._parts.intake.waiting(record.key, known.version) if known.state == "waiting" else None
        if held_id is None:
            return False
        state: HeldState = "out" if hold is None else hold.state
        self._releases.append(Release(held_id, state, "" if hold is None else hold.reason, draft, hold))
        return True

    def _take_conflicts(self, conflicts: Sequence[Decision]) -> None:
        translations = self._translate([decision.record for decision in conflicts])
        for decision, translation in zip(conflicts, translations, strict=True):
            record, known = decision.record, decision.known
            assert known is not None
            assert known.seq is not None
            self._read += 1
            self._note(decision)
            if self._parts.intake.is_known_conflict(record.key, known.version, record.digest):
                self._duplicate += 1  # kept already; but the core was told of another content since
            else:
                self._holds.append(Hold("conflict", "conflict", record, translation))
            before = self._parts.intake.payload(known.seq)
            self._notice("conflict", record, record.digest, self._differences(before, translation))

    def _differences(self, before: bytes, after: Translation) -> list[Difference]:
        """Field by field; of what cannot be translated only its faults are told, never that everything was erased."""
        rejected = [fault for fault in after.faults if fault.severity == "reject"]
        unread = {fault.field or "content": f"({fault.code})" for fault in rejected}
        if rejected and not after.fields:
            return [(name, "", code) for name, code in unread.items()]
        return self._parts.notices.differences(before, {**unread, **after.fields})

    def _take_vanished(self, row_keys: Sequence[str]) -> None:
        if not row_keys:
            return
        names = [key.rpartition(":")[0] for key in row_keys] if self._parts.is_explicit else list(row_keys)
        known = self._parts.intake.known(names)
        for row_key, key in zip(row_keys, names, strict=True):
            versions = known.get(key)
            if versions is None:
                raise RejectedError(f"the source reports {row_key} as vanished, but the ledger never had it")
            version = int(row_key.rpartition(":")[2]) if self._parts.is_explicit else max(versions)
            row = versions[version]
            if row.is_vanished:
                continue
            self._vanished.append(row.ordinal)
            self._notice_about("vanished", key, version, row.seen_digest, [])

    def _notice_of_return(self, decision: Decision) -> None:
        record, kind = decision.record, "conflict" if decision.verb == "returned" else "vanished"
        self._notice(
            kind, record, record.digest, [("content", "conflict" if kind == "conflict" else "vanished", "as sent")]
        )

    def _notice(self, kind: str, record: Record, digest: bytes, fields: Sequence[Difference]) -> None:
        assert record.version is not None
        self._notice_about(kind, record.key, record.version, digest, fields)

    def _notice_about(self, kind: str, key: str, version: int, digest: bytes, fields: Sequence[Difference]) -> None:
        application_no = unquote(key.split(":")[2])
        if len(application_no.encode(errors="replace")) > MAX_SHORT_BYTES:
            # No message can carry it, so no record of it ever went out; the stream must not stop for it.
            _log.warning("notice", action="notice", kind=kind, key=key, error="the number is too long for a message")
            return
        body = self._parts.notices.write(
            kind,
            key=key,
            application_no=application_no,
            version=version,
            detected_at=self._moment.collected_at,
            fields=fields,
        )
        self._drafts.append(Draft("notice", "NOTICE", kind, f"{key}:{version}", application_no, digest, body))

    def _note(self, decision: Decision) -> None:
        """The ledger has seen this content with this change time."""
        record, known = decision.record, decision.known
        assert known is not None
        self._keys.append(
            KeyChange(
                known.ordinal,
                record.key,
                known.version,
                known.row_digest,
                record.digest,
                record.changed_at,
                known.state,
                None,
                known.seq,
            )
        )

    def _add_key(self, record: Record, state: KeyState, draft: int | None) -> None:
        assert record.version is not None
        self._keys.append(
            KeyChange(None, record.key, record.version, record.digest, record.digest, record.changed_at, state, draft)
        )

    def _translate(self, records: Sequence[Record]) -> list[Translation]:
        """Translate and validate, but for what the adapter has refused, or parks for want of its parent's columns."""
        if not records:
            return []
        made = iter(self._made([record for record in records if _is_translatable(record)]))
        return [
            next(made) if _is_translatable(record) else Translation(record.kind, b"", {}, record.faults)
            for record in records
        ]

    def _made(self, records: Sequence[Record], *, is_gap: bool = False) -> list[Translation]:
        """Translated and validated; when our own program fails on a page, only the record at fault is held back."""
        try:
            translations = self._parts.translator.translate(records)
            gaps = frozenset(range(len(records))) if is_gap else frozenset[int]()
            return self._parts.validator.validate(translations, now=self._moment.now, order_gaps=gaps)
        except ExchangeError:
            raise
        except Exception as error:  # noqa: BLE001 - the runtime's one net: our own bug must not stop a district
            _log.exception("translate", action="translate", records=len(records))
            if len(records) == 1:
                return [Translation(records[0].kind, b"", {}, (*records[0].faults, unexpected(error)))]
            return [translation for record in records for translation in self._made([record], is_gap=is_gap)]


def _is_translatable(record: Record) -> bool:
    if record.park:
        return False
    return not record.faults or all(fault.severity != "reject" for fault in record.faults)


def unexpected(error: Exception) -> Fault:
    """The fault of a record on which our own program failed."""
    text = f"{type(error).__name__}: {error}"
    return Fault("UNEXPECTED", "", "reject", f"程序内部错误: {text}", f"internal error: {text}", rule="unexpected")
