"""One step ahead: while a batch is translated and committed, the next one is fetched in a thread.

Reading, decoding and assembling a page costs a third of what becomes of it afterwards, and both halves spend much of
their time outside the interpreter's lock (driver, libxml2, the ledger's commit), so they overlap (`gateway bench`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from adapters.database.passes import Output


def ahead(outputs: Generator[Output, None, None]) -> Generator[Output, None, None]:
    """The same outputs in the same order; an error comes where it would have come.

    Only for a pass that does not depend on what becomes of its former outputs: the next one is made before the last
    one is acknowledged. Closing waits for the step under way.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as worker:
        following = worker.submit(next, outputs, None)
        try:
            while (output := following.result()) is not None:
                following = worker.submit(next, outputs, None)
                yield output
        finally:
            following.exception()
            outputs.close()
