"""Rules on numbers with check digits and on the structure of identifiers (standard §3.1.4–7, §3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from xsd.finding import present
from xsd.identifiers import is_id_card, is_org_code, is_uscc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bus.message import Fault
    from xsd.catalogue import KindSchema
    from xsd.finding import Check, Finding, Moment

#: (type field, number field, applicant type field or "")
_PAIRS: Final = (
    ("applicantIdType", "applicantIdNo", "applicantType"),
    ("contactIdType", "contactIdNo", ""),
    ("collectorIdType", "collectorIdNo", ""),
)
#: kind → its own time column (standard §3.5).
OWN_TIME: Final[Mapping[str, str]] = {
    "SB": "appliedAt",
    "YSL": "preAcceptedAt",
    "SL": "acceptedAt",
    "SPCL": "approvedAt",
    "BZGZ": "notifiedAt",
    "BZSL": "receivedAt",
    "TBCXSQ": "startedAt",
    "TBCXJG": "endedAt",
    "BJ": "completedAt",
    "LQDJ": "collectedAt",
}
_USCC_FROM: Final = "2015-10-01"
_SHORT_ID_UNTIL: Final = "2013-01-01"
_PERSONS: Final = frozenset({"10", "11", "12", "13", "14", "15", "16", "17", "18", "20", "40"})
_BODIES: Final = frozenset({"49", "50", "51", "52", "53", "54", "55", "60", "80"})
_ID_TYPES: Final[Mapping[str | None, frozenset[str]]] = {"1": _PERSONS, "2": _BODIES}


def _numbers(schema: KindSchema) -> tuple[tuple[str, str, str], ...]:
    return tuple(pair for pair in _PAIRS if present(schema, pair[:2]) == pair[:2])


def _org_fields(schema: KindSchema) -> tuple[str, ...]:
    return tuple(field.name for field in schema.fields if field.type_name == "OrganisationCode")


def _is_uscc_number(id_type: str | None, applicant_type: str | None, number: str) -> bool:
    """Whether `number` claims to be a credit code: by its type, or a body's number of 18 characters."""
    if len(number) == 18:
        return id_type in ("49", "51") or (id_type is None and applicant_type == "2")
    return id_type == "49"


def _is_org_number(id_type: str | None, applicant_type: str | None, number: str) -> bool:
    return id_type == "50" or (id_type is None and applicant_type == "2" and len(number) == 9)


def _is_id_number(id_type: str | None, applicant_type: str | None, number: str) -> bool:
    return id_type == "10" or (id_type is None and applicant_type == "1" and len(number) in (15, 18))


class _Sort(NamedTuple):
    """One sort of number.

    Attributes:
        length: of an organisation field that holds this sort; 0: organisation fields never do.
        types: document types under which a number may be of this sort; one without a type may always be.
        claims: (document type, applicant type, number) → whether the number says it is of this sort.
        is_right: whether its check digits hold.
    """

    length: int
    types: frozenset[str]
    claims: Callable[[str | None, str | None, str], bool]
    is_right: Callable[[str], bool]


def _digits(schema: KindSchema, finding: Finding, *, sort: _Sort, words: tuple[str, str]) -> Check | None:
    """Numbers that claim to be of one sort have right check digits."""
    length, types, claims, is_right = sort
    orgs = _org_fields(schema) if length else ()
    numbers = _numbers(schema)
    if not orgs and not numbers:
        return None
    zh, en = words

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        wrong: list[str] | None = None
        for name in orgs:
            value = fields.get(name)
            if value is not None and len(value) == length and not is_right(value):
                wrong = [*(wrong or ()), name]
        for type_name, name, applicant in numbers:
            id_type = fields.get(type_name)
            if id_type is None or id_type in types:
                value = fields.get(name)
                if value and claims(id_type, fields.get(applicant), value) and not is_right(value):
                    wrong = [*(wrong or ()), name]
        if wrong is None:
            return None
        return [finding.fault(name, value=fields[name], zh=zh, en=en) for name in wrong]

    return check


def org_code(schema: KindSchema, finding: Finding) -> Check | None:
    """Organisation codes of 9 characters."""
    words = "不是有效的组织机构代码，校验位不符（GB 11714）", "is not an organisation code: check digit (GB 11714)"
    return _digits(schema, finding, sort=_Sort(9, frozenset({"50"}), _is_org_number, is_org_code), words=words)


def uscc(schema: KindSchema, finding: Finding) -> Check | None:
    """Unified social credit codes."""
    words = "不是有效的统一社会信用代码，校验位不符（GB 32100）", "is not a credit code: check digits (GB 32100)"
    return _digits(schema, finding, sort=_Sort(18, frozenset({"49", "51"}), _is_uscc_number, is_uscc), words=words)


def id_card(schema: KindSchema, finding: Finding) -> Check | None:
    """Citizens' identity numbers."""
    words = "不是有效的居民身份证号码（GB 11643）", "is not an identity number: length, date or check digit (GB 11643)"
    return _digits(schema, finding, sort=_Sort(0, frozenset({"10"}), _is_id_number, is_id_card), words=words)


def anachronism(schema: KindSchema, finding: Finding) -> Check:
    """Credit codes before 2015-10-01, identity numbers of 15 digits after 2012, by the record's own time."""
    own_time = OWN_TIME[schema.kind]
    orgs, numbers = _org_fields(schema), _numbers(schema)
    watched = (*orgs, *(name for _, name, _ in numbers))

    def claimed(fields: Mapping[str, str], claims: Callable[[str | None, str | None, str], bool]) -> list[str]:
        return [n for t, n, a in numbers if n in fields and claims(fields.get(t), fields.get(a), fields[n])]

    def early(fields: Mapping[str, str]) -> list[str]:
        return [name for name in orgs if len(fields.get(name, "")) == 18] + claimed(fields, _is_uscc_number)

    def late(fields: Mapping[str, str]) -> list[str]:
        return [name for name in claimed(fields, _is_id_number) if len(fields[name]) == 15]

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        when = fields.get(own_time, "")
        is_early = when < _USCC_FROM and 18 in [len(fields.get(name, "")) for name in watched]
        is_late = when >= _SHORT_ID_UNTIL and 15 in [len(fields.get(name, "")) for name in watched]
        if not is_early and not is_late:
            return None
        zh, en = "：统一社会信用代码 2015-10-01 起才有", ": credit codes exist from 2015-10-01 on"
        names = early(fields) if is_early else []
        faults = [finding.fault(name, value=fields[name], zh=zh, en=en) for name in names]
        zh, en = "：15 位身份证号码 2013-01-01 起停用", ": identity numbers of 15 digits ended on 2013-01-01"
        names = late(fields) if is_late else []
        return faults + [finding.fault(name, value=fields[name], zh=zh, en=en) for name in names]

    return check


def id_type(schema: KindSchema, finding: Finding) -> Check | None:
    """The type of document fits the type of applicant."""
    if not present(schema, ("applicantIdType",)):
        return None

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        allowed = _ID_TYPES.get(fields.get("applicantType"))
        found = fields.get("applicantIdType")
        if allowed is None or found is None or found in allowed:
            return None
        who = schema.field("applicantType").codes[fields["applicantType"]]
        zh, en = f"与申请人类型“{who}”不符", f"does not fit applicantType {fields['applicantType']}"
        return [finding.fault("applicantIdType", value=found, zh=zh, en=en)]

    return check
