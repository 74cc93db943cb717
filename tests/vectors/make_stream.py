"""Makes `stream.json` from docs/reference/stream.md alone: nothing of the product is imported.

Run `python tests/vectors/make_stream.py` in the root of the repository; a test compares the file with what this makes.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Json = dict[str, Any]

NAMESPACE = "urn:foshan:supervision:exchange:v1"
STREAM, DIVISION, SOURCE = "foshan/chancheng", "440604", "chancheng"
SCHEMA, MAPPING = NAMESPACE, "cgs/5f1e0c"
KEY_HASH = hashlib.sha256(b"vectors: key of the hash over business keys").digest()
SIGNING = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"vectors: signing key").digest())
STRANGER = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"vectors: key of nobody").digest())
CORE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"vectors: cosigning key").digest())

#: What a verifier finds that judges what is sealed only, where it differs.
SEALED_ONLY: dict[str, list[tuple[str, int]]] = {
    "package's record altered": [("head", 4)],
    "package's head altered": [],
    "type altered": [],
    "correlation_id altered": [],
    "timestamp altered": [],
    "routing key altered": [],
}


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def lp(text: str) -> bytes:
    data = text.encode("utf-8")
    return len(data).to_bytes(4, "big") + data


def leaf_bytes(fields: Json) -> bytes:
    """The bytes that a leaf is the hash of; `fields` in the words of §3."""
    key_hash = hmac.new(KEY_HASH, fields["key"].encode("utf-8"), "sha256").hexdigest()
    texts = [fields["stream"], str(fields["epoch"]), str(fields["seq"]), fields["type"], key_hash, fields["rowDigest"]]
    texts += [fields["payloadDigest"], fields["schemaId"], fields["mappingId"], fields["collectedAt"]]
    return b"foshan-exchange/leaf/v1\n" + b"".join(lp(text) for text in texts)


def genesis(stream: str, epoch: int) -> bytes:
    return sha(b"foshan-exchange/genesis/v1\n" + lp(stream) + lp(str(epoch)))


def next_head(head: bytes, leaf: bytes) -> bytes:
    return sha(b"foshan-exchange/head/v1\n" + head + leaf)


def key_id(name: str, key: Ed25519PrivateKey) -> bytes:
    return sha(name.encode() + b"\n\x01" + key.public_key().public_bytes_raw())[:4]


def signature_line(text: str, name: str, key: Ed25519PrivateKey) -> str:
    signature = base64.b64encode(key_id(name, key) + key.sign(text.encode())).decode()
    return f"\u2014 {name} {signature}\n"


def note_text(stream: str, epoch: int, size: int, head: bytes) -> str:
    return f"{stream}/e{epoch}\n{size}\n{base64.b64encode(head).decode()}\n"


def note(text: str, *signers: tuple[str, Ed25519PrivateKey]) -> str:
    return text + "\n" + "".join(signature_line(text, name, key) for name, key in signers)


def trust_text() -> str:
    def key_lines(name: str, key: Ed25519PrivateKey, indent: str) -> str:
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        pairs = {"name": name, "key_id": key_id(name, key).hex(), "suite": "ed25519-sha256", "public_key": public}
        return "".join(f'{indent}{word}: "{value}"\n' for word, value in pairs.items())

    streams = f'streams:\n  - pattern: "foshan/*"\n{key_lines("foshan", SIGNING, "    ")}'
    return f'version: 1\nkey_hash: "{KEY_HASH.hex()}"\n{streams}core:\n{key_lines("core", CORE, "  ")}'


def entry(seq: int, payload: str, key: str, **other: Any) -> Json:
    """One entry in the words of §3, with its payload and the words that a message needs."""
    fields = {"stream": STREAM, "epoch": 1, "seq": seq, "type": "record", "key": key, "payload": payload}
    fields |= {"rowDigest": sha(f"row {seq}".encode()).hex(), "payloadDigest": sha(payload.encode()).hex()}
    fields |= {"schemaId": SCHEMA, "mappingId": MAPPING, "collectedAt": f"2010-03-01T02:03:{seq % 60:02d}.567Z"}
    parts = key.split(":")
    fields |= {"kind": parts[1], "topic": parts[1], "domain": "approval", "applicationNo": parts[2]}
    return fields | other


def entries() -> list[Json]:
    ns = f'xmlns="{NAMESPACE}"'
    sl = f"<acceptance {ns}><applicationNo>100001</applicationNo><applicantName>申请人一</applicantName></acceptance>"
    bj = f"<completion {ns}><applicationNo>甲:2010%7</applicationNo><opinion>同意，准予许可</opinion></completion>"
    notice = f"<notice {ns}><kind>SL</kind><applicationNo>100001</applicationNo></notice>"
    step = f"<approvalStep {ns}><applicationNo>A&amp;B</applicationNo><stepName>审核“一”</stepName></approvalStep>"
    plain = f"<application {ns}><applicationNo>100002</applicationNo></application>"
    opened = f"<manifest {ns}><count>2</count></manifest>"
    return [
        entry(1, sl, "440604:SL:100001:1"),
        entry(2, bj, "440604:BJ:甲%3A2010%257:2", applicationNo="甲:2010%7"),
        entry(3, notice, "440604:SL:100001:1", type="notice", kind="NOTICE", topic="conflict", domain="notice"),
        entry(4, step, '440604:SPCL:A&B<">:03:1', applicationNo='A&B<">'),
        entry(5, plain, "440604:SB:100002:1"),
        entry(6, opened, "440604:MANIFEST:6", type="manifest", kind="MANIFEST", topic=SOURCE, domain="manifest"),
        entry(7, plain, "440604:SB:100002:2", domain="oa"),
    ]


def seal(members: list[Json], head: bytes) -> None:
    """Adds leaf and head to every entry."""
    for fields in members:
        leaf = sha(leaf_bytes(fields))
        head = next_head(head, leaf)
        fields |= {"leaf": leaf.hex(), "head": head.hex()}


def envelope(fields: Json, type_: str, routing_key: str, body: str) -> Json:
    place = f"{fields['stream']}/e{fields['epoch']}/{fields['seq']}"
    seconds = 1267408980 + int(fields["collectedAt"][17:19])  # 2010-03-01T02:03:00Z
    properties = {"content_type": "application/xml", "delivery_mode": 2, "message_id": place, "type": type_}
    properties |= {"app_id": SOURCE, "timestamp": seconds}
    headers = {"x-stream": fields["stream"], "x-epoch": fields["epoch"], "x-seq": fields["seq"]}
    headers |= {"x-digest": sha(body.encode()).hex(), "x-mapping": fields["mappingId"]}
    headers |= {"cloudEvents_specversion": "1.0", "cloudEvents_id": place}
    headers |= {
        "cloudEvents_source": f"urn:foshan:{fields['stream']}",
        "cloudEvents_type": f"foshan.supervision.{type_}",
    }
    headers |= {"cloudEvents_time": fields["collectedAt"], "cloudEvents_dataschema": fields["schemaId"]}
    data = base64.b64encode(body.encode()).decode()
    message = {"exchange": "supervision", "routing_key": routing_key, "properties": properties, "headers": headers}
    return message | {"body": data}


def message(fields: Json) -> Json:
    routing_key = f"{fields['domain']}.{DIVISION}.{fields['topic']}"
    made = envelope(fields, fields["kind"], routing_key, fields["payload"])
    made["headers"] |= {"x-key": fields["key"], "x-row": fields["rowDigest"], "x-head": fields["head"]}
    if fields["type"] in {"record", "notice"}:
        made["properties"]["correlation_id"] = fields["applicationNo"]
    return made


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def package_body(members: list[Json]) -> str:
    first = members[0]
    times = [m["collectedAt"] for m in members]
    joined = "".join(m["payload"] for m in members)
    created = f"2010-03-01T10:03:{first['collectedAt'][17:19]}+08:00"
    root = f'<package xmlns="{NAMESPACE}" lengths="{" ".join(str(len(m["payload"].encode())) for m in members)}"'
    root += f' keys="{" ".join(escape(m["key"]) for m in members)}" rows="{" ".join(m["rowDigest"] for m in members)}"'
    root += f' collectedAt="{times[0] if len(set(times)) == 1 else " ".join(times)}">'
    head = f"<packageId>{first['stream']}/e{first['epoch']}/{first['seq']}</packageId>"
    head += f"<senderDivision>{DIVISION}</senderDivision><createdAt>{created}</createdAt>"
    head += f"<count>{len(members)}</count><digest>{sha(joined.encode()).hex()}</digest>"
    return f"{root}<head>{head}</head><body>{joined}</body></package>"


def package(members: list[Json]) -> Json:
    made = envelope(members[0], "PACKAGE", f"approval.{DIVISION}.PACKAGE", package_body(members))
    made["headers"] |= {"x-count": len(members), "x-head": members[-1]["head"]}
    return made


def checkpoint(text: str) -> Json:
    origin = text.split("\n", 1)[0]
    stream, _, epoch = origin.rpartition("/e")
    properties = {"content_type": "text/plain", "delivery_mode": 2, "type": "CHECKPOINT", "app_id": SOURCE}
    made = {"exchange": "supervision", "routing_key": f"checkpoint.{DIVISION}.{SOURCE}", "properties": properties}
    headers = {"x-stream": stream, "x-epoch": int(epoch)}
    return made | {"headers": headers, "body": base64.b64encode(text.encode()).decode()}


def signed(size: int, head: str, key: Ed25519PrivateKey = SIGNING, name: str = "foshan") -> Json:
    return checkpoint(note(note_text(STREAM, 1, size, bytes.fromhex(head)), (name, key)))


def journal() -> list[Json]:
    """Seven entries: three alone, two in a package, two alone; checkpoints after 3 and 7."""
    made = entries()
    seal(made, genesis(STREAM, 1))
    lone = [message(m) for m in made]
    last = signed(7, made[6]["head"])
    return [*lone[:3], signed(3, made[2]["head"]), package(made[3:5]), *lone[5:], last]


def changed(messages: list[Json], index: int, **parts: Any) -> list[Json]:
    """A copy with `headers__x`, `properties__x` or a top-level word of one message set to another value."""
    copied = copy.deepcopy(messages)
    for path, value in parts.items():
        *where, word = path.split("__")
        target = copied[index][where[0]] if where else copied[index]
        target[word.replace("_", "-") if where[:1] == ["headers"] else word] = value
    return copied


def flipped(messages: list[Json], index: int, old: bytes, new: bytes, *, redigest: bool = False) -> list[Json]:
    body = base64.b64decode(messages[index]["body"])
    assert old in body
    body = body.replace(old, new, 1)
    copied = changed(messages, index, body=base64.b64encode(body).decode())
    if redigest:
        copied[index]["headers"]["x-digest"] = sha(body).hex()
    return copied


def bad_journals(good: list[Json]) -> list[Json]:
    """Journals with one thing wrong and what is to be found: kind and seq."""
    heads = [m["headers"].get("x-head") for m in good]
    stranger = [*good[:-1], signed(7, heads[-2], STRANGER, "foshan")]
    wrong_signature = copy.deepcopy(good)
    text = base64.b64decode(good[-1]["body"]).decode()
    wrong_signature[-1]["body"] = base64.b64encode(text.replace("\n7\n", "\n6\n").encode()).decode()
    contradicting = [*good[:-1], signed(7, "00" * 32)]
    resent = [*good, changed(good, 0)[0]]
    resent[-1]["headers"]["x-resent"] = True
    equivocal = entry(1, "<other/>", "440604:SL:100001:1")
    seal([equivocal], genesis(STREAM, 1))
    row = "ab" * 32
    cases: list[tuple[str, list[Json], list[tuple[str, int]]]] = [
        ("nothing wrong", good, []),
        ("re-sent, marked", resent, []),
        ("entry 2 removed", [*good[:1], *good[2:]], [("gap", 2)]),
        ("package removed", [*good[:4], *good[5:]], [("gap", 4)]),
        ("last entry removed", [*good[:6], *good[7:]], [("gap", 7)]),
        ("entry 2 doubled", [*good[:2], *good[1:]], [("double", 2)]),
        ("package doubled", [*good[:5], *good[4:]], [("double", 4), ("double", 5)]),
        ("entries 1 and 2 swapped", [good[1], good[0], *good[2:]], [("reorder", 1)]),
        ("entries 6 and 7 swapped", [*good[:5], good[6], good[5], good[7]], [("reorder", 6)]),
        ("body byte altered", flipped(good, 0, "一".encode(), "二".encode()), [("altered", 1)]),
        ("body and x-digest altered", flipped(good, 0, "一".encode(), "二".encode(), redigest=True), [("head", 1)]),
        ("package altered", flipped(good, 4, b"100002", b"100003"), [("altered", 4)]),
        ("package's record altered", flipped(good, 4, b">100002", b">100003", redigest=True), [("altered", 4)]),
        ("package's head altered", flipped(good, 4, b"<count>2", b"<count>3", redigest=True), [("altered", 4)]),
        ("x-key altered", changed(good, 0, headers__x_key="440604:SL:100001:2"), [("head", 1)]),
        ("x-row altered", changed(good, 0, headers__x_row=row), [("head", 1)]),
        ("x-head altered", changed(good, 0, headers__x_head=row), [("head", 1)]),
        ("x-mapping altered", changed(good, 0, headers__x_mapping="cgs/0"), [("head", 1)]),
        ("type altered", changed(good, 0, properties__type="SB"), [("altered", 1)]),
        ("correlation_id altered", changed(good, 1, properties__correlation_id="甲:2010%8"), [("altered", 2)]),
        ("timestamp altered", changed(good, 1, properties__timestamp=0), [("altered", 2)]),
        ("routing key altered", changed(good, 0, routing_key="approval.440605.SL"), [("altered", 1)]),
        ("seq altered", changed(good, 1, headers__x_seq=9), [("altered", 9), ("gap", 2)]),
        ("other content for entry 1", [*good, message(equivocal)], [("altered", 1)]),
        ("stream that nobody knows", changed(good, 0, headers__x_stream="other/one"), [("forged", 1)]),
        ("cut before the last checkpoint", good[:-1], [("tail", 4)]),
        ("cut, no checkpoint at all", good[:2], [("tail", 1)]),
        ("checkpoint by a stranger's key", stranger, [("forged", 7), ("tail", 4)]),
        ("checkpoint with a broken signature", wrong_signature, [("forged", 6), ("tail", 4)]),
        ("checkpoint contradicts", contradicting, [("checkpoint", 7), ("tail", 4)]),
    ]
    return [{"name": n, "messages": m, "findings": found, "sealed": SEALED_ONLY.get(n, found)} for n, m, found in cases]


def bad_notes(good: str) -> list[Json]:
    """Notes that must be refused, in the place of `good` (size 7)."""
    text, _, lines = good.partition("\n\n")
    cases = {
        "no signature line": text + "\n\n",
        "no empty line": text + "\n" + lines,
        "hyphen for the dash": good.replace("\u2014", "-"),
        "no line end": good[:-1],
        "carriage returns": good.replace("\n", "\r\n"),
        "leading zero": good.replace("\n7\n", "\n07\n"),
        "extension line": note(text + "\nmore\n", ("foshan", SIGNING)),
        "head of 31 bytes": note(note_text(STREAM, 1, 7, bytes(31)), ("foshan", SIGNING)),
        "no epoch": note(f"{STREAM}\n7\n{base64.b64encode(bytes(32)).decode()}\n", ("foshan", SIGNING)),
        "key name of another": good.replace("\u2014 foshan ", "\u2014 other "),
        "signed by a stranger": note(text + "\n", ("foshan", STRANGER)),
        "other size": good.replace("\n7\n", "\n8\n"),
        "signature not base64": good.replace(lines.split(" ")[2][:4], "*" * 4),
        "short signature": note(text + "\n")
        + f"\u2014 foshan {base64.b64encode(key_id('foshan', SIGNING)).decode()}\n",
    }
    return [{"name": name, "note": value} for name, value in cases.items()]


def build() -> Json:
    made = entries()
    seal(made, genesis(STREAM, 1))
    for fields in made:
        fields["leafBytes"] = leaf_bytes(fields).hex()
        fields["keyHash"] = hmac.new(KEY_HASH, fields["key"].encode(), "sha256").hexdigest()
    large = entry(2**63 - 1, "<最大/>", "440604:SL:二〇一〇%3A1%20%25:1", applicationNo="二〇一〇:1 %")
    large |= {"leafBytes": leaf_bytes(large).hex()}
    large |= {"keyHash": hmac.new(KEY_HASH, large["key"].encode(), "sha256").hexdigest()}
    seal([large], bytes(32))
    text = note_text(STREAM, 1, 7, bytes.fromhex(made[6]["head"]))
    good = note(text, ("foshan", SIGNING))
    messages = journal()
    return {
        "about": "made by make_stream.py from docs/reference/stream.md; binary values in hex, bodies in base64",
        "trust": trust_text(),
        "signingKey": SIGNING.private_bytes_raw().hex(),
        "coreKey": CORE.private_bytes_raw().hex(),
        "genesis": {"stream": STREAM, "epoch": 1, "head": genesis(STREAM, 1).hex()},
        "entries": made,
        "largeSeq": large | {"previousHead": bytes(32).hex()},
        "checkpoint": {
            "size": 7,
            "head": made[6]["head"],
            "text": text,
            "keyId": key_id("foshan", SIGNING).hex(),
            "note": good,
            "receipt": note(text, ("foshan", SIGNING), ("core", CORE)),
        },
        "packageBody": package_body(made[3:5]),
        "badNotes": bad_notes(good),
        "journals": bad_journals(messages),
    }


def to_text() -> str:
    return json.dumps(build(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("stream.json").write_text(to_text(), encoding="utf-8")
