"""Native row content and faults as JSON text, without losing a type: what quarantine and parking keep."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from bus.message import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$decimal": Decimal,
    "$bytes": base64.b64decode,
}


def _tag(value: object) -> dict[str, str]:
    match value:
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case Decimal():
            return {"$decimal": str(value)}
        case bytes() | bytearray() | memoryview():
            return {"$bytes": base64.b64encode(value).decode("ascii")}
    raise TypeError(
        f"a cell of type {type(value).__name__} cannot be kept; the adapter has to give text, a number, a date or bytes"
    )


def _untag(pairs: dict[str, Any]) -> Any:
    if len(pairs) == 1:
        ((name, text),) = pairs.items()
        reader = _READERS.get(name)
        if reader is not None:
            return reader(text)
    return pairs


def dump_content(content: Mapping[str, Any]) -> str:
    """JSON text of a row; dates, decimals and bytes are tagged. Lone surrogates survive as escapes."""
    return json.dumps(content, ensure_ascii=True, default=_tag)


def load_content(text: str) -> dict[str, Any]:
    """The row that `dump_content` was given, with its types."""
    loaded: dict[str, Any] = json.loads(text, object_hook=_untag)
    return loaded


def dump_faults(faults: Sequence[Fault]) -> str:
    """JSON text of faults."""
    return json.dumps([fault._asdict() for fault in faults], ensure_ascii=True)


def load_faults(text: str) -> tuple[Fault, ...]:
    """The faults that `dump_faults` was given."""
    return tuple(Fault(**fault) for fault in json.loads(text))
