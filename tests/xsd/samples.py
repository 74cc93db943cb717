"""Valid records of every kind, and the bytes a translator would make of fields. Names are neutral."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from bus.message import NAMESPACE, ROOTS, Translation
from xsd import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xsd.catalogue import Field

NOW: Final = datetime(2010, 3, 20, 8, 0, tzinfo=UTC)

_COMMON: Final = {
    "applicationNo": "10131300500698857411003011687",
    "businessNo": "YW20100301-7",
    "itemCode": "10131300500698857413440400",
    "dataVersion": "1",
    "regionCode": "440604",
}
_OWN: Final[Mapping[str, Mapping[str, str]]] = {
    "SB": {
        "itemName": "测试事项",
        "applicantType": "1",
        "applicantName": "申请人一",
        "applicantIdType": "10",
        "applicantIdNo": "11010519491231002X",
        "contactName": "联系人一",
        "contactMobile": "13800138000",
        "contactEmail": "a@example.com",
        "projectName": "测试项目",
        "materialList": "申请表;身份证复印件",
        "submitMode": "0",
        "receiptNo": "HZ-1",
        "appliedAt": "2010-03-01T09:00:00+08:00",
    },
    "YSL": {
        "deptName": "测试单位",
        "deptOrgCode": "006988574",
        "handlerName": "办理人一",
        "preStatus": "1",
        "preAcceptedAt": "2010-03-01T09:10:00+08:00",
    },
    "SL": {
        "deptName": "测试单位",
        "deptOrgCode": "006988574",
        "handlerName": "办理人一",
        "acceptStatus": "1",
        "receiptNo": "HZ-1",
        "acceptedAt": "2010-03-01T09:30:00+08:00",
        "jurisdictionCode": "440604",
        "queryPassword": "482913",
        "limitValue": "20",
        "limitUnit": "G",
        "phone": "0757-82345678",
        "promisedDueDate": "2010-03-29",
    },
    "SPCL": {
        "stepNo": "1",
        "stageCode": "1",
        "stageName": "承办",
        "deptOrgCode": "006988574",
        "approverName": "审批人一",
        "postCode": "01",
        "postName": "科员",
        "opinion": "同意",
        "approvedAt": "2010-03-02T10:00:00+08:00",
        "stageStatus": "1",
    },
    "BZGZ": {
        "seq": "1",
        "issuerName": "办理人一",
        "reason": "材料不齐",
        "materialList": "规划图纸",
        "notifiedAt": "2010-03-03T10:00:00+08:00",
    },
    "BZSL": {
        "seq": "1",
        "handlerName": "办理人一",
        "materialList": "规划图纸",
        "receivedAt": "2010-03-05T10:00:00+08:00",
    },
    "TBCXSQ": {
        "seq": "1",
        "specialType": "A",
        "specialTypeName": "延长审批",
        "startedAt": "2010-03-06T10:00:00+08:00",
        "approver": "批准人一",
        "reason": "情况复杂",
        "content": "延长 10 日",
        "limitValue": "10",
        "limitUnit": "G",
    },
    "TBCXJG": {
        "seq": "1",
        "resultText": "暂停恢复",
        "resultAt": "2010-03-12T10:00:00+08:00",
        "endedAt": "2010-03-12T10:00:00+08:00",
        "fee": "0.00",
        "currency": "CNY",
    },
    "BJ": {
        "deptOrgCode": "006988574",
        "resultCode": "0",
        "resultText": "准予许可",
        "certificateName": "测试许可证",
        "certificateNo": "证字第1号",
        "issuingOrg": "测试单位",
        "fee": "120.50",
        "currency": "CNY",
        "completedAt": "2010-03-15T16:00:00+08:00",
    },
    "LQDJ": {
        "collectorName": "申请人一",
        "collectorIdType": "10",
        "collectorIdNo": "110105491231002",
        "collectMode": "0",
        "collectedAt": "2010-03-16T09:00:00+08:00",
    },
}


def fields_of(kind: str, **changes: str | None) -> dict[str, str]:
    """A valid record without any flag, in schema order; a change to None leaves the field out."""
    values: dict[str, str | None] = {**_COMMON, **_OWN[kind], **changes}
    order = [field.name for field in catalogue.load().kinds[kind].fields]
    ordered = sorted(values, key=lambda name: order.index(name) if name in order else len(order))
    return {name: value for name in ordered if (value := values[name]) is not None}


def payload_of(kind: str, fields: Mapping[str, str]) -> bytes:
    """The canonical bytes of a record."""
    root = ROOTS[kind]
    body = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    return f'<{root} xmlns="{NAMESPACE}">{body}</{root}>'.encode()


def translation_of(kind: str, **changes: str | None) -> Translation:
    """A translation of `fields_of`."""
    fields = fields_of(kind, **changes)
    return Translation(kind, payload_of(kind, fields), fields)


_LONGEST: Final = {
    "DateTime": "2010-03-01T23:59:59.123456+08:00",
    "Date": "2010-12-31",
    "OrganisationCode": "91350100M000100Y43",
    "RegionCode": "440604000000",
    "RegionCode6": "440604",
}


def longest_value(field: Field) -> str:
    """A value at the upper limit of `field`, with characters that cost more than one byte or UTF-16 unit."""
    if field.type_name in _LONGEST:
        return _LONGEST[field.type_name]
    if field.xs_type == "code":
        return list(field.codes)[-1]
    if field.xs_type == "integer":
        return str(field.facets.max_value)
    if field.xs_type == "decimal":
        return "9" * ((field.facets.total_digits or 0) - 2) + ".99"
    assert field.max_length is not None
    return ("佛𠮷" * field.max_length)[: field.max_length]
