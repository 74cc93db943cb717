"""`gateway keys`: private keys, and the trust file that says whose signatures count."""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING, Any

from bus.trust import Signer, load_trust, new_private_key
from monitor.settings import load
from monitor.terminal import WrongUseError, cannot_write, exit_codes

if TYPE_CHECKING:
    from pathlib import Path

    from bus.trust import VerifyKey
    from monitor.terminal import Terminal


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read.

    Raises:
        WrongUseError: it exists, or its folder cannot be written.
    """
    try:
        make_folder(path.parent)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError as error:
        zh, en = (
            f"{path}：已存在，不覆盖；请换个名字",
            f"{path}: exists already and is not overwritten; choose another name",
        )
        raise WrongUseError((zh, en)) from error
    except OSError as error:
        raise cannot_write("FILE", path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none. Raises WrongUseError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise WrongUseError((f"{path}：无法建立（{reason}）", f"{path}: cannot be made ({reason})")) from error


def _object(key: VerifyKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "key_id": key.id.hex(),
        "suite": key.suite,
        "public_key": base64.b64encode(key.public_key).decode("ascii"),
    }


def run_new(terminal: Terminal, file: Path, *, name: str) -> None:
    """Make a key; print the lines for the trust file."""
    with exit_codes(terminal):
        if re.search(r"[\s+]", name) or not name:
            zh = f"--name {name!r}：名称不能含空白和 '+'"
            raise WrongUseError((zh, f"--name {name!r}: a name without white space and '+' is expected"))
        write_private(file, new_private_key())
        key = Signer.load(file, name=name).verify_key
        terminal.say(
            zh=f"已写入 {file}（仅所有者可读）。把下面的内容加入 trust.yaml 的 streams：",
            en=f"Written: {file} (readable by its owner only). Add this to `streams` of trust.yaml:",
        )
        lines = [f'    {word}: "{value}"' for word, value in _object(key).items()]
        terminal.write('  - pattern: "<group>/<source>"', *lines)
        terminal.result({"file": str(file), **_object(key)})


def run_list(terminal: Terminal, config: Path) -> None:
    """Print the keys of the trust file and which of them signs here."""
    with exit_codes(terminal):
        settings = load(config)
        trust = load_trust(settings.signing.trust)
        signer = Signer.load(settings.signing.key)
        keys = [(pattern, key) for pattern, key in trust.streams]
        keys += [("core", trust.core)] if trust.core is not None else []
        title = {"zh": "信任文件中的密钥", "en": "keys of the trust file"}[terminal.language]
        columns = {
            "zh": ("流", "名称", "标识", "套件", "本机签名"),
            "en": ("streams", "name", "id", "suite", "signs here"),
        }
        rows = [
            (pattern, key.name, key.id.hex(), key.suite, "✓" if key.id == signer.id else "") for pattern, key in keys
        ]
        terminal.write(title)
        terminal.table(columns[terminal.language], rows)
        terminal.result(
            {"keys": [{"pattern": pattern, **_object(key), "signs_here": key.id == signer.id} for pattern, key in keys]}
        )


def run_export(terminal: Terminal, config: Path, out: Path) -> None:
    """Copy the trust file for whoever verifies; it holds no private key."""
    with exit_codes(terminal):
        settings = load(config)
        load_trust(settings.signing.trust)
        write_private(out, settings.signing.trust.read_bytes())
        terminal.say(
            zh=f"已写入 {out}。它不含私钥，但含 key_hash：请只交给核验方。",
            en=f"Written: {out}. It holds no private key, but it holds key_hash: give it only to those who verify.",
        )
        terminal.result({"file": str(out)})
