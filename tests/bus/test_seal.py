"""Leaf, head and signed notes."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import RejectedError
from bus.seal import (
    MAX_NOTE_BYTES,
    Leaf,
    Sealer,
    checkpoint,
    cosign,
    genesis,
    lp,
    next_head,
    open_checkpoint,
    open_note,
    open_receipt,
    read_checkpoint,
    sign_note,
)
from bus.trust import Trust
from tests.bus.journals import CORE, KEY_HASH, SIGNER, STRANGER, TRUST

TIME = "2010-03-01T02:03:04.567Z"


def plain_leaf(seq: int, item: Leaf, key_hash: bytes) -> bytes:
    """§3 written down without any preparation."""
    hashed = hmac.digest(key_hash, item.key.encode(), "sha256").hex()
    texts = ["a/b", "7", str(seq), item.type, hashed, item.row_digest.hex(), item.payload_digest.hex()]
    texts += [item.schema_id, item.mapping_id, item.collected_at]
    return hashlib.sha256(b"foshan-exchange/leaf/v1\n" + b"".join(map(lp, texts))).digest()


@given(
    seq=st.integers(1, 2**63 - 1),
    key=st.text(st.characters(exclude_categories=["Cs"])),
    ids=st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.text("甲乙ab")),
    key_hash=st.binary(min_size=1, max_size=100),
)
def test_a_prepared_leaf_is_the_plain_leaf(seq: int, key: str, ids: tuple[str, str], key_hash: bytes) -> None:
    item = Leaf("notice", key, bytes(32), bytes(range(32)), *ids, TIME)
    assert Sealer("a/b", 7, key_hash).leaf(seq, item) == plain_leaf(seq, item, key_hash)


def test_every_field_of_a_leaf_changes_it() -> None:
    sealer = Sealer("a/b", 7, KEY_HASH)
    item = Leaf("record", "1:SL:2:1", bytes(32), bytes(32), "schema", "mapping", TIME)
    other = Leaf("epoch", "1:SL:2:2", b"r" * 32, b"p" * 32, "schemb", "mappinh", TIME.replace("4.", "5."))
    leaves = {sealer.leaf(1, item), sealer.leaf(2, item), Sealer("a/c", 7, KEY_HASH).leaf(1, item)}
    leaves |= {Sealer("a/b", 8, KEY_HASH).leaf(1, item), Sealer("a/b", 7, b"k").leaf(1, item)}
    leaves |= {sealer.leaf(1, item._replace(**{word: value})) for word, value in other._asdict().items()}
    assert len(leaves) == 5 + len(Leaf._fields)


def test_sealing_a_batch_is_sealing_one_by_one() -> None:
    sealer = Sealer("a/b", 1, KEY_HASH)
    items = [Leaf("record", f"1:SL:{n}:1", bytes(32), bytes(32), "s", f"m{n}", TIME) for n in range(600)]
    head, heads = sealer.genesis(), []
    for seq, item in enumerate(items, 1):
        head = next_head(head, sealer.leaf(seq, item))
        heads.append(head)
    assert sealer.genesis() == genesis("a/b", 1)
    assert sealer.seal(sealer.genesis(), 1, items) == heads
    assert len(sealer._ends) <= 256


@pytest.mark.parametrize("name", ["", "a", "/b", "a/", "a/b/c", "a b/c", "a+/c", "a/\n", "a/\x7f", "甲\u3000/b"])
def test_a_sealer_refuses_what_is_no_stream(name: str) -> None:
    with pytest.raises(ValueError, match="not a stream"):
        Sealer(name, 1, KEY_HASH)


@pytest.mark.parametrize("epoch", [0, -1, 2**63])
def test_a_sealer_refuses_what_is_no_epoch(epoch: int) -> None:
    with pytest.raises(ValueError, match="not a stream"):
        Sealer("a/b", epoch, KEY_HASH)


def test_a_checkpoint_opens_with_what_was_signed() -> None:
    note = checkpoint("foshan/甲", 3, 2**63 - 1, bytes(range(32)), SIGNER)
    made = open_checkpoint(note, TRUST)
    assert made == ("foshan/甲", 3, 2**63 - 1, bytes(range(32)), note)


def test_notes_of_any_text_open_with_all_keys_that_signed() -> None:
    note = cosign(sign_note("第一行\n\n第二段\n", SIGNER), CORE)
    assert open_note(note, SIGNER.verify_key, CORE.verify_key) == "第一行\n\n第二段\n"
    with pytest.raises(RejectedError) as caught:
        open_note(note, STRANGER.verify_key)
    assert caught.value.faults[0].code == "NOTE_UNKNOWN_KEY"
    assert caught.value.faults[0].zh == "没有密钥 foshan 的签名"


def test_signatures_of_keys_that_nobody_knows_are_ignored() -> None:
    note = checkpoint("foshan/a", 1, 1, bytes(32), STRANGER)
    with pytest.raises(RejectedError, match="NOTE_UNKNOWN_KEY"):
        open_checkpoint(note, TRUST)
    assert open_checkpoint(cosign(note, SIGNER), TRUST).size == 1


def test_a_signature_of_a_known_key_that_fails_refuses_the_note() -> None:
    note = checkpoint("foshan/a", 1, 1, bytes(32), SIGNER).replace(b"\n1\n", b"\n2\n")
    with pytest.raises(RejectedError) as caught:
        open_checkpoint(cosign(note, CORE), TRUST)
    assert caught.value.faults[0].code == "NOTE_SIGNATURE"
    assert str(caught.value) == "NOTE_SIGNATURE: the signature by foshan fails"


def test_a_stream_that_the_trust_file_does_not_name_is_refused() -> None:
    with pytest.raises(RejectedError, match="NOTE_UNKNOWN_KEY: the trust file has no key for other/a/e1"):
        open_checkpoint(checkpoint("other/a", 1, 1, bytes(32), SIGNER), TRUST)


def test_a_receipt_needs_the_signature_of_the_core() -> None:
    note = checkpoint("foshan/a", 1, 1, bytes(32), SIGNER)
    assert open_receipt(cosign(note, CORE), TRUST).size == 1
    with pytest.raises(RejectedError, match="no signature by the key core"):
        open_receipt(note, TRUST)
    with pytest.raises(RejectedError, match="no key of the core"):
        open_receipt(cosign(note, CORE), Trust(KEY_HASH, TRUST.streams))


def form_of(text: bytes) -> bytes:
    return text + b"\n\xe2\x80\x94 k " + base64.b64encode(bytes(68)) + b"\n"


HEAD = base64.b64encode(bytes(32))


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b"x" * (MAX_NOTE_BYTES + 1),
        form_of(b"foshan/a/e1\n1\n" + HEAD + b"\t\n"),
        form_of(b"foshan/a/e0\n1\n" + HEAD + b"\n"),
        form_of(b"foshan/e1\n1\n" + HEAD + b"\n"),
        form_of(b"foshan/a/e1\n-1\n" + HEAD + b"\n"),
        form_of(b"foshan/a/e1\n9223372036854775808\n" + HEAD + b"\n"),
        form_of(b"foshan/a/e1\n1\n" + HEAD[:-2] + b"B=\n"),
        form_of(b"foshan/a/e1\n1\n" + HEAD + b"\n").replace(b" k ", b"  k "),
        form_of(b"foshan/a/e1\n1\n" + HEAD + b"\n").replace(b" k A", b" k +"[:3] + b"=A"),
        form_of(b"foshan/a/e1\n1\n" + HEAD + b"\n").replace(b"AAA=\n", b"AA=\n"),
    ],
)
def test_a_note_that_is_not_well_formed_is_refused(note: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        read_checkpoint(note)
    assert caught.value.faults[0].code == "NOTE_FORM"


def test_the_form_that_the_refused_notes_vary_is_good() -> None:
    assert read_checkpoint(form_of(b"foshan/a/e1\n1\n" + HEAD + b"\n")).size == 1
