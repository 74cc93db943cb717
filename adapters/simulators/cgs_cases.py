"""Cases of a district's approval hall, one row a step, living through the state machine of standard §3.4."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapters.simulators.identifiers import citizen_number, credit_code, organisation_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISTRICTS: Final = {"440604": "禅城", "440605": "南海", "440606": "顺德", "440607": "三水", "440608": "高明"}
_NUMERALS: Final = "一二三四五六七八九十"
_ITEMS: Final = (
    ("建设工程规划许可", 20, "0", "建设工程规划许可证"),
    ("企业名称预先核准", 5, "0", "企业名称预先核准通知书"),
    ("排放污染物许可", 15, "按标准收费", "排放污染物许可证"),
    ("食品卫生许可", 20, "0", "食品卫生许可证"),
    ("户外广告设置许可", 10, "0", "户外广告设置许可证"),
    ("城市道路挖掘许可", 15, "按标准收费", "城市道路挖掘许可证"),
)
_MATERIALS: Final = "申请表;身份证明复印件;场地使用证明;委托书"
_STEPS: Final = (("1", "承办", "科员"), ("2", "审核", "科长"), ("3", "批准", "局长"))
_OPINIONS: Final = (
    "材料齐全，符合法定形式，同意报批。",
    "经现场核查，情况属实，拟同意。",
    "符合规定条件，同意办理。",
)
_NEW_CODES_FROM: Final = datetime(2015, 10, 1)  # noqa: DTZ001 - the platform's columns have no zone


class Step(NamedTuple):
    """One row as the platform writes it: KIND, its columns by declared name, and when it is written."""

    kind: str
    values: dict[str, Any]
    at: datetime


class District:
    """One installation: its departments, and cases that follow from `seed`.

    Args:
        division: its code.
        seed: equal seeds give equal cases.
        short_numbers: share of cases that carry a number of the installation's own instead of the structured one.
    """

    def __init__(self, division: str, *, seed: int, short_numbers: float = 0.2) -> None:
        self.division = division
        self._name = _DISTRICTS.get(division, division)
        self._short_numbers = short_numbers
        self._seed = seed
        self._organisations = [organisation_code(int(division[-2:]) * 1000 + i) for i in range(1, 11)]

    def case(self, number: int, start: datetime) -> list[Step]:
        """Case `number`, received at `start`: its steps in the order in which they are written."""
        dice = random.Random(f"{self._seed}/{self.division}/{number}")  # noqa: S311 - a simulation
        unit = dice.randrange(10)
        case = _Case(self, dice, number=number, unit=unit, start=start.replace(microsecond=0))
        return list(case.steps())

    def department(self, unit: int) -> tuple[str, str]:
        """Name and organisation code of one of its departments."""
        return f"{self._name}测试单位{_NUMERALS[unit]}", self._organisations[unit]

    def number(self, dice: random.Random, number: int, unit: int, start: datetime) -> str:
        """YWLSH of a case."""
        if dice.random() < self._short_numbers:
            return f"SL{start:%Y}{number:06d}"
        return f"{self.division}{self._organisations[unit]}{start:%y%m%d}{number % 10_000_000:07d}"


class _Case:
    """One case, step by step; the dice are thrown in the same order for the same seed."""

    def __init__(self, district: District, dice: random.Random, *, number: int, unit: int, start: datetime) -> None:
        self._district, self._dice, self._serial, self._unit = district, dice, number, unit
        self._now = start
        self._department, self._organisation = district.department(unit)
        self._item = dice.randrange(len(_ITEMS))
        self._key = {"YWLSH": district.number(dice, number, unit, start), "SJBBH": 1}

    def steps(self) -> Iterator[Step]:
        """From acceptance to completion."""
        is_accepted = self._dice.random() >= 0.06
        yield self._acceptance(is_accepted=is_accepted)
        if not is_accepted:
            yield self._completion("1", "不予受理，退回申请人。")
            return
        if self._dice.random() < 0.15:
            yield self._notice()
            if self._dice.random() < 0.15:
                self._wait(days=10)
                yield self._completion("5", "逾期未补正，办结。")
                return
            yield self._receipt()
        yield self._approval(1)
        if self._dice.random() < 0.12:
            request = self._request()
            yield request
            yield self._result(request)
        yield self._approval(2)
        yield self._approval(3)
        result = self._dice.choices(("0", "2", "6"), (88, 4, 8))[0]
        yield self._completion(result, {"0": "准予许可，发证。", "2": "申请人撤回，作废。", "6": "办结。"}[result])

    def _wait(self, *, days: float = 0) -> datetime:
        self._now += timedelta(days=days, seconds=self._dice.randrange(600, 40_000))
        return self._now

    def _step(self, kind: str, **values: Any) -> Step:
        return Step(kind, {**self._key, **values}, self._now)

    def _handler(self, role: int) -> str:
        return f"经办人{_NUMERALS[self._unit]}{_NUMERALS[role]}"

    def _applicant(self) -> dict[str, Any]:
        kind = self._dice.choices(("1", "2", "9"), (45, 50, 5))[0]
        serial = self._serial + 1
        organisation = organisation_code(50_000_000 + self._serial % 40_000_000)
        if kind == "1":
            # 城区 was a district when they were born; 禅城 exists since 2002 only.
            born = date(1985, 1, 1) + timedelta(days=self._dice.randrange(2_000))
            number = citizen_number("440602", born, self._dice.randrange(1000))
        elif kind == "2" and self._now >= _NEW_CODES_FROM:
            number = credit_code("440604", organisation)
        else:
            number = organisation
        return {
            "SQDWHSQRXM": f"申请人{serial}" if kind == "1" else f"测试企业{serial}",
            "SQRLX": kind,
            "SQRZJHM": number,
            "SQDWJBRXM": f"联系人{serial}",
            "SQDWLXDH": f"0757-8{self._dice.randrange(10**7):07d}",
            "SQDWJBRSJ": f"138{self._dice.randrange(10**8):08d}",
            "SQDWJBRYJ": f"applicant{serial}@example.com",
        }

    def _acceptance(self, *, is_accepted: bool) -> Step:
        name, limit, fee, _ = _ITEMS[self._item]
        division = self._district.division
        return self._step(
            "SL",
            YXTYWLSH=f"{division}{self._now:%Y}{self._serial:08d}",
            SPSXBH=f"{division}{self._organisation}{self._item + 1:03d}",
            SPSXZXBH="001",
            SPSXMC=name,
            XZQHDM=division,
            SLJGMC=self._department,
            SLJGZZJGDM=self._organisation,
            BLRXM=self._handler(0),
            BLRGH=f"{self._unit + 1:02d}{self._dice.randrange(100):02d}",
            SLYF="0" if is_accepted else "1",
            BSLYY=None if is_accepted else "申请事项不属于本机关职权范围。",
            HZBH=f"HZ{self._now:%Y%m%d}{self._serial:06d}",
            SLSJ=self._now,
            FLGDGXD=division,
            FSYWGXD=division,
            CXMM=f"{self._dice.randrange(100_000, 800_000)}",
            GDBLSX=limit,
            GDBLSXDW="G",
            GDSF=fee,
            XMMC=f"{name}（测试项目{self._serial + 1}）",
            **self._applicant(),
            SLJTDD="行政服务中心一楼综合窗口",
            SLZLQD=_MATERIALS,
            TJFS=self._dice.choice(("0", "1", "8")),
            PHD=f"A{self._serial % 1000:03d}",
        )

    def _notice(self) -> Step:
        self._wait()
        return self._step(
            "BZGZ",
            BJGZFCR=self._handler(0),
            BJGZYY="申请材料不齐全，需补正。",
            BJCLGZQD="场地使用证明;委托书",
            BJGZSJ=self._now,
        )

    def _receipt(self) -> Step:
        self._wait(days=2)
        return self._step(
            "BZSL",
            SLDWCBRXM=self._handler(0),
            BJCLQD="场地使用证明;委托书",
            BJSJ=self._now,
            BJSLJTDD="行政服务中心一楼综合窗口",
        )

    def _approval(self, number: int) -> Step:
        self._wait()
        code, name, post = _STEPS[number - 1]
        return self._step(
            "SPCL",
            SPBZH=number,
            SPHJDM=code,
            SPHJMC=name,
            SPBMMC=self._department,
            SPBMZZJDMD=self._organisation,
            SPRXM=self._handler(number),
            SPRZWDM=f"{number:02d}",
            SPRZWMC=post,
            SPYJ=_OPINIONS[number - 1],
            SPSJ=self._now,
            SPHJZTDM="1",
        )

    def _request(self) -> Step:
        self._wait()
        kind = self._dice.choice("AB")
        return self._step(
            "TBCXSQ",
            XH="1",
            TBCXZL=kind,
            TBCXZLMC={"A": "延长审批", "B": "专家评审"}[kind],
            TBCXKSRQ=self._now,
            TBCXPZR=self._handler(9),
            TBCXPZRDH="0757-80000000",
            TBCXPZRSJ="13800000000",
            TBCXQDLYHYJ="案情复杂，依照规定启动特别程序。",
            SQNR="申请启动特别程序。",
            TBCXSX=5,
            TBCXSXDW="G",
        )

    def _result(self, request: Step) -> Step:
        self._wait(days=3)
        return self._step(
            "TBCXJG",
            XH=request.values["XH"],
            TBCXJG="特别程序结束，恢复办理。",
            JGCSRQ=self._now,
            TBCXJSRQ=self._now,
            TBCXSFJE="0.00",
            JEDWDM="CNY",
        )

    def _completion(self, result: str, text: str) -> Step:
        self._wait()
        _, _, fee, certificate = _ITEMS[self._item]
        is_granted = result == "0"
        return self._step(
            "BJ",
            BJJGMC=self._department,
            BJJGZZJGDM=self._organisation,
            BJJG=result,
            BLJGMS=text,
            ZFTHYY=text if result in {"1", "2", "3"} else None,
            ZJMC=certificate if is_granted else None,
            ZJBH=f"{self._now:%Y}第{self._serial + 1}号" if is_granted else None,
            ZJYXQX="长期" if is_granted else None,
            FZDW=self._department if is_granted else None,
            SFJE="0.00" if fee == "0" else "1200.00",
            JEDWDM="CNY",
            BJSJ=self._now,
            XKYF="0" if result in {"0", "6"} else "1",
            BYXKYY=None if result in {"0", "6"} else text,
        )
