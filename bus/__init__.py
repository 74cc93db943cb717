"""Kernel and Message Bus: values, ports, ledger, relay and the core's consumer. Imports no sibling package.

For the core: `from bus import Consumer, Verifier`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bus.outbound import Consumer as Consumer
    from bus.outbound import ConsumerOptions as ConsumerOptions
    from bus.outbound import Received as Received
    from bus.verify import Verifier as Verifier

__all__ = ["Consumer", "ConsumerOptions", "Received", "Verifier"]

_HOMES: Final = {
    "Consumer": "bus.outbound",
    "ConsumerOptions": "bus.outbound",
    "Received": "bus.outbound",
    "Verifier": "bus.verify",
}


def __getattr__(name: str) -> Any:
    """Public names, imported when they are first asked for: a command that needs none pays for none."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bus' has no attribute {name!r}")
