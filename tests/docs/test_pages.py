"""Every page: links lead somewhere, no page is too long, the index knows each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PAGES, ROOT, anchor, page

if TYPE_CHECKING:
    from pathlib import Path

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MAX_LINES = 250


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    wrong = []
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        target, _, heading = link.partition("#")
        if "://" in target:
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists():
            wrong.append(f"{link}: no such file")
        elif heading:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            if heading not in map(anchor, headings):
                wrong.append(f"{link}: no such heading")
    assert wrong == []


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_page_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= _MAX_LINES


def test_the_index_leads_to_every_page() -> None:
    links = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in _LINK.findall(page("docs/index.md"))}
    assert [_name(path) for path in PAGES if not links & {path, path.parent} and path.name != "index.md"] == []
