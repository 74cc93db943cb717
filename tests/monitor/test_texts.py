"""The locale chooses the language, `--lang` overrules it."""

from __future__ import annotations

import pytest

from monitor.texts import counted, default_language, duration, say


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "Chinese (Simplified)_China"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_environment_names_the_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_language() == language


@pytest.mark.parametrize(("found", "language"), [((None, None), "en"), (("zh_CN", "UTF-8"), "zh")])
def test_without_variables_the_system_is_asked(
    monkeypatch: pytest.MonkeyPatch, found: tuple[str | None, str | None], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda: found)
    assert default_language() == language


def test_a_text_comes_in_the_chosen_language() -> None:
    assert (say("zh", zh="好", en="good"), say("en", zh="好", en="good")) == ("好", "good")


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (-1, "0 秒", "0 s"),
        (59.4, "59 秒", "59 s"),
        (90, "2 分钟", "2 min"),
        (7200, "2 小时", "2 h"),
        (2e5, "2 天", "2 d"),
    ],
)
def test_a_time_span_is_said_in_its_largest_unit(seconds: float, zh: str, en: str) -> None:
    assert (duration("zh", seconds), duration("en", seconds)) == (zh, en)


def test_one_is_singular() -> None:
    assert (counted(1, "record"), counted(0, "record")) == ("1 record", "0 records")
