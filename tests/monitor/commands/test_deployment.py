"""`gateway init` makes a deployment that is right as it is, private, and explains itself."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from monitor.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


def test_the_deployment_can_be_used_as_it_is(gateway: Callable[..., Done], tmp_path: Path) -> None:
    done = gateway("init", tmp_path / "new")
    config = tmp_path / "new" / "gateway.yaml"
    assert (done.code, done.err) == (0, "")
    assert f"gateway check --connect --config {config}" in done.out
    settings = load(config)
    assert (settings.node, settings.group, list(settings.sources)) == ("foshan-1", "foshan", ["chancheng"])
    assert f"sqlite:///{tmp_path}/new/chancheng.db --division 440604" in config.read_text(encoding="utf-8")
    assert gateway("check", "--config", config).code == 0


def test_private_files_belong_to_their_owner_alone(gateway: Callable[..., Done], tmp_path: Path) -> None:
    gateway("init", tmp_path, "--group", "city")
    for name in ("keys/city.pem", "keys/core.pem", "trust.yaml"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_every_key_of_the_template_has_a_comment_and_lines_fit(gateway: Callable[..., Done], tmp_path: Path) -> None:
    gateway("init", tmp_path)
    lines = (tmp_path / "gateway.yaml").read_text(encoding="utf-8").splitlines()
    assert max(len(line.replace(str(tmp_path), "/srv/gateway")) for line in lines) <= 120
    for index, line in enumerate(lines):
        key = line.strip().partition(":")[0]
        if key in {"store", "bus", "signing", "url", "node", "on_quarantine"}:
            assert lines[index - 1].lstrip().startswith("#"), line


def test_for_programs_the_files_are_listed(gateway: Callable[..., Done], tmp_path: Path) -> None:
    done = gateway("init", tmp_path, "--json", "--lang", "zh")
    assert done.json == {
        "directory": str(tmp_path),
        "files": ["gateway.yaml", "trust.yaml", "keys/foshan.pem", "keys/core.pem"],
    }
    assert "监察核心的签名私钥" in done.err


@pytest.mark.parametrize("group", ["Big City", "1st", "x" * 33, ""])
def test_a_group_that_no_stream_may_have_is_refused_before_anything_is_written(
    gateway: Callable[..., Done], tmp_path: Path, group: str
) -> None:
    done = gateway("init", tmp_path / "new", "--group", group)
    assert done.code == 2
    assert "lower-case letters, digits" in done.err
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_left_alone(gateway: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = gateway("init", tmp_path, "--lang", "zh")
    assert (done.code, done.err) == (2, f"{tmp_path}：不是空目录；请另选新目录\n")
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_file_in_the_way_is_named(gateway: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = gateway("init", tmp_path / "file")
    assert (done.code, done.err) == (2, f"{tmp_path}/file: cannot be made (File exists)\n")
