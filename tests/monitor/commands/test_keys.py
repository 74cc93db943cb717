"""`gateway keys`: private keys stay private and are never overwritten; the trust file can be handed on."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from bus.trust import Signer, load_trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


def test_a_new_key_is_private_and_its_public_half_is_printed(gateway: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "keys" / "second.pem"
    done = gateway("keys", "new", file)
    key = Signer.load(file).verify_key
    assert (done.code, done.err) == (0, "")
    assert f'    name: "second"\n    key_id: "{key.id.hex()}"\n    suite: "ed25519-sha256"\n' in done.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = gateway("keys", "new", file, "--json")
    assert again.code == 2
    assert "exists already and is not overwritten" in again.json["problems"][0]
    assert Signer.load(file).verify_key == key


def test_what_is_printed_can_be_put_into_a_trust_file(
    gateway: Callable[..., Done], drained: Path, tmp_path: Path
) -> None:
    done = gateway("keys", "new", tmp_path / "k.pem", "--name", "other", "--lang", "zh")
    trust = tmp_path / "trust.yaml"
    lines = (drained.parent / "trust.yaml").read_text(encoding="utf-8").splitlines()
    place = lines.index("streams:") + 1
    lines[place:place] = [line for line in done.out.splitlines() if line.startswith("  ")]
    trust.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert load_trust(trust).streams[0][1].name == "other"


@pytest.mark.parametrize("name", ["a b", "a+b"])
def test_a_name_that_no_note_can_carry_is_refused(gateway: Callable[..., Done], tmp_path: Path, name: str) -> None:
    done = gateway("keys", "new", tmp_path / "k.pem", "--name", name)
    assert (done.code, done.err) == (2, f"--name {name!r}: a name without white space and '+' is expected\n")
    assert not (tmp_path / "k.pem").exists()


def test_a_place_that_cannot_be_written_is_named(gateway: Callable[..., Done], drained: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = gateway("keys", "new", tmp_path / "file" / "k.pem")
    assert (done.code, done.err) == (2, f"{tmp_path}/file: cannot be made (File exists)\n")
    done = gateway("keys", "export", "--out", "/proc/none.yaml", "--config", drained)
    assert (done.code, done.err) == (2, "FILE /proc/none.yaml: cannot be written (No such file or directory)\n")


def test_the_list_shows_which_key_signs_here(gateway: Callable[..., Done], drained: Path) -> None:
    done = gateway("keys", "list", "--config", drained)
    assert [line.split()[:2] for line in done.out.splitlines() if line.endswith("✓")] == [["test/*", "test"]]
    keys = gateway("keys", "list", "--config", drained, "--json", "--lang", "zh").json["keys"]
    assert [(key["pattern"], key["signs_here"]) for key in keys] == [("test/*", True), ("core", False)]


def test_the_export_is_the_trust_file(gateway: Callable[..., Done], drained: Path, tmp_path: Path) -> None:
    out = tmp_path / "trust-for-core.yaml"
    done = gateway("keys", "export", "--out", out, "--config", drained, "--json")
    assert (done.code, done.json) == (0, {"file": str(out)})
    assert load_trust(out) == load_trust(drained.parent / "trust.yaml")
    assert "PRIVATE" not in out.read_text(encoding="utf-8")
    assert gateway("keys", "export", "--out", out, "--config", drained).code == 2


def test_a_trust_file_without_a_core_is_listed(gateway: Callable[..., Done], drained: Path, tmp_path: Path) -> None:
    text = drained.read_text(encoding="utf-8").replace("keys/test.pem", f"{drained.parent}/keys/test.pem")
    (tmp_path / "gateway.yaml").write_text(text, encoding="utf-8")
    trust = (drained.parent / "trust.yaml").read_text(encoding="utf-8")
    (tmp_path / "trust.yaml").write_text(trust.partition("core:")[0], encoding="utf-8")
    keys = gateway("keys", "list", "--config", tmp_path / "gateway.yaml", "--json").json["keys"]
    assert [key["pattern"] for key in keys] == ["test/*"]
