"""What one transport can do that another cannot: declared, typed and tested."""

from __future__ import annotations

from typing import NamedTuple


class Capabilities(NamedTuple):
    """Abilities beyond the port.

    Attributes:
        has_server: a server of its own stands between the processes, and may be away while they run.
        has_competing_consumers: several consumers share a queue that is not single-active.
        enforces_limits: length limits, delivery limit, expiry and dead-lettering happen in the broker.
    """

    has_server: bool
    has_competing_consumers: bool
    enforces_limits: bool
