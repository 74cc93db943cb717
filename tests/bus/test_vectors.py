"""The vectors, the page's own verifier, and the product agree on every byte and every finding."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bus.envelope import Wrapper
from bus.errors import RejectedError
from bus.jsonl import to_line, write_jsonl
from bus.message import Entry, Message, Stream
from bus.seal import Leaf, Sealer, checkpoint, cosign, open_checkpoint, open_receipt
from bus.trust import Signer, Trust, load_trust, trust_yaml
from bus.verify import audit
from tests.bus import journals
from tests.vectors import make_stream

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
VERIFIER = ROOT / "docs/reference/verify_stream.py"
VECTORS = json.loads((ROOT / "tests/vectors/stream.json").read_text(encoding="utf-8"))


def load_verifier() -> Any:
    spec = importlib.util.spec_from_file_location("verify_stream", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INDEPENDENT = load_verifier()


@pytest.fixture(name="trust")
def fixture_trust(tmp_path: Path) -> Trust:
    path = tmp_path / "trust.yaml"
    path.write_text(VECTORS["trust"], encoding="utf-8")
    return load_trust(path)


def to_message(fields: dict[str, Any]) -> Message:
    body = base64.b64decode(fields["body"])
    return Message(fields["routing_key"], fields["properties"], fields["headers"], body, fields["exchange"])


def to_entry(fields: dict[str, Any]) -> Entry:
    return Entry(
        fields["seq"], fields["type"], fields["kind"], fields["topic"], fields["key"], fields["applicationNo"],
        bytes.fromhex(fields["rowDigest"]), bytes.fromhex(fields["payloadDigest"]), fields["payload"].encode(),
        fields["collectedAt"], fields["schemaId"], fields["mappingId"], bytes.fromhex(fields["head"]),
    )  # fmt: skip


def to_leaf(fields: dict[str, Any]) -> Leaf:
    return journals.leaf_of(to_entry(fields))


def independent(messages: list[Message], trust: str, *, whole: bool = False) -> list[tuple[str, str, int, int]]:
    """Findings of the page's verifier, on the messages as they stand in a file."""
    made = INDEPENDENT.Audit(trust, whole=whole)
    for message in messages:
        made.feed(json.loads(to_line(message)))
    made.finish()
    return _comparable(made.found)


def ours(messages: list[Message], trust: Trust, *, whole: bool = False) -> list[tuple[str, str, int, int]]:
    report = audit(messages, trust, is_whole=whole)
    return _comparable([(f.kind, f.stream, f.epoch, f.first_seq) for f in report.findings])


def _comparable(found: list[tuple[str, str, int, int]]) -> list[tuple[str, str, int, int]]:
    """What a forged note says of its size is nothing to rely on, and the two read it with different strictness."""
    return sorted((kind, name, epoch, 0 if kind == "forged" else seq) for kind, name, epoch, seq in found)


def test_the_vectors_are_what_their_script_makes_from_the_page() -> None:
    text = (ROOT / "tests/vectors/stream.json").read_text(encoding="utf-8")
    assert make_stream.to_text() == text


def test_leaves_and_heads_are_those_of_the_vectors(trust: Trust) -> None:
    place = VECTORS["genesis"]
    sealer = Sealer(place["stream"], place["epoch"], trust.key_hash)
    assert sealer.genesis().hex() == place["head"]
    assert [sealer.leaf(e["seq"], to_leaf(e)).hex() for e in VECTORS["entries"]] == [
        e["leaf"] for e in VECTORS["entries"]
    ]
    heads = sealer.seal(sealer.genesis(), 1, [to_leaf(e) for e in VECTORS["entries"]])
    assert [head.hex() for head in heads] == [e["head"] for e in VECTORS["entries"]]


def test_leaf_bytes_of_the_vectors_hash_to_their_leaves() -> None:
    for fields in [*VECTORS["entries"], VECTORS["largeSeq"]]:
        assert hashlib.sha256(bytes.fromhex(fields["leafBytes"])).hexdigest() == fields["leaf"]


def test_a_seq_of_63_bits_and_a_chinese_key_seal_as_in_the_vectors(trust: Trust) -> None:
    fields = VECTORS["largeSeq"]
    sealer = Sealer(fields["stream"], fields["epoch"], trust.key_hash)
    assert fields["seq"] == 2**63 - 1
    (head,) = sealer.seal(bytes.fromhex(fields["previousHead"]), fields["seq"], [to_leaf(fields)])
    assert head.hex() == fields["head"]


def test_checkpoint_and_receipt_are_those_of_the_vectors(trust: Trust) -> None:
    fields, place = VECTORS["checkpoint"], VECTORS["genesis"]
    signer, core = signer_of("signingKey", "foshan"), signer_of("coreKey", "core")
    note = checkpoint(place["stream"], place["epoch"], fields["size"], bytes.fromhex(fields["head"]), signer)
    assert note.decode() == fields["note"]
    assert signer.id.hex() == fields["keyId"]
    assert cosign(note, core).decode() == fields["receipt"]
    assert open_checkpoint(note, trust)[:4] == (place["stream"], 1, 7, bytes.fromhex(fields["head"]))
    assert open_receipt(fields["receipt"].encode(), trust).size == 7


def signer_of(word: str, name: str) -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS[word])), name=name)


def test_the_wrapper_makes_the_messages_of_the_vectors() -> None:
    entries = [to_entry(e) for e in VECTORS["entries"]]
    good = [to_message(m) for m in VECTORS["journals"][0]["messages"]]
    approval = Wrapper(Stream("foshan/chancheng", 1, "440604", "chancheng"))
    office = Wrapper(Stream("foshan/chancheng", 1, "440604", "chancheng", "oa"))
    made = [approval.wrap(e) for e in entries[:3]]
    made += [approval.wrap_checkpoint(good[3].body), approval.wrap_package(entries[3:5]), approval.wrap(entries[5])]
    made += [office.wrap(entries[6]), approval.wrap_checkpoint(good[7].body)]
    assert made == good
    assert made[4].body.decode() == VECTORS["packageBody"]


@pytest.mark.parametrize("case", VECTORS["badNotes"], ids=lambda case: str(case["name"]))
def test_bad_notes_are_refused_by_both(case: dict[str, str], trust: Trust) -> None:
    with pytest.raises(RejectedError, match="NOTE_"):
        open_checkpoint(case["note"].encode(), trust)
    made = INDEPENDENT.Audit(VECTORS["trust"], whole=False)
    made.checkpoint(("foshan/chancheng", 1), case["note"], made.keys[0])
    assert [found[0] for found in made.found] == ["forged"]
    assert made.chains == {}


@pytest.mark.parametrize("case", VECTORS["journals"], ids=lambda case: str(case["name"]))
def test_both_verifiers_find_what_the_vectors_say(case: dict[str, Any], trust: Trust) -> None:
    messages = [to_message(m) for m in case["messages"]]
    found = ours(messages, trust)
    assert [(kind, seq) for kind, _, _, seq in found] == expected(case["findings"])
    found = independent(messages, VECTORS["trust"])
    assert [(kind, seq) for kind, _, _, seq in found] == expected(case["sealed"])


def expected(findings: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted((kind, 0 if kind == "forged" else seq) for kind, seq in findings)


def test_the_independent_verifier_is_short_and_imports_nothing_of_ours() -> None:
    source = VERIFIER.read_text(encoding="utf-8")
    tree = ast.parse(source)
    left_out = set(range(1, tree.body[0].end_lineno + 1 if tree.body[0].end_lineno else 1))
    modules = set[str | None]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out.add(node.lineno)
            modules |= {node.module} if isinstance(node, ast.ImportFrom) else {alias.name for alias in node.names}
    lines = [line for number, line in enumerate(source.splitlines(), 1) if number not in left_out]
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= 100
    tops = {str(module).partition(".")[0] for module in modules}
    assert tops - set(sys.stdlib_module_names) == {"cryptography"}


def test_the_independent_verifier_runs_on_a_file(tmp_path: Path) -> None:
    trust, file = tmp_path / "trust.yaml", tmp_path / "journal.jsonl"
    trust.write_bytes(trust_yaml(journals.TRUST))
    messages = journals.plain(6, every=3)

    def run(*flags: str) -> tuple[int, str]:
        command = [sys.executable, str(VERIFIER), str(file), str(trust), *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout

    with file.open("wb") as out:
        write_jsonl(out, messages)
    assert run("--whole") == (0, "")
    with file.open("wb") as out:
        write_jsonl(out, messages[1:])
        out.write(b"nonsense\n")
        out.write(to_line(messages[0])[:40])
    assert run() == (1, "altered /e0 0\ntail /e0 0\n")
    assert run("--whole") == (1, "altered /e0 0\ntail /e0 0\ngap foshan/chancheng/e1 1\n")
    far = 2**62
    body = {"x-seq": far, "x-head": "ab" * 32}  # a number that nobody reaches must not cost memory
    ident = f"foshan/chancheng/e1/{far}"
    jumped = messages[0]._replace(
        headers={**messages[0].headers, **body}, properties={**messages[0].properties, "message_id": ident}
    )
    refused = messages[1]._replace(headers={**messages[1].headers, "x-count": far - 5})
    with file.open("wb") as out:
        write_jsonl(out, [messages[0], jumped, refused])
        out.write(b"[" * 100_000 + b"\n")
    place = "foshan/chancheng/e1"
    assert run() == (1, f"altered {place} 2\naltered /e0 0\ngap {place} {far - 3}\ntail {place} 1\n")


def _entries(messages: list[Message]) -> list[int]:
    return [i for i, m in enumerate(messages) if m.properties["type"] != "CHECKPOINT"]


def _checkpoints(messages: list[Message]) -> list[int]:
    return [i for i, m in enumerate(messages) if m.properties["type"] == "CHECKPOINT"]


def removed(rng: random.Random, messages: list[Message]) -> str:
    del messages[rng.choice(_entries(messages))]
    return "gap"


def doubled(rng: random.Random, messages: list[Message]) -> str:
    index = rng.choice(_entries(messages))
    messages.insert(rng.randint(index + 1, len(messages)), messages[index])
    return "double"


def swapped(rng: random.Random, messages: list[Message]) -> str:
    low, high = sorted(rng.sample(_entries(messages), 2))
    messages[low], messages[high] = messages[high], messages[low]
    return "reorder"


def altered_body(rng: random.Random, messages: list[Message]) -> str:
    index = rng.choice(_entries(messages))
    body = bytearray(messages[index].body)
    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    messages[index] = messages[index]._replace(body=bytes(body))
    return "altered"


def altered_header(rng: random.Random, messages: list[Message]) -> str:
    """A sealed header; the body's digest is made to fit where that is what was altered."""
    index = rng.choice([i for i in _entries(messages) if "x-key" in messages[i].headers])
    message, word = messages[index], rng.choice(["x-row", "x-head", "x-mapping", "cloudEvents_dataschema", "body"])
    headers = dict(message.headers)
    if word == "body":
        message = message._replace(body=message.body + b" ")
        headers["x-digest"] = hashlib.sha256(message.body).hexdigest()
    else:
        headers[word] = hashlib.sha256(rng.randbytes(4)).hexdigest()
    messages[index] = message._replace(headers=headers)
    return "head"


def cut(rng: random.Random, messages: list[Message]) -> str:
    """Behind an entry, so that its checkpoint is missing."""
    del messages[rng.choice(_entries(messages)) + 1 :]
    return "tail"


def forged(rng: random.Random, messages: list[Message]) -> str:
    index = rng.choice(_checkpoints(messages))
    note = bytearray(messages[index].body)
    position = rng.choice([i for i, byte in enumerate(note) if chr(byte).isalnum()])
    note[position] = ord("A") if note[position] != ord("A") else ord("B")
    messages[index] = messages[index]._replace(body=bytes(note))
    return "forged"


def signed_by_a_stranger(rng: random.Random, messages: list[Message]) -> str:
    index = rng.choice(_checkpoints(messages))
    text = messages[index].body.decode().split("\n\n")[0] + "\n"
    line = base64.b64encode(journals.SIGNER.id + journals.STRANGER.sign(text.encode())).decode()
    messages[index] = messages[index]._replace(body=f"{text}\n\u2014 foshan {line}\n".encode())
    return "forged"


def contradicting(rng: random.Random, messages: list[Message]) -> str:
    index = rng.choice(_checkpoints(messages))
    stream, epoch = messages[index].headers["x-stream"], messages[index].headers["x-epoch"]
    size = int(messages[index].body.split(b"\n")[1])
    note = checkpoint(stream, epoch, size, rng.randbytes(32), journals.SIGNER)
    messages[index] = messages[index]._replace(body=note)
    return "checkpoint"


def rewritten(rng: random.Random, messages: list[Message]) -> str:
    """From one entry to the end, with a correct chain, but without the key to sign it."""
    size = int(messages[-1].body.split(b"\n")[1])
    entries = [journals.new_entry(seq, text="不同") for seq in range(1, size + 1)]
    written = journals.write(entries)
    wrapper = Wrapper(written.stream)
    messages[:] = [*[wrapper.wrap(e) for e in written.entries], messages[-1]]
    assert rng is not None
    return "checkpoint"


MUTATIONS = [
    removed, doubled, swapped, altered_body, altered_header, cut, forged, signed_by_a_stranger, contradicting,
    rewritten,
]  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: str(mutation.__name__))
def test_one_mutation_is_found_by_both_alike(mutation: Callable[[random.Random, list[Message]], str]) -> None:
    trust = trust_yaml(journals.TRUST).decode()
    for seed in range(40):
        rng = random.Random(f"{mutation.__name__} {seed}")
        messages = journals.random_journal(rng, rng.randint(12, 24))
        assert ours(messages, journals.TRUST, whole=True) == []
        kind, whole = mutation(rng, messages), rng.random() < 0.5
        found = ours(messages, journals.TRUST, whole=whole)
        assert found == independent(messages, trust, whole=whole), seed
        if whole or kind != "gap":
            assert kind in {word for word, *_ in found}, seed


def test_several_mutations_and_two_streams_are_found_by_both_alike() -> None:
    trust = trust_yaml(journals.TRUST).decode()
    other = Stream("foshan/nanhai", 1, "440604", "nanhai")
    # An altered head in a message out of its place is judged by its successor, which only the product looks at.
    sets = [[removed, doubled, altered_body, altered_header, forged], [removed, doubled, swapped, altered_body, forged]]
    for seed in range(300):
        rng = random.Random(seed)
        messages = journals.random_journal(rng, rng.randint(12, 24))
        more = journals.random_journal(rng, rng.randint(12, 24), other)
        for mutation in rng.choices(rng.choice(sets), k=3):
            mutation(rng, messages)
        mixed = [message for pair in zip(messages, more, strict=False) for message in pair]
        mixed += messages[len(more) :] + more[len(messages) :]
        assert ours(mixed, journals.TRUST, whole=True) == independent(mixed, trust, whole=True), seed
