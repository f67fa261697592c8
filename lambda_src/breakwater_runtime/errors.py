"""What the runtime itself raises; errors of the drivers pass through as they are."""

from __future__ import annotations


class BreakwaterError(Exception):
    """The base of the runtime's own errors."""

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own calls the class with the message alone; and a pool of processes waits for ever for the
        # answer of one that raised what can't be unpickled
        return _made_again, (type(self), self.args, vars(self))


def _made_again(kind: type[BreakwaterError], arguments: tuple[object, ...], state: dict[str, object]) -> object:
    error = kind.__new__(kind)
    error.args = arguments
    vars(error).update(state)
    return error


class ConfigurationError(BreakwaterError, ValueError):
    """A setting is missing or wrong; the message names it, the value, and what would be right."""


class ConnectionUnavailable(BreakwaterError, ConnectionError):  # noqa: N818 -- it is one, and says what is not there
    """No connection within the time that the invocation had; the message says what was tried.

    Attributes
    ----------
    attempts
        How often a connection was asked for.
    """

    def __init__(self, message: str, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


class TransactionAborted(BreakwaterError):  # noqa: N818
    """A block ended well, but its transaction could not be committed.

    Either a statement in it had failed, and its error was caught within the block. Or the invocation's time was over
    before COMMIT could be sent: the message says whether something of the block had been applied before. Let the
    invocation fail, so that it is tried again, or give the function more time.
    """


class OutcomeUnknown(BreakwaterError):  # noqa: N818
    """The connection was lost before the answer to a COMMIT, a CALL or a DDL statement came: it may have been applied.

    The Data API says the same of every statement. Nothing is repeated. The driver's own error is the cause.
    """
