"""Journals for tests: made with the product's own sealer and wrapper from a seed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bus.envelope import Wrapper
from bus.message import Entry, Message, Stream, escape_key_part
from bus.seal import Leaf, Sealer, checkpoint
from bus.trust import Signer, Trust

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from bus.message import EntryType

KEY_HASH = hashlib.sha256(b"tests: key of the hash over business keys").digest()
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"tests: signer").digest()), name="foshan")
STRANGER = Signer(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"tests: stranger").digest()), name="foshan")
CORE = Signer(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"tests: core").digest()), name="core")
TRUST = Trust(KEY_HASH, (("foshan/*", SIGNER.verify_key),), CORE.verify_key)
STREAM = Stream("foshan/chancheng", 1, "440604", "chancheng")


class Written(NamedTuple):
    """A stream with everything that was written into it."""

    stream: Stream
    entries: list[Entry]
    heads: list[bytes]  # heads[n] is the head after entry n


def leaf_of(entry: Entry) -> Leaf:
    return Leaf(
        entry.type, entry.key, entry.row_digest, entry.payload_digest, entry.schema_id, entry.mapping_id,
        entry.collected_at,
    )  # fmt: skip


def new_entry(
    seq: int, *, type_: EntryType = "record", case: str = "", text: str = "", source: str = STREAM.source
) -> Entry:
    case = case or f"申办{seq:06d}"
    payload = f"<acceptance><applicationNo>{case}</applicationNo>{text}</acceptance>".encode()
    kind = "SL" if type_ == "record" else type_.upper()
    topic = {"record": "SL", "notice": "changed", "manifest": source, "epoch": source}[type_]
    key = f"440604:{'SL' if type_ in {'record', 'notice'} else kind}:{escape_key_part(case)}:1"
    row, digest = hashlib.sha256(f"row {seq}".encode()).digest(), hashlib.sha256(payload).digest()
    at = f"2010-03-01T02:{seq // 60 % 60:02d}:{seq % 60:02d}.125Z"
    return Entry(seq, type_, kind, topic, key, case, row, digest, payload, at, "urn:schema", "cgs/1", b"")


def write(entries: Sequence[Entry], stream: Stream = STREAM) -> Written:
    sealer = Sealer(stream.name, stream.epoch, KEY_HASH)
    heads = sealer.seal(sealer.genesis(), 1, [leaf_of(e) for e in entries])
    sealed = [entry._replace(head=head) for entry, head in zip(entries, heads, strict=True)]
    return Written(stream, sealed, [sealer.genesis(), *heads])


def signed(written: Written, size: int, signer: Signer = SIGNER, head: bytes | None = None) -> Message:
    stream = written.stream
    note = checkpoint(stream.name, stream.epoch, size, head or written.heads[size], signer)
    return Wrapper(stream).wrap_checkpoint(note)


def plain(count: int, *, every: int = 0) -> list[Message]:
    """`count` records alone, a checkpoint behind each `every` and behind the last."""
    written = write([new_entry(seq) for seq in range(1, count + 1)])
    wrapper = Wrapper(written.stream)
    messages = []
    for entry in written.entries:
        messages.append(wrapper.wrap(entry))
        if entry.seq == count or (every and entry.seq % every == 0):
            messages.append(signed(written, entry.seq))
    return messages


def random_journal(rng: random.Random, count: int, stream: Stream = STREAM) -> list[Message]:
    """Entries of all types, alone and in packages, with checkpoints at random places and at the end."""
    types: list[EntryType] = ["epoch" if stream.epoch > 1 else "record"]
    types += rng.choices(["record", "notice", "manifest"], [8, 1, 1], k=count - 1)
    case = "&<\u3000:%>"
    entries = [new_entry(n, type_=t, case=f"{n}{case}", source=stream.source) for n, t in enumerate(types, 1)]
    written = write(entries, stream)
    wrapper = Wrapper(stream)
    messages: list[Message] = []
    position = 0
    while position < count:
        size = rng.choice([1, 1, 1, 2, 4])
        run = written.entries[position : position + size]
        if len(run) > 1 and all(e.type == "record" for e in run):
            messages.append(wrapper.wrap_package(run))
        else:
            messages += [wrapper.wrap(e) for e in run]
        position += len(run)
        if rng.random() < 0.25 or position == count:
            messages.append(signed(written, position))
    return messages
