"""How long an RDS Proxy lets a function wait for a connection: half of the shortest timeout of those behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._cdk.function_settings import rendered_timeout
from ..errors import BreakwaterError
from ..limits.rds_proxy import MAXIMUM_BORROW_SECONDS

if TYPE_CHECKING:
    from aws_cdk import Duration
    from constructs import Construct


class FunctionTimeouts:
    """The timeouts of the functions behind one proxy, which its own timeouts follow from.

    They are read as rendered: an Aspect or an override may have the last word.
    """

    def __init__(self) -> None:
        self._given: list[tuple[Construct, int]] = []

    def add(self, function: Construct, timeout: Duration) -> None:
        """Answer before a function's timeout.

        Raises
        ------
        BreakwaterError
            When the timeout leaves no time to wait.
        """
        seconds = int(timeout.to_seconds())
        if seconds < 2:
            raise BreakwaterError(
                function,
                f"timeout={seconds} s leaves no time to wait for a connection of the proxy, whose borrow timeout is "
                "1 s or more.",
                "Pass a timeout of 2 s or more.",
            )
        self._given.append((function, seconds))

    def borrow_seconds(self) -> int:
        """Return ConnectionBorrowTimeout; final only at synth.

        Whoever has waited for half of the time still has the other half for the work itself.
        """
        return min([MAXIMUM_BORROW_SECONDS, *(max(1, seconds // 2) for seconds in self._seconds())])

    def longest_seconds(self) -> int:
        """Return the longest of them; 0 where there is none."""
        return max(self._seconds(), default=0)

    def _seconds(self) -> list[int]:
        return [rendered_timeout(function) or given for function, given in self._given]
