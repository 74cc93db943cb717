"""Independent verifier of stream files, written from stream.md alone: `verify_stream.py FILE trust.yaml [--whole]`.

It needs Python and `cryptography`, keeps every leaf in memory, and shares no code with the product, so that neither
hides the other's mistakes. It judges what is sealed, `message_id` and `x-digest`; the other words that a message says
twice, which nobody has to decide by, are left to the product. § and [n]: sections of stream.md, rules of its §9.
"""
# ruff: noqa: INP001, D101, D102, D103 - one file to be read beside stream.md; the § at each name documents it

import fnmatch
import hashlib
import hmac
import json
import re
import sys
from base64 import b64decode
from itertools import accumulate, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import unescape

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, StopIteration, InvalidSignature, RecursionError)
KEY = re.compile(r'pattern: "(.+)"\s+name: "(.+)"\s+key_id: "(.+)"\s+suite: "ed25519-sha256"\s+public_key: "(.+)"')
NOTE = re.compile("((.+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n)\n((?:\u2014 [^ \n+]+ [A-Za-z0-9+/=]+\n)+)")
ROOT = re.compile(r'<package xmlns=".*?" lengths="([0-9 ]+)" keys="([^"]*)" rows="([^"]*)" collectedAt="([^"]*)">')


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def lps(*values: object) -> bytes:  # §1
    return b"".join(len(data).to_bytes(4, "big") + data for data in (str(value).encode() for value in values))


def cut(body: bytes) -> list[tuple[str, ...]]:  # §8: key, row digest, payload digest, collected-at
    start = body.index(b"<body>") + 6
    lengths, keys, rows, times = (text.split(" ") for text in ROOT.findall(body[:start].decode())[0])
    ends = list(accumulate(map(int, lengths), initial=start))
    if body[ends[-1] :] != b"</body></package>":
        raise ValueError("lengths")
    keys, times = [unescape(key, {"&quot;": '"'}) for key in keys], times * (len(keys) if len(times) == 1 else 1)
    return list(zip(keys, rows, (sha(body[a:b]).hex() for a, b in pairwise(ends)), times, strict=True))


def contents(message: dict[str, Any], h: dict[str, Any], body: bytes, secret: bytes) -> dict[int, bytes]:  # seq → leaf
    place, seq, word, digest = f"{h['x-stream']}/e{h['x-epoch']}", h["x-seq"], message["routing_key"], sha(body).hex()
    if (message["properties"]["message_id"], h["x-digest"]) != (f"{place}/{seq}", digest):
        raise ValueError(place)
    rows = cut(body) if "x-count" in h else [(h["x-key"], h["x-row"], digest, h["cloudEvents_time"])]
    made, type_ = {}, next((t for t in ("notice", "manifest", "epoch") if word.startswith(t + ".")), "record")
    for number, (key, row, payload, time) in enumerate(rows, seq):
        fields = (type_, hmac.digest(secret, key.encode(), "sha256").hex(), row, payload, h["cloudEvents_dataschema"])
        text = lps(h["x-stream"], h["x-epoch"], number, *fields, h["x-mapping"], time)
        made[number] = sha(b"foshan-exchange/leaf/v1\n", text)  # §3
    return made


class Audit:  # §9
    def __init__(self, trust: str, *, whole: bool) -> None:
        self.secret, self.keys = bytes.fromhex(re.findall('key_hash: "(.+?)"', trust)[0]), KEY.findall(trust)
        self.found, self.refused, self.chains, self.whole = list[Any](), list[Any](), dict[Any, Any](), whole

    def feed(self, message: dict[str, Any]) -> None:
        h, body, word = message["headers"], b64decode(message["body"]), message["routing_key"].split(".")[0]
        place, seq = (h.get("x-stream", ""), h.get("x-epoch", 0)), h.get("x-seq", 0)
        key = next((k for k in self.keys if fnmatch.filter([place[0], f"{place[0]}/e{place[1]}"], k[0])), ())
        if word == "checkpoint":
            self.checkpoint(place, body.decode(errors="replace"), key)
        elif word not in {"receipt", "refill"}:
            try:
                self.take(place, contents(message, h, body, self.secret) if key else {}, h)
            except BROKEN:
                self.found.append(("altered" if key else "forged", *place, seq))  # [1]
                self.refused.append((place, range(seq, seq + h.get("x-count", 1))))

    def chain(self, place: tuple[str, int], first: int) -> Any:
        start = 1 if self.whole or (place[0], place[1] - 1) in self.chains else first
        head = sha(b"foshan-exchange/genesis/v1\n", lps(*place))  # §4
        new = SimpleNamespace(start=start, top=0, signed=0, leaves=dict[int, bytes](), heads={0: head})
        return self.chains.setdefault(place, new)

    def take(self, place: tuple[str, int], run: dict[int, bytes], h: dict[str, Any]) -> None:
        claimed, last, chain = bytes.fromhex(h["x-head"]), max(run), self.chain(place, min(run))
        leaves, heads, head = chain.leaves, chain.heads, chain.heads.get(min(run) - 1)
        known, new, fresh = {last: claimed}, sorted(run.keys() - leaves.keys()), h.get("x-resent") is not True
        for seq in run.keys() & leaves.keys():  # [2]
            same = run[seq] == leaves[seq] and (seq != last or heads.get(last, claimed) == claimed)
            self.found += [("double" if same else "altered", *place, seq)] if fresh or not same else []
        for seq in run if head else ():
            known[seq] = head = sha(b"foshan-exchange/head/v1\n", head or b"", run[seq])  # §4
        if new and not known[last] == claimed == heads.get(last, claimed):
            self.found.append(("head", *place, new[0]))  # [3]
            self.refused.append((place, range(new[0], last + 1)))
        elif new:
            leaves.update(run)
            heads.update(known)
            self.found += [("reorder", *place, seq) for seq in new if seq <= chain.top and fresh]  # [4]
            chain.top = max(chain.top, last)

    def checkpoint(self, place: tuple[str, int], note: str, key: tuple[str, ...]) -> None:  # §5, [5]
        text, origin, size, head, lines = (NOTE.findall(note) if NOTE.fullmatch(note) else [("", "", "0", "", "")])[0]
        try:
            signatures = ((name, b64decode(data)) for name, data in re.findall("\u2014 (.+) (.+)\n", lines))
            signature = next(data[4:] for name, data in signatures if (name, data[:4].hex()) == key[1:3])
            Ed25519PublicKey.from_public_bytes(b64decode(key[3])).verify(signature, text.encode())
            chain = self.chain({f"{place[0]}/e{place[1]}": place}[origin], int(size) + 1)
        except BROKEN:
            return self.found.append(("forged", *place, int(size)))
        number, signed = int(size), b64decode(head)
        if chain.heads.get(number, signed) != signed:
            return self.found.append(("checkpoint", *place, number))
        if number in chain.heads or number > chain.top:
            chain.heads[number], chain.signed, chain.top = signed, max(chain.signed, number), max(chain.top, number)
        return None

    def finish(self) -> None:  # [6]
        for place, chain in self.chains.items():
            at, here = chain.start, [(r.start, r.stop) for where, r in self.refused if where == place]
            for first, end in sorted([*here, *((seq, seq + 1) for seq in chain.leaves), (chain.top + 1, 0)]):
                self.found += [("gap", *place, at)] if at < min(first, chain.top + 1) else []
                at = max(at, end)
            self.found += [("tail", *place, chain.signed + 1)] if chain.signed < chain.top else []


def main(file: str, trust: str, *flags: str) -> int:
    audit = Audit(Path(trust).read_text("utf-8"), whole="--whole" in flags)
    for line in Path(file).read_bytes().splitlines(keepends=True):
        try:
            audit.feed(json.loads(line))
        except BROKEN:
            audit.found.append(("altered" if line.endswith(b"\n") else "tail", "", 0, 0))  # §10
    audit.finish()
    sys.stdout.writelines(f"{kind} {stream}/e{epoch} {seq}\n" for kind, stream, epoch, seq in audit.found)
    return 1 if audit.found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
