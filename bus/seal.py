"""Leaf, head, checkpoint: the bytes of docs/reference/stream.md §3 to §5.

`Sealer` and `Chainer` cost a record about 2.5 µs (tests/bus/budget.py measures it), so the constant parts of a leaf
are built once and SHA-256 states are copied instead of built.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from bus.errors import RejectedError
from bus.message import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bus.message import EntryType
    from bus.trust import Signer, Trust, VerifyKey

LEAF_TAG: Final = b"foshan-exchange/leaf/v1\n"
HEAD_TAG: Final = b"foshan-exchange/head/v1\n"
GENESIS_TAG: Final = b"foshan-exchange/genesis/v1\n"

MAX_NOTE_BYTES: Final = 128 * 1024
MAX_SEQ: Final = 2**63 - 1

_STREAM = re.compile(r"[^\s/+\x00-\x1f\x7f]+/[^\s/+\x00-\x1f\x7f]+")
_TEXT = re.compile(r"([^\n]+)/e([1-9][0-9]{0,18})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")
_LINE = re.compile("\u2014 ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})")
_HEX_LENGTH = "\0\0\0@"  # 64: what stands before a SHA-256 in hex
_sha256 = hashlib.sha256


def lp(text: str) -> bytes:
    """LP of §1: length in bytes (4 bytes, big-endian), then UTF-8."""
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


def is_stream_name(text: str) -> bool:
    """Whether `text` may name a stream: `<group>/<source>`."""
    return _STREAM.fullmatch(text) is not None


def genesis(stream: str, epoch: int) -> bytes:
    """Head before the first entry."""
    return _sha256(GENESIS_TAG + lp(stream) + lp(str(epoch))).digest()


def next_head(head: bytes, leaf: bytes) -> bytes:
    """Head after `leaf`, given the one before it."""
    return _sha256(HEAD_TAG + head + leaf).digest()


#: A `Leaf`, or a plain tuple of the same.
LeafFields: TypeAlias = "tuple[EntryType, str, bytes, bytes, str, str, str]"


class Leaf(NamedTuple):
    """What a leaf says of an entry, apart from its stream, epoch and seq.

    Attributes:
        type: record, notice, manifest or epoch.
        key: with its data version; hashed under the deployment's key.
        row_digest, payload_digest: 32 bytes each.
        schema_id, mapping_id: text.
        collected_at: RFC 3339, UTC, milliseconds.
    """

    type: EntryType
    key: str
    row_digest: bytes
    payload_digest: bytes
    schema_id: str
    mapping_id: str
    collected_at: str


class Sealer:
    """Seals one epoch of one stream.

    Args:
        stream: its name.
        epoch: from 1.
        key_hash: the deployment's key for the HMAC over business keys.
    """

    def __init__(self, stream: str, epoch: int, key_hash: bytes) -> None:
        if not is_stream_name(stream) or not 1 <= epoch <= MAX_SEQ:
            raise ValueError(f"not a stream: {stream!r} epoch {epoch}")
        self.stream = stream
        self.epoch = epoch
        self._start = _sha256(LEAF_TAG + lp(stream) + lp(str(epoch)))
        self._head = _sha256(HEAD_TAG)
        block = (key_hash if len(key_hash) <= 64 else _sha256(key_hash).digest()).ljust(64, b"\0")
        self._inner = _sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = _sha256(bytes(byte ^ 0x5C for byte in block))
        self._ends: dict[tuple[str, str, str], bytes] = {}
        self._types = {name: f"{lp(name).decode()}{_HEX_LENGTH}" for name in ("record", "notice", "manifest", "epoch")}

    def leaf(self, seq: int, item: LeafFields) -> bytes:
        """Leaf of the entry that has place `seq`, 32 bytes.

        Clever: the HMAC (RFC 2104) runs on copies of two prepared states, 0.6 µs where `hmac.digest` takes 1.6, and
        what a batch shares is encoded once. `tests/bus/test_seal.py` compares with the plain form, and
        `tests/bus/budget.py` measures.
        """
        type_, key, row, payload, *rest = item
        inner = self._inner.copy()
        inner.update(key.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        end = self._ends.get(rest_key := (rest[0], rest[1], rest[2]))
        if end is None:
            end = self._end(rest_key)
        number = str(seq)
        state = self._start.copy()
        state.update(
            f"\0\0\0{chr(len(number))}{number}{self._types[type_]}{outer.hexdigest()}"
            f"{_HEX_LENGTH}{row.hex()}{_HEX_LENGTH}{payload.hex()}".encode()
        )
        state.update(end)
        return state.digest()

    def _end(self, key: tuple[str, str, str]) -> bytes:
        if len(self._ends) >= 256:
            self._ends.clear()
        end = self._ends[key] = b"".join(map(lp, key))
        return end

    def chain(self, head: bytes, leaves: Iterable[bytes]) -> list[bytes]:
        """Heads after each of `leaves`, given the one before them."""
        heads = []
        for leaf in leaves:
            state = self._head.copy()
            state.update(head + leaf)
            head = state.digest()
            heads.append(head)
        return heads

    def genesis(self) -> bytes:
        """Head before the first entry."""
        return genesis(self.stream, self.epoch)

    def seal(self, previous_head: bytes, first_seq: int, items: Sequence[LeafFields]) -> list[bytes]:
        """Heads after each of `items`, which take the places from `first_seq` on."""
        leaf = self.leaf
        return self.chain(previous_head, [leaf(seq, item) for seq, item in enumerate(items, first_seq)])


class Checkpoint(NamedTuple):
    """What somebody signed: `size` entries of this stream and epoch lead to `head`.

    Attributes:
        note: the signed note, as it was received.
    """

    stream: str
    epoch: int
    size: int
    head: bytes
    note: bytes


def checkpoint(stream: str, epoch: int, size: int, head: bytes, signer: Signer) -> bytes:
    """Signed note over (stream, epoch, size, head)."""
    return sign_note(f"{stream}/e{epoch}\n{size}\n{base64.b64encode(head).decode()}\n", signer)


def sign_note(text: str, signer: Signer) -> bytes:
    """C2SP signed note of `text`, which ends with a line end and has no control character but line ends."""
    return f"{text}\n{_signature_line(text, signer)}".encode()


def cosign(note: bytes, signer: Signer) -> bytes:
    """`note` with one more signature, over the same text; whether the others are good was checked before."""
    text, _ = _split(note)
    return note + _signature_line(text, signer).encode()


def _signature_line(text: str, signer: Signer) -> str:
    return f"\u2014 {signer.name} {base64.b64encode(signer.id + signer.sign(text.encode())).decode()}\n"


def open_note(note: bytes, *keys: VerifyKey) -> str:
    """Text of a note that all of `keys` have signed.

    Raises:
        RejectedError: `NOTE_FORM`, `NOTE_UNKNOWN_KEY` (no line of a key) or `NOTE_SIGNATURE` (a line that fails).
    """
    text, lines = _split(note)
    for key in keys:
        signature = next((data[4:] for name, data in lines if name == key.name and data[:4] == key.id), None)
        if signature is None:
            raise _rejected("NOTE_UNKNOWN_KEY", f"没有密钥 {key.name} 的签名", f"no signature by the key {key.name}")
        if not key.is_signature(signature, text.encode()):
            raise _rejected("NOTE_SIGNATURE", f"密钥 {key.name} 的签名不成立", f"the signature by {key.name} fails")
    return text


def open_checkpoint(note: bytes, trust: Trust) -> Checkpoint:
    """Checkpoint signed by the key that `trust` names for its stream.

    Raises:
        RejectedError: as `open_note`, and `NOTE_UNKNOWN_KEY` when nobody may sign this stream.
    """
    made = read_checkpoint(note)
    key = trust.key_for(made.stream, epoch=made.epoch)
    if key is None:
        text = f"{made.stream}/e{made.epoch}"
        raise _rejected("NOTE_UNKNOWN_KEY", f"信任文件中没有 {text} 的密钥", f"the trust file has no key for {text}")
    open_note(note, key)
    return made


def open_receipt(note: bytes, trust: Trust) -> Checkpoint:
    """Checkpoint that carries the core's signature too. Raises as `open_checkpoint`."""
    made = open_checkpoint(note, trust)
    if trust.core is None:
        raise _rejected("NOTE_UNKNOWN_KEY", "信任文件中没有核心的密钥", "the trust file has no key of the core")
    open_note(note, trust.core)
    return made


def read_checkpoint(note: bytes) -> Checkpoint:
    """What a note says, whoever signed it. Raises RejectedError `NOTE_FORM`."""
    text, _ = _split(note)
    match = _TEXT.fullmatch(text)
    if match is None or not is_stream_name(match[1]):
        raise _rejected("NOTE_FORM", "不是检查点的三行", "not the three lines of a checkpoint")
    epoch, size, head = int(match[2]), int(match[3]), base64.b64decode(match[4])
    if max(epoch, size) > MAX_SEQ or base64.b64encode(head).decode() != match[4]:
        raise _rejected(
            "NOTE_FORM", "检查点的数字或头值不规范", "a number or the head of the checkpoint is not canonical"
        )
    return Checkpoint(match[1], epoch, size, head, note)


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Text with its last line end, and (key name, key id ‖ signature) of each signature line."""
    if len(note) > MAX_NOTE_BYTES:
        raise _rejected("NOTE_FORM", "签名记录过大", f"the note is larger than {MAX_NOTE_BYTES} bytes")
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise _rejected("NOTE_FORM", "签名记录不是 UTF-8", "the note is not UTF-8") from error
    text, separator, rest = whole.rpartition("\n\n")
    if not separator or not rest.endswith("\n") or any(char < " " and char != "\n" for char in whole):
        raise _rejected("NOTE_FORM", "不是签名记录", "not a signed note")
    lines = []
    for line in rest[:-1].split("\n"):
        match = _LINE.fullmatch(line)
        data = _decoded(match[2]) if match else b""
        if match is None or len(data) < 5:
            raise _rejected("NOTE_FORM", "签名行不规范", "a signature line is not well formed")
        lines.append((match[1], data))
    return text + "\n", lines


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _rejected(code: str, zh: str, en: str) -> RejectedError:
    return RejectedError(f"{code}: {en}", faults=[Fault(code, "", "reject", zh, en)])
