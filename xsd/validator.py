"""The unified schema's word on unified records: rules of one record, `quality`, then XSD on the final bytes.

The XSD verdict has two tiers. libxml2 parses and validates many records as one document; only when that fails are
they judged singly, and only a record that fails is explained. The exact form of a record makes that safe, see
`Verdict.all`. libxml2 releases the GIL, so one half of a large batch is judged by a worker thread while the calling
thread judges the other. (Rules in one thread and verdicts in another gain nothing: the verdict waits for the GIL.)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from lxml import etree

from bus.message import NAMESPACE, ROOTS, Translation
from xsd import catalogue
from xsd.explain import FORBIDDEN_MARKUP, Explainer, frame, hardened_parser
from xsd.finding import Moment
from xsd.quality import GAP, with_quality
from xsd.rules import plans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from xsd.rules import Setting

#: Records judged as one document: the cost of a parse is spread, and one bad record costs 100 single verdicts.
DOCUMENT_RECORDS: Final = 100
#: From here on a batch is shared with the worker thread; below, waking it costs more than it saves.
SHARED_RECORDS: Final = 40

_FRAMES: Final[Mapping[str, tuple[bytes, bytes]]] = {kind: frame(root) for kind, root in ROOTS.items()}
_BEGIN: Final = f'<package xmlns="{NAMESPACE}"><body>'.encode()
_END: Final = b"</body></package>"


class Verdict:
    """libxml2's verdict with a schema compiled once; for one thread at a time."""

    def __init__(self) -> None:
        self._schema = etree.XMLSchema(etree.fromstring(catalogue.schema_bytes()))
        self._parser = hardened_parser()

    def all(self, records: Sequence[tuple[str, bytes]]) -> bool:
        """Whether every one of (kind, payload), 1 to 1,000, is a valid record of its kind.

        Judged as one document, which is sound: each payload begins with the exact start tag of its root and ends with
        its end tag, and no payload holds `<!` or `<?`, so that "<" always begins a tag. A valid package has record
        elements as children of `body` only; hence every payload begins a record, and as there are as many records as
        payloads, each payload is exactly one.
        """
        for kind, payload in records:
            begin, end = _FRAMES[kind]
            if not (payload.startswith(begin) and payload.endswith(end)):
                return False
        document = b"".join((_BEGIN, *[payload for _, payload in records], _END))
        if document.find(FORBIDDEN_MARKUP[0]) >= 0 or document.find(FORBIDDEN_MARKUP[1]) >= 0:
            return False
        try:
            root = etree.fromstring(document, self._parser)
        except etree.XMLSyntaxError:
            return False
        return self._schema.validate(root) and len(root[0]) == len(records)

    def each(self, records: Sequence[tuple[str, bytes]]) -> list[bool]:
        """The verdict on each record, singly only where a document of many is not valid."""
        verdicts: list[bool] = []
        for at in range(0, len(records), DOCUMENT_RECORDS):
            part = records[at : at + DOCUMENT_RECORDS]
            verdicts += [True] * len(part) if self.all(part) else [self.all([record]) for record in part]
        return verdicts


class Validator:
    """`bus.ports.Validator` for schema v1; for one calling thread.

    Args:
        profile: rule name → `reject`, `flag` or `off` where a source differs from the settled severities.
        division: the source's own division; a record of another one is rejected. None: the adapter sees to that.

    Raises:
        ConfigurationError: unknown rule or setting, all listed.
    """

    id: str = catalogue.SCHEMA_ID

    def __init__(self, profile: Mapping[str, Setting] | None = None, *, division: str | None = None) -> None:
        self._plans = plans(profile or {}, division=division)
        self._verdict, self._worker_verdict = Verdict(), Verdict()
        self._explainer = Explainer()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="xsd")

    def validate(
        self, translations: Sequence[Translation], *, now: datetime, order_gaps: frozenset[int] = frozenset()
    ) -> list[Translation]:
        """See `bus.ports.Validator.validate`; a record rejected by a rule is judged by the XSD all the same."""
        moment = Moment.of(now)
        judged = [
            translation
            if translation.faults and translation.is_rejected
            else self._ruled(translation, moment, is_gap=i in order_gaps)
            for i, translation in enumerate(translations)
        ]
        places = [i for i, given in enumerate(translations) if not (given.faults and given.is_rejected)]
        verdicts = self._verdicts([(judged[i].kind, judged[i].payload) for i in places])
        for i, is_valid in zip(places, verdicts, strict=True):
            if not is_valid:
                judged[i] = self._explained(judged[i])
        return judged

    def close(self) -> None:
        """End the worker thread; may be called twice."""
        self._worker.shutdown()

    def _ruled(self, translation: Translation, moment: Moment, *, is_gap: bool) -> Translation:
        """Rules of one record; its flags in `quality` unless a rule rejects it."""
        kind, payload, fields, known = translation
        found = self._plans[kind].run(fields, moment)
        if is_gap:
            found.append(GAP)
        if not found and not known:
            return translation
        faults = (*known, *found)
        if all(fault.severity == "flag" for fault in faults):
            payload = with_quality(payload, faults, end=_FRAMES[kind][1])
        return Translation(kind, payload, fields, faults)

    def _verdicts(self, records: list[tuple[str, bytes]]) -> list[bool]:
        if len(records) < SHARED_RECORDS:
            return self._verdict.each(records)
        half = len(records) // 2
        first = self._worker.submit(self._worker_verdict.each, records[:half])
        second = self._verdict.each(records[half:])
        return first.result() + second

    def _explained(self, translation: Translation) -> Translation:
        faults = self._explainer.explain(translation.payload, kind=translation.kind)
        return translation._replace(faults=(*translation.faults, *faults))
