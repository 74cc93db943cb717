"""The shape of a check of one record, and how it words what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from bus.message import Fault
from xsd.catalogue import KindSchema
from xsd.values import SECRET, shown

if TYPE_CHECKING:
    from datetime import datetime

    from bus.message import Severity

BEIJING: Final = timezone(timedelta(hours=8))
SKEW: Final = timedelta(minutes=5)

#: What senders write where a required value is missing (standard §3.1.9); XSD has already refused blanks.
PLACEHOLDERS: Final = frozenset(
    {"无", "暂无", "/", "／", "0", "null", "NULL", "Null", "默认", "123456789", "888888", "1900-01-01T00:00:00+08:00"}
)
#: Not there, for a rule that asks whether a field is filled.
ABSENT: Final = PLACEHOLDERS - {"0"} | {None, ""}


class Moment(NamedTuple):
    """What the checks of one batch share.

    Attributes:
        latest: the last time that is not in the future, written like the records' own times, to compare as text.
    """

    latest: str

    @classmethod
    def of(cls, now: datetime) -> Moment:
        """The moment whose `latest` is `now` (aware) and the 5 minutes that clocks may differ."""
        return cls((now + SKEW).astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S.%f+08:00"))


class Finding(NamedTuple):
    """Makes the faults of one rule on one kind."""

    code: str
    rule: str
    severity: Severity
    schema: KindSchema

    def fault(self, field: str, *, zh: str, en: str, value: str | None = None) -> Fault:
        """A fault at `field`; `zh` and `en` follow the name of the field and, when given, the value."""
        label = f"“{self.schema.field(field).zh}”（{field}）"
        if value is not None:
            found = "***" if field in SECRET else shown(value)
            label, en = f"{label}的值“{found}”", f"('{found}') {en}"
        xpath = f"/{self.schema.root}/{field}"
        return Fault(self.code, field, self.severity, f"{label}{zh}", f"{field} {en}", xpath, 0, self.rule)


#: Element name → text, and the moment, to faults; None when there are none.
Check = Callable[[Mapping[str, str], Moment], "list[Fault] | None"]
#: Gives the check of a rule for one kind, None when that kind has nothing to check.
Maker = Callable[[KindSchema, Finding], "Check | None"]


def present(schema: KindSchema, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `names` that the kind has."""
    own = {field.name for field in schema.fields}
    return tuple(name for name in names if name in own)
