"""The topology that is measured: the quorum queue `core`, with or without the journal beside it.

The bars compare with a yardstick that fills one quorum queue, so the gateway fills that queue alone too; with the
journal the broker writes everything twice, which is measured beside it, for both.
"""

from __future__ import annotations

from bus.topology import Topology, supervision


def topology(*, has_journal: bool) -> Topology:
    """The city's topology, whole or without its stream queue."""
    whole = supervision()
    if has_journal:
        return whole
    queues = tuple(queue for queue in whole.queues if not queue.is_stream)
    names = {queue.name for queue in queues}
    bindings = tuple(binding for binding in whole.bindings if binding.queue in names)
    return Topology(whole.exchanges, queues, bindings)
