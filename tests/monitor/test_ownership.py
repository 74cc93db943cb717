"""Another distribution that owns one of our names is named at start, before anything of ours is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import cli
from monitor.menu import options
from monitor.ownership import NAMES, ownership_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.monitor.conftest import Done


def test_this_environment_is_ours_alone() -> None:
    assert ownership_problems() == []


def test_every_top_level_package_is_guarded() -> None:
    assert ownership_problems({name: ["foshan_exchange"] for name in NAMES}) == []
    assert len(ownership_problems({name: ["foshan-exchange", "other", "other"] for name in NAMES})) == len(NAMES)


def test_the_text_names_both_and_says_what_to_do() -> None:
    (problem,) = ownership_problems({"adapters": ["foshan-exchange", "adapters"], "yaml": ["other"]})
    assert "the distribution 'adapters' also installs a package 'adapters'" in problem
    assert "pip uninstall adapters" in problem
    assert "独立的环境" in problem


def test_a_command_does_not_begin_beside_another_owner(
    gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "ownership_problems", lambda: ["somebody else owns `bus`"])
    done = gateway("mapping", "lint", "cgs", "--json")
    assert (done.code, done.err) == (2, "somebody else owns `bus`\n")
    assert done.json == {"error": "configuration", "exit": 2, "problems": ["somebody else owns `bus`"]}


def test_an_import_that_fails_is_explained_by_another_owner(
    gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ImportError("cannot import name 'registry' from 'adapters'")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(cli, "ownership_problems", lambda: ["somebody else owns `adapters`"])
    done = gateway("status")
    assert done.code == 2
    assert done.err == "cannot import name 'registry' from 'adapters'\nsomebody else owns `adapters`\n"
