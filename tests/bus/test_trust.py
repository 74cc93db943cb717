"""Keys, the trust file, and every way in which it can be wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from bus.errors import ConfigurationError
from bus.trust import Signer, Trust, VerifyKey, key_id, load_trust, new_key_hash, new_private_key, trust_yaml
from tests.bus.journals import CORE, KEY_HASH, SIGNER, STRANGER, TRUST

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="key_file")
def fixture_key_file(tmp_path: Path) -> Path:
    path = tmp_path / "foshan.pem"
    path.write_bytes(new_private_key())
    path.chmod(0o600)
    return path


def problems(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_trust(path)
    return [problem.removeprefix(str(path)) for problem in caught.value.problems]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    for trust in (
        Trust(KEY_HASH, TRUST.streams),
        TRUST,
        Trust(new_key_hash(), (("a/*", SIGNER.verify_key), ("*", CORE.verify_key))),
    ):
        path.write_bytes(trust_yaml(trust))
        assert load_trust(path) == trust


def test_the_first_pattern_that_fits_names_the_key() -> None:
    old = ("foshan/chancheng/e1", STRANGER.verify_key)
    trust = Trust(KEY_HASH, (old, ("foshan/chan*", SIGNER.verify_key), ("foshan/*", CORE.verify_key)))
    assert trust.key_for("foshan/chancheng", epoch=1) == STRANGER.verify_key
    assert trust.key_for("foshan/chancheng", epoch=2) == SIGNER.verify_key
    assert trust.key_for("foshan/chancheng") == SIGNER.verify_key
    assert trust.key_for("foshan/nanhai") == CORE.verify_key
    assert trust.key_for("other/nanhai", epoch=1) is None


def test_a_key_id_is_that_of_a_known_signed_note() -> None:
    """The example of the Go module `sumdb/note`, whose verifier key is public."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    name, wanted, data = vkey.split("+", 2)
    import base64

    raw = base64.b64decode(data)
    assert raw[0] == 1
    assert key_id(name, raw[1:]).hex() == wanted


def test_a_signer_signs_what_its_public_half_verifies(key_file: Path) -> None:
    signer = Signer.load(key_file)
    assert signer.name == "foshan"
    key = signer.verify_key
    assert key == VerifyKey("foshan", signer.public_key)
    assert key.id == signer.id
    assert key.is_signature(signer.sign(b"text"), b"text")
    assert not key.is_signature(signer.sign(b"text"), b"other")
    assert not key.is_signature(b"", b"text")
    assert Signer.load(key_file, name="other").id != signer.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_may_read_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600"):
        Signer.load(key_file)


def test_what_is_no_key_is_refused(key_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the private key: No such file"):
        Signer.load(key_file.with_name("none.pem"))
    key = Ed25519PrivateKey.generate()
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    for content in (b"nonsense", locked):
        key_file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="not an unencrypted PEM"):
            Signer.load(key_file)
    other = ec.generate_private_key(ec.SECP256R1())
    key_file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigurationError, match="needs an Ed25519 key"):
        Signer.load(key_file)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_a_name_that_no_note_can_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no white space"):
        Signer(Ed25519PrivateKey.generate(), name=name)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    with pytest.raises(ConfigurationError, match="cannot read the trust file: No such file"):
        load_trust(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_trust(path)
    assert problems(path, "a: [") == [":1:5: not YAML: expected the node content, but found '<stream end>'"]
    assert problems(path, "a: 1\na: 2\n")[0].startswith(":2:1: not YAML: found duplicate key")
    assert re.match(r": not YAML: .*#x0000", problems(path, "a: \0")[0])
    assert problems(path, "- 1\n") == [":1:1: the trust file must be a mapping with version, key_hash, streams"]


def test_every_problem_is_listed_with_its_place(tmp_path: Path) -> None:
    good = trust_yaml(TRUST).decode()
    path = tmp_path / "trust.yaml"

    def after(*changes: tuple[str, str]) -> list[str]:
        text = good
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        return problems(path, text)

    assert after(("version: 1", "version: 2"), ("core:", "nucleus:")) == [
        ":11:1: nucleus: unknown key; known: version, key_hash, streams, core",
        ":3:1: version: this release reads version 1 only",
    ]
    assert after((f'"{KEY_HASH.hex()}"', '"00"'), (f'"{SIGNER.id.hex()}"', '"00000000"')) == [
        ":4:1: key_hash: 64 lower-case hexadecimal digits are expected",
        f":8:5: streams[0].key_id: the key id of this name and public key is {SIGNER.id.hex()}, not 00000000",
    ]
    assert after(('name: "foshan"', 'name: "a b"'), ("ed25519-sha256", "rot13"))[:2] == [
        ":9:5: streams[0].suite: unknown suite 'rot13'; known: ed25519-sha256",
        ":7:5: streams[0].name: no white space and no '+' is allowed",
    ]
    assert after(('name: "foshan"', "name: 5"), ('pattern: "foshan/*"', "pattern: [1]")) == [
        ":7:5: streams[0].name: a text is expected; put it in quotes",
        ":6:5: streams[0].pattern: a text is expected; put it in quotes",
    ]
    assert after(('  - pattern: "foshan/*"\n    name', "  - name")) == [":6:5: streams[0].pattern: missing"]
    public = re.findall('public_key: "(.*)"', good)[0]
    text = ":10:5: streams[0].public_key: base64 of 32 bytes is expected"
    assert after((public, "AAAA")) == after((public, "***")) == [text]


def test_streams_and_core_must_have_their_form(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    top = f'version: 1\nkey_hash: "{KEY_HASH.hex()}"\n'
    assert problems(path, top) == [":1:1: streams: missing"]
    assert problems(path, "version: 1\n") == [":1:1: key_hash: missing", ":1:1: streams: missing"]
    assert problems(path, 'version: 1\nkey_hash: ""\nstreams: 1\n')[0].startswith(":2:1: key_hash: a text")
    assert problems(path, f"{top}streams: []\n") == [":3:1: streams: a list with at least one key is expected"]
    assert problems(path, f"{top}streams: 7\ncore: 8\n") == [
        ":3:1: streams: a list with at least one key is expected",
        ":4:1: core: a mapping with name, key_id, suite, public_key is expected",
    ]
    text = ":4:5: streams[0]: a mapping with name, key_id, suite, public_key is expected"
    assert problems(path, f"{top}streams:\n  - 7\n") == [text]
