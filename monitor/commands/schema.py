"""`gateway schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.terminal import cannot_write, exit_codes
from xsd.dictionary import render

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.terminal import Terminal


def run_docs(terminal: Terminal, out: Path) -> None:
    """Write the data dictionary, one page of HTML."""
    with exit_codes(terminal):
        page = render()
        try:
            out.write_text(page, encoding="utf-8")
        except OSError as error:
            raise cannot_write("--out", out, error) from error
        terminal.say(zh=f"已写入 {out}", en=f"Written: {out}")
        terminal.result({"file": str(out), "characters": len(page)})
