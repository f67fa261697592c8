"""A connection, lent for the duration of a `with` block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from breakwater_runtime.connection import Database


class Block:
    """A connection, lent for the duration of a `with` block.

    Attributes
    ----------
    committing
        Whether the block's own code is over.
    """

    __slots__ = ("_connection", "_context", "_database", "committing")

    def __init__(self, database: Database, context: object | None) -> None:
        self._database = database
        self._context = context
        self._connection: Any = None
        self.committing = False

    def __enter__(self) -> Any:
        deadline = Deadline(self._context, self._database._settings.function_timeout)
        self._connection = self._database._begin(deadline)
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        connection, self._connection = self._connection, None
        self.committing = kind is None
        try:
            self._database._finish(connection, failed=kind is not None)
        finally:
            self._database._end()
            self._database.counters.flush(self._context)
