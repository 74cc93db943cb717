"""How fast records are translated: `python -m tests.mappings.bench_translate [records]`.

Every record has values of its own in names, numbers, times and lists, and repeats departments, codes and regions, as a
page of acceptances of one district does. Beside it stands what the mere writing of as many elements costs with
`saxutils.escape`, which knows no mapping, no trimming and no control characters: the ratio does not depend on the
machine.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from time import process_time
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from bus.message import Record
from mappings.translator import MappingTranslator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bus.message import Translation

_START = datetime(2010, 3, 1, 8, 30)  # noqa: DTZ001 - as drivers give it
_ROUNDS = 7


class Measured(NamedTuple):
    """CPU time of the best round, in microseconds a record."""

    elements: int
    translate_us: float
    escape_only_us: float


def acceptance(number: int) -> Record:
    """One acceptance of cgs with 41 columns, 30 of which become elements of their own."""
    moment = _START + timedelta(seconds=37 * number)
    content = {
        "YWLSH": f"2010{number:08}",
        "SJBBH": 1,
        "YXTYWLSH": f"YX{number:08}",
        "SPSXBH": "440604007482567001",
        "SPSXZXBH": "001",
        "SPSXMC": "测试事项一",
        "XZQHDM": "440604000000",
        "SLJGMC": "测试单位受理窗口",
        "SLJGZZJGDM": "00748256-7",
        "BLRXM": "经办人一",
        "BLRGH": "0012",
        "SLYF": "0",
        "BSLYY": None,
        "HZBH": f"HZ{number:08}",
        "SLSJ": moment,
        "FLGDGXD": "440604",
        "FSYWGXD": "440604",
        "CXMM": "888888",
        "GDBLSX": 20,
        "GDBLSXDW": "G",
        "GDSF": "不收费",
        "XMMC": f"测试项目{number}",
        "SQDWHSQRXM": f"申请人{number}",
        "SQRLX": "2",
        "SQRZJHM": f"TEST{number:014}",
        "SQDWJBRXM": f"经办人{number}",
        "SQDWLXDH": f"0757-8{number:07}",
        "SQDWJBRSJ": f"138{number:08}",
        "SQDWJBRYJ": None,
        "SLJTDD": "一号窗口",
        "SLZLQD": f"申请书；身份证明;图纸{number};",
        "TJFS": "0",
        "PHD": f"A{number % 1000:03}",
        "BZ": None,
        "GXSJ": moment,
        "ISGET": "0",
    }
    return Record(f"440604:SL:440604-{number}", "440604", "SL", f"440604-{number}", 1, b"", "", content)


def measure(count: int) -> Measured:
    """Best of several rounds over one page of `count` records."""
    translator = MappingTranslator.load("cgs")
    page = [acceptance(number) for number in range(count)]
    translated = translator.translate(page)
    translate_s = _best(lambda: translator.translate(page))
    escape_s = _best(lambda: _written(translated))
    return Measured(len(translated[0].fields), translate_s / count * 1e6, escape_s / count * 1e6)


def _written(translations: Sequence[Translation]) -> list[bytes]:
    names = tuple(translations[0].fields)
    template = "<acceptance>" + "".join(f"<{name}>%s</{name}>" for name in names) + "</acceptance>"
    return [(template % tuple(map(escape, found.fields.values()))).encode() for found in translations]


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        started = process_time()
        run()
        times.append(process_time() - started)
    return min(times)


def main(arguments: Sequence[str]) -> str:
    """The figures as one line."""
    found = measure(int(arguments[0]) if arguments else 5000)
    return (
        f"{found.elements} elements: {found.translate_us:.2f} us a record, {1e6 / found.translate_us:,.0f} a second; "
        f"escaping and writing alone: {found.escape_only_us:.2f} us"
    )


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
