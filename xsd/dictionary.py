"""The data dictionary: one self-contained, printable page in Chinese, made from the XSD and the rules.

For the people of the districts and of the platforms' vendors, who look for the standard's abbreviations. The same
schema always gives the same page.
"""

from __future__ import annotations

import hashlib
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from bus.message import NAMESPACE
from xsd import catalogue
from xsd.checks import CONDITIONS
from xsd.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xsd.catalogue import Catalogue, Facets, Field, KindSchema

TITLE: Final = "佛山市行政审批电子监察统一交换标准 数据字典"
_TYPES: Final = {
    "string": "文本",
    "code": "代码",
    "dateTime": "时间",
    "date": "日期",
    "integer": "整数",
    "decimal": "金额",
}
_PATTERN_LENGTHS: Final = {"OrganisationCode": "9 或 18", "RegionCode": "6–12", "RegionCode6": "6"}
_WHERE_KNOWN: Final = "有则填"  # how the notes of the schema mark what is required where the source has it
_CONTACTS: Final = frozenset({"phone", "agentMobile"})
_HEAD: Final = ("序号", "中文名", "标准缩写", "元素名", "类型", "长度", "必填", "代码表／说明")
_SETTINGS: Final = {"reject": "拒收", "flag": "标记"}


def render() -> str:
    """The page as HTML, UTF-8, without anything loaded from elsewhere."""
    loaded = catalogue.load()
    style = files("xsd").joinpath("dictionary.css").read_text(encoding="utf-8")
    body = "".join([*_cover(), *_contents(loaded), *_reading(), *_kinds(loaded), *_code_lists(loaded), *_rules()])
    return (
        f'<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{TITLE}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>\n'
        f"<body><main>{body}</main></body></html>\n"
    )


def _cover() -> Iterator[str]:
    digest = hashlib.sha256(catalogue.schema_bytes()).hexdigest()
    facts = {"命名空间": NAMESPACE, "主文件": "xsd/v1/exchange.xsd", "文件 SHA-256": digest}
    rows = "".join(f"<dt>{name}</dt><dd><code>{text}</code></dd>" for name, text in facts.items())
    yield f"<header><h1>{TITLE}</h1><p class=version>第 1 版</p><dl>{rows}</dl></header>\n"


def _contents(loaded: Catalogue) -> Iterator[str]:
    def entries(kinds: Mapping[str, KindSchema]) -> str:
        return "".join(
            f"<li><a href='#{kind}'><b>{kind}</b> {schema.zh}</a> <code>{schema.root}</code></li>"
            for kind, schema in kinds.items()
        )

    lists = "".join(
        f"<li><a href='#{name}'>{escape(facets.zh)}</a> <code>{name}</code></li>"
        for name, facets in _used_lists(loaded)
    )
    yield "<nav><h2>目录</h2><div class=columns>"
    yield f"<section><h3>一、业务记录</h3><ol>{entries(loaded.kinds)}</ol>"
    yield f"<h3>二、其他记录</h3><ol>{entries(loaded.side)}</ol></section>"
    yield f"<section><h3>三、代码表</h3><ol>{lists}</ol></section>"
    yield "<section><h3>四、规则</h3><ol><li><a href='#rules'>单条记录的校验规则</a></li></ol></section>"
    yield "</div></nav>\n"


def _reading() -> Iterator[str]:
    notes = (
        "元素按表中次序出现，每个至多一次；没有值的选填元素应省略。",
        "长度以字符计：一个汉字为 1，扩展区汉字（如“𠮷”）也为 1；不是字节数。超长的记录被拒收，网关不截断。",
        "必填文本不得为空白。“条件”表示在一定情况下必填：缺少时记录照常上报，但带标记。",
        "时间一律写作 2010-03-01T09:30:00+08:00；日期写作 2010-03-01；金额不带千位逗号和单位。",
        "代码区分大小写，照表填写。组织机构代码 9 位；2015 年 10 月起可为 18 位统一社会信用代码。",
        "每条记录末尾可有 quality 元素，由网关写入：列出被标记的问题（code）与字段（field）。",
    )
    items = "".join(f"<li>{note}</li>" for note in notes)
    yield f"<section class=reading><h2>使用说明</h2><ul>{items}</ul></section>\n"


def _kinds(loaded: Catalogue) -> Iterator[str]:
    for title, kinds in (("一、业务记录", loaded.kinds), ("二、其他记录", loaded.side)):
        yield f"<h2>{title}</h2>"
        common = _shared(list(loaded.kinds.values())) if kinds is loaded.kinds else 0
        for kind, schema in kinds.items():
            yield _kind(kind, schema, common=common)


def _shared(kinds: Sequence[KindSchema]) -> int:
    """How many fields every kind begins with."""
    return sum(len(set(column)) == 1 for column in zip(*([f.name for f in k.fields] for k in kinds), strict=False))


def _kind(kind: str, schema: KindSchema, *, common: int) -> str:
    aliases = "、".join(f"<code>{alias}</code>" for alias in schema.aliases if alias != kind)
    also = f"；来源名称：{aliases}" if aliases else ""
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    rows = []
    for number, field in enumerate(schema.fields, 1):
        if common and number in (1, common + 1):
            rows.append(f"<tr class=group><td colspan=8>{'公共字段' if number == 1 else f'{schema.zh}字段'}</td></tr>")
        rows.append(_row(number, field, kind))
    return (
        f"<section class=kind id='{kind}'><h3><b>{kind}</b> {schema.zh}</h3>"
        f"<p>根元素 <code>{schema.root}</code>{also}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></section>\n"
    )


def _row(number: int, field: Field, kind: str) -> str:
    first, *others = field.abbreviations
    aliases = f"<small>{' '.join(others)}</small>" if others else ""
    need, style = _need(field, kind)
    notes = [escape(field.note)] if field.note else []
    if field.codes:
        notes.insert(0, f"<a href='#{field.type_name}'>{escape(field.facets.zh)}</a>：{_short_codes(field.codes)}")
    cells = (
        f"<td class=number>{number}</td><td>{escape(field.zh)}</td><td><code>{first}</code>{aliases}</td>"
        f"<td><code>{_breakable(field.name)}</code></td><td>{_TYPES[field.xs_type]}</td><td>{_length(field)}</td>"
        f"<td class={style}>{need}</td><td>{'<br>'.join(notes)}</td>"
    )
    return f"<tr>{cells}</tr>"


def _breakable(name: str) -> str:
    """An element name that may break before its capitals."""
    return "".join(f"<wbr>{c}" if c.isupper() else c for c in name)


def _short_codes(codes: Mapping[str, str]) -> str:
    if len(codes) > 7:
        return f"共 {len(codes)} 个，见代码表"
    return "，".join(f"{code} {escape(label.partition('（')[0])}" for code, label in codes.items())


def _need(field: Field, kind: str) -> tuple[str, str]:
    """Word and style of the column 必填."""
    if field.is_required:
        return "必填", "required"
    demanded = {name for names in CONDITIONS[kind][1].values() for name in names} if kind in CONDITIONS else set()
    if field.name in demanded or (kind == "SL" and field.name in _CONTACTS) or _WHERE_KNOWN in field.note:
        return "条件", "conditional"
    return "选填", "optional"


def _length(field: Field) -> str:
    facets = field.facets
    if field.type_name in _PATTERN_LENGTHS:
        return _PATTERN_LENGTHS[field.type_name]
    if field.max_length is not None:
        return f"1–{field.max_length}" if field.is_required else f"≤ {field.max_length}"
    if facets.total_digits is not None:
        return f"{facets.total_digits},{facets.fraction_digits}"
    return _range(facets)


def _range(facets: Facets) -> str:
    if facets.min_value is None or facets.max_value is None:
        return "—"
    return f"≥ {facets.min_value}" if facets.max_value >= 2**31 - 1 else f"{facets.min_value}–{facets.max_value}"


def _used_lists(loaded: Catalogue) -> list[tuple[str, Facets]]:
    schemas = [*loaded.kinds.values(), *loaded.side.values()]
    used = {field.type_name for schema in schemas for field in schema.fields if field.codes}
    return [(name, facets) for name, facets in loaded.types.items() if name in used]


def _code_lists(loaded: Catalogue) -> Iterator[str]:
    yield "<h2>三、代码表</h2><div class=lists>"
    for name, facets in _used_lists(loaded):
        rows = "".join(
            f"<tr><td><code>{code}</code></td><td>{escape(label)}</td></tr>" for code, label in facets.codes.items()
        )
        yield (
            f"<section class=list id='{name}'><h3>{escape(facets.zh)} <code>{name}</code></h3>"
            f"<table><thead><tr><th>代码</th><th>含义</th></tr></thead><tbody>{rows}</tbody></table></section>"
        )
    yield "</div>\n"


def _rules() -> Iterator[str]:
    yield "<section id=rules><h2>四、规则</h2>"
    yield (
        "<p>统一标准（XSD）不符、主键不能识别、非本来源行政区划、时间在将来的记录<b>拒收</b>：进入隔离区，附全部原因。"
        "其余问题只<b>标记</b>：记录照常上报，问题写入 quality。各来源可调整每条规则的处理方式。</p>"
    )
    head = "<tr><th>规则</th><th>处理</th><th>要求</th></tr>"
    rows = "".join(
        f"<tr><td><code>{rule.name}</code></td><td class={rule.severity}>{_SETTINGS[rule.severity]}</td>"
        f"<td>{escape(rule.zh)}</td></tr>"
        for rule in RULES
    )
    yield f"<table class=rules><thead>{head}</thead><tbody>{rows}</tbody></table></section>\n"
