"""How long an RDS Proxy lets a function wait for a connection: half of the shortest timeout of those behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import Duration
    from constructs import Construct

# Source: AWS::RDS::DBProxyTargetGroup ConnectionPoolConfigurationInfoFormat, ConnectionBorrowTimeout; the API's own
# reference says 3600. 0 would be without a limit.
_LONGEST_SECONDS = 300


class BorrowTimeout:
    """The ConnectionBorrowTimeout of one proxy, which follows from the functions that are added to it."""

    def __init__(self) -> None:
        self._seconds = _LONGEST_SECONDS

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
        # Whoever has waited for half of the time still has the other half for the work itself.
        self._seconds = min(self._seconds, seconds // 2)

    def seconds(self) -> int:
        """Return it; final only at synth."""
        return self._seconds
