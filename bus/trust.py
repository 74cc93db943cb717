"""Keys: the trust file that says who may sign which stream, the signer that signs, and how new ones are made.

Layout and bytes: docs/reference/stream.md §5 and §6.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import stat
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bus.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SUITE: Final = "ed25519-sha256"

_NAME = re.compile(r"[^\s+]+")
_KEY_WORDS: Final = ("name", "key_id", "suite", "public_key")


def key_id(name: str, public_key: bytes) -> bytes:
    """The 4 bytes by which a C2SP note names an Ed25519 key (32 bytes) of this name."""
    return hashlib.sha256(name.encode() + b"\n\x01" + public_key).digest()[:4]


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key with the name under which it signs notes.

    Attributes:
        name: no white space, no `+`.
        public_key: 32 bytes, Ed25519.
        suite: `ed25519-sha256`.
    """

    name: str
    public_key: bytes
    suite: str = SUITE
    id: bytes = field(init=False)
    _key: Ed25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", key_id(self.name, self.public_key))
        object.__setattr__(self, "_key", Ed25519PublicKey.from_public_bytes(self.public_key))

    def is_signature(self, signature: bytes, text: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over `text`."""
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier trusts.

    Attributes:
        key_hash: key of the HMAC over business keys, 32 bytes.
        streams: (pattern, key), the first that fits holds; a pattern fits a stream's name or `<stream>/e<epoch>`.
        core: the core's cosigning key, or None.
    """

    key_hash: bytes
    streams: tuple[tuple[str, VerifyKey], ...]
    core: VerifyKey | None = None

    def key_for(self, stream: str, *, epoch: int | None = None) -> VerifyKey | None:
        """The key whose signature holds for `stream`, or None: nobody may sign it."""
        names = (stream,) if epoch is None else (stream, f"{stream}/e{epoch}")
        for pattern, key in self.streams:
            if any(fnmatchcase(name, pattern) for name in names):
                return key
        return None


class Signer:
    """A private key with the name under which it signs.

    Attributes:
        name, public_key, id: as in the trust file.
    """

    __slots__ = ("_key", "id", "name", "public_key")

    def __init__(self, private_key: Ed25519PrivateKey, *, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a key holds no white space and no '+': {name!r}")
        self._key = private_key
        self.name = name
        self.public_key = private_key.public_key().public_bytes_raw()
        self.id = key_id(name, self.public_key)

    @classmethod
    def load(cls, path: Path, *, name: str | None = None) -> Signer:
        """Read a PEM private key.

        Args:
            path: readable by its owner only.
            name: of the key; None: the file's name without its ending.

        Raises:
            ConfigurationError: not there, readable by others, not an Ed25519 key, encrypted.
        """
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(path.stat().st_mode)
                if mode & 0o077:
                    text = f"{path}: others may read this private key (mode {mode:04o}); run: chmod 600 {path}"
                    raise ConfigurationError([text])
                pem = file.read()
            key = load_pem_private_key(pem, password=None)
        except OSError as error:
            raise ConfigurationError([f"{path}: cannot read the private key: {error.strerror}"]) from error
        except (ValueError, TypeError) as error:
            raise ConfigurationError([f"{path}: not an unencrypted PEM private key"]) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError([f"{path}: {SUITE} needs an Ed25519 key; make one with: gateway keys new"])
        return cls(key, name=name or path.stem)

    @property
    def verify_key(self) -> VerifyKey:
        """The public half."""
        return VerifyKey(self.name, self.public_key)

    def sign(self, text: bytes) -> bytes:
        """Ed25519 signature of `text`, 64 bytes; the same for the same text."""
        return self._key.sign(text)


def new_private_key() -> bytes:
    """A new Ed25519 private key as PEM (PKCS #8, not encrypted); the caller writes it with mode 0600."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_key_hash() -> bytes:
    """A new key for the HMAC over business keys, 32 bytes."""
    return secrets.token_bytes(32)


def trust_yaml(trust: Trust) -> bytes:
    """The trust file, in the layout that the independent verifier reads too."""
    lines = [
        "# Who may sign which stream (docs/reference/stream.md §6). Public keys only, but key_hash is",
        "# to be kept from third parties: with it the keys of cases can be guessed from their hashes.",
        "version: 1",
        f'key_hash: "{trust.key_hash.hex()}"',
        "streams:",
    ]
    for pattern, key in trust.streams:
        lines += [f'  - pattern: "{pattern}"', *_key_lines(key, "    ")]
    if trust.core is not None:
        lines += ["core:", *_key_lines(trust.core, "  ")]
    return ("\n".join(lines) + "\n").encode()


def _key_lines(key: VerifyKey, indent: str) -> list[str]:
    public = base64.b64encode(key.public_key).decode()
    pairs = (("name", key.name), ("key_id", key.id.hex()), ("suite", key.suite), ("public_key", public))
    return [f'{indent}{word}: "{value}"' for word, value in pairs]


def load_trust(path: Path) -> Trust:
    """Read a trust file.

    Raises:
        ConfigurationError: every problem, each `file:line:column: key: what is wrong`.
    """
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot read the trust file: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: the trust file is not UTF-8"]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        raise ConfigurationError([f"{place}: not YAML: {error.problem}"]) from error
    except YAMLError as error:
        raise ConfigurationError([f"{path}: not YAML: {error}"]) from error
    return _Reader(path).read(document)


class _Reader:
    """Turns the parsed document into a Trust and lists everything wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[str] = []

    def read(self, document: object) -> Trust:
        trust = self._trust(document)
        if self._problems or trust is None:
            raise ConfigurationError(self._problems)
        return trust

    def _trust(self, document: object) -> Trust | None:
        if not isinstance(document, CommentedMap):
            self._problems.append(f"{self._path}:1:1: the trust file must be a mapping with version, key_hash, streams")
            return None
        self._words(document, ("version", "key_hash", "streams"), optional=("core",), prefix="")
        if "version" in document and document["version"] != 1:
            self._problem(document, "version", "version", "this release reads version 1 only")
        key_hash = self._hex(document, "key_hash", 32, "key_hash")
        streams = self._streams(document)
        core = None
        if "core" in document:
            core = self._key(document["core"], "core", place=(document, "core"))
        return Trust(key_hash, streams, core)

    def _streams(self, document: CommentedMap) -> tuple[tuple[str, VerifyKey], ...]:
        streams = document.get("streams", ())
        if not isinstance(streams, CommentedSeq) or not streams:
            if "streams" in document:
                self._problem(document, "streams", "streams", "a list with at least one key is expected")
            return ()
        found = []
        for index, entry in enumerate(streams):
            name = f"streams[{index}]"
            key = self._key(entry, name, place=(streams, index), more=("pattern",))
            pattern = self._text(entry, "pattern", f"{name}.pattern")
            if key is not None and pattern:
                found.append((pattern, key))
        return tuple(found)

    def _key(self, entry: object, name: str, *, place: tuple[Any, Any], more: tuple[str, ...] = ()) -> VerifyKey | None:
        if not isinstance(entry, CommentedMap):
            self._problem(*place, name, "a mapping with name, key_id, suite, public_key is expected")
            return None
        self._words(entry, (*more, *_KEY_WORDS), prefix=f"{name}.")
        key_name = self._text(entry, "name", f"{name}.name")
        suite = self._text(entry, "suite", f"{name}.suite")
        wanted = self._hex(entry, "key_id", 4, f"{name}.key_id")
        public = self._base64(entry, "public_key", 32, f"{name}.public_key")
        if suite and suite != SUITE:
            self._problem(entry, "suite", f"{name}.suite", f"unknown suite {suite!r}; known: {SUITE}")
        if key_name and not _NAME.fullmatch(key_name):
            self._problem(entry, "name", f"{name}.name", "no white space and no '+' is allowed")
        if not (key_name and public and wanted):
            return None
        key = VerifyKey(key_name, public)
        if key.id != wanted:
            text = f"the key id of this name and public key is {key.id.hex()}, not {wanted.hex()}"
            self._problem(entry, "key_id", f"{name}.key_id", text)
        return key

    def _words(self, entry: CommentedMap, needed: Sequence[str], *, prefix: str, optional: Sequence[str] = ()) -> None:
        for word in entry:
            if word not in needed and word not in optional:
                self._problem(entry, word, f"{prefix}{word}", f"unknown key; known: {', '.join([*needed, *optional])}")
        line, column = entry.lc.line + 1, entry.lc.col + 1
        for word in needed:
            if word not in entry:
                self._problems.append(f"{self._path}:{line}:{column}: {prefix}{word}: missing")

    def _text(self, entry: Mapping[str, object] | object, word: str, name: str) -> str:
        if not isinstance(entry, CommentedMap) or word not in entry:
            return ""
        value = entry[word]
        if isinstance(value, str) and value:
            return value
        self._problem(entry, word, name, "a text is expected; put it in quotes")
        return ""

    def _hex(self, entry: CommentedMap, word: str, size: int, name: str) -> bytes:
        text = self._text(entry, word, name)
        if re.fullmatch(f"[0-9a-f]{{{size * 2}}}", text):
            return bytes.fromhex(text)
        if text:
            self._problem(entry, word, name, f"{size * 2} lower-case hexadecimal digits are expected")
        return b""

    def _base64(self, entry: CommentedMap, word: str, size: int, name: str) -> bytes:
        text = self._text(entry, word, name)
        try:
            value = base64.b64decode(text, validate=True)
        except binascii.Error:
            value = b""
        if text and len(value) != size:
            self._problem(entry, word, name, f"base64 of {size} bytes is expected")
            return b""
        return value

    def _problem(self, entry: Any, word: object, name: str, text: str) -> None:
        line, column = entry.lc.key(word) if isinstance(entry, CommentedMap) else entry.lc.item(word)
        self._problems.append(f"{self._path}:{line + 1}:{column + 1}: {name}: {text}")
