"""Pages of the documentation, as tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def page(name: str) -> str:
    """Text of a page, named from the root of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def words(text: str) -> set[str]:
    """Everything between two backticks, and each word of it."""
    quoted = re.findall(r"`([^`\n]+)`", text)
    return {*quoted, *(word for each in quoted for word in each.split())}


def sections(text: str) -> dict[str, str]:
    """Heading of the second level → what stands under it."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchor(heading: str) -> str:
    """What a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def example(name: str, file: str) -> str:
    """The Python example of page `name` that is marked `<!-- example: file -->`."""
    found = re.search(rf"<!-- example: {re.escape(file)} -->\n```python\n(.*?)```", page(name), re.DOTALL)
    assert found is not None, f"{name} has no example {file}"
    return found[1]
