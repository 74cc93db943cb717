"""What the drivers' exceptions mean to the runtime: one table for pika, one for sqlite3.

The most specific class wins. Tests walk both drivers' exceptions and fail on one that no table maps.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from pika import exceptions
from pika.adapters.utils import connection_workflow

from bus.errors import FatalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

PIKA: Final[Mapping[type[BaseException], type[FatalError | TransientError]]] = {
    # lost, refused, busy: the same thing may work later
    exceptions.AMQPConnectionError: TransientError,
    exceptions.ConnectionOpenAborted: TransientError,
    exceptions.StreamLostError: TransientError,
    exceptions.ConnectionWrongStateError: TransientError,
    exceptions.ConnectionClosedByClient: TransientError,
    exceptions.ConnectionBlockedTimeout: TransientError,
    exceptions.AMQPHeartbeatTimeout: TransientError,
    exceptions.ChannelWrongStateError: TransientError,
    exceptions.ChannelClosedByClient: TransientError,
    exceptions.ConsumerCancelled: TransientError,
    exceptions.NackError: TransientError,
    exceptions.NoFreeChannels: TransientError,
    exceptions.ProtocolSyntaxError: TransientError,
    exceptions.UnexpectedFrameError: TransientError,
    exceptions.InvalidFrameError: TransientError,
    connection_workflow.AMQPConnectorException: TransientError,
    # an operator has to act first
    exceptions.IncompatibleProtocolError: FatalError,
    exceptions.ProtocolVersionMismatch: FatalError,
    exceptions.AuthenticationError: FatalError,
    exceptions.ProbableAuthenticationError: FatalError,
    exceptions.ProbableAccessDeniedError: FatalError,
    exceptions.UnroutableError: FatalError,
    # a fault in this program: stop and keep the messages
    exceptions.DuplicateConsumerTag: FatalError,
    exceptions.InvalidChannelNumber: FatalError,
    exceptions.BodyTooLongError: FatalError,
    exceptions.InvalidFieldTypeException: FatalError,
    exceptions.UnsupportedAMQPFieldException: FatalError,
    exceptions.MethodNotImplemented: FatalError,
    exceptions.ShortStringTooLong: FatalError,
    exceptions.ReentrancyError: FatalError,
    exceptions.ChannelError: FatalError,
    exceptions.DuplicateGetOkCallback: FatalError,
}

#: Classes that carry the broker's reply code, which decides.
BY_REPLY_CODE: Final = (exceptions.ConnectionClosed, exceptions.ChannelClosed)

#: Reply codes of AMQP 0-9-1 after which waiting does not help, and what does.
FATAL_REPLIES: Final[Mapping[int, str]] = {
    311: "a message is larger than the broker takes",
    403: "the account lacks a permission",
    404: "run `gateway topology apply`",
    406: "it exists with other arguments; compare with `gateway topology show`",
    501: "the broker does not understand us",
    502: "the broker does not understand us",
    503: "the broker does not understand us",
    504: "the broker does not understand us",
    505: "the broker does not understand us",
    530: "the account may not use this vhost, or it does not exist",
    540: "the broker is too old; RabbitMQ 3.10 or later is needed",
}

SQLITE: Final[Mapping[type[BaseException], type[FatalError | TransientError]]] = {
    sqlite3.OperationalError: TransientError,  # locked, disk full, input/output error: nothing was committed
    sqlite3.InternalError: TransientError,
    sqlite3.Error: FatalError,
    sqlite3.DatabaseError: FatalError,  # not a database, malformed
    sqlite3.IntegrityError: FatalError,
    sqlite3.DataError: FatalError,
    sqlite3.NotSupportedError: FatalError,
    sqlite3.ProgrammingError: FatalError,
    sqlite3.InterfaceError: FatalError,
}


def from_pika(error: BaseException, *, what: str) -> FatalError | TransientError:
    """Our error for one of pika's; `what` says what was tried, and the text keeps the broker's words."""
    cause = _innermost(error)
    if isinstance(cause, BY_REPLY_CODE):
        advice = FATAL_REPLIES.get(cause.reply_code)
        text = f"{what}: {cause.reply_code} {cause.reply_text}"
        return TransientError(text) if advice is None else FatalError(f"{text}: {advice}")
    return _mapped(PIKA, cause)(f"{what}: {cause!r}")


def from_sqlite(error: sqlite3.Error, *, what: str) -> FatalError | TransientError:
    """Our error for one of sqlite3's."""
    return _mapped(SQLITE, error)(f"{what}: {error}")


def _mapped(
    table: Mapping[type[BaseException], type[FatalError | TransientError]], error: BaseException
) -> type[FatalError | TransientError]:
    for kind in type(error).__mro__:
        if kind in table:
            return table[kind]
    return TransientError if isinstance(error, OSError) else FatalError


def _innermost(error: BaseException) -> BaseException:
    """Connecting wraps the real reason several times."""
    while True:
        if isinstance(error, connection_workflow.AMQPConnectionWorkflowFailed) and error.exceptions:
            error = error.exceptions[-1]
        elif isinstance(error, connection_workflow.AMQPConnectorPhaseErrorBase):
            error = error.exception
        elif type(error) is exceptions.AMQPConnectionError and error.args and isinstance(error.args[0], Exception):
            error = error.args[0]
        else:
            return error
