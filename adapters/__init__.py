"""Channel Adapters: generic ones, the platforms, and simulators of their interfaces.

Importing this package costs nothing: no driver, no SQLAlchemy; `adapters.registry` imports an adapter on use.
"""

from bus.message import Record
from bus.ports import SinkAdapter, SourceAdapter

__all__ = ["Record", "SinkAdapter", "SourceAdapter"]
