"""What the life of a connection needs of a database driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.environment import Settings

# The server ends a session that has been idle for so long, within a transaction or not: far below the 350 s after
# which the network forgets it, far above the pulse that keeps the session of a running invocation from looking idle.
# Opening another costs an environment that is called less than once a minute some milliseconds.
IDLE_SESSION_SECONDS = 60
# For sessions without a pulse: the longest that a function can run (Lambda quotas)
LONGEST_FUNCTION_SECONDS = 900
CONNECT_TIMEOUT_SECONDS = 5


class Driver(ABC):
    """One engine's driver. None of its methods repeats a statement of the user's.

    Parameters
    ----------
    settings
        The downstream's settings.
    autocommit
        Whether each statement is a transaction of its own.
    options
        More keyword arguments for the driver's own connect.
    """

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        self.settings = settings
        self.autocommit = autocommit
        self.options = options

    def idle_session_seconds(self, *, pulse: bool) -> int:
        """Return after how long the server may end an idle session: never within an invocation."""
        if pulse:
            return IDLE_SESSION_SECONDS
        return max(IDLE_SESSION_SECONDS, int(self.settings.function_timeout or LONGEST_FUNCTION_SECONDS))

    @abstractmethod
    def connect(self, login: Login, timeout: float, *, pulse: bool = True) -> Any:
        """Open a connection; `pulse` says that the runtime keeps it from looking idle within an invocation."""

    @abstractmethod
    def begin_invocation(self, connection: Any, remaining: float) -> None:
        """Prepare a living connection for a block that may take so many seconds."""

    @abstractmethod
    def is_alive(self, connection: Any) -> bool:
        """Look at the socket, without a round trip."""

    @abstractmethod
    def answers(self, connection: Any) -> bool:
        """Ask once, with a short timeout, whether the session lives and nobody is ending it."""

    @abstractmethod
    def pulse(self, connection: Any, idle_seconds: float) -> None:
        """Keep the session from looking idle, if it has been for so long and no statement is running."""

    @abstractmethod
    def commit(self, connection: Any) -> None:
        """Commit what is open, and leave no session state behind."""

    @abstractmethod
    def rollback(self, connection: Any) -> None:
        """Roll back what is open, and leave no session state behind."""

    @abstractmethod
    def connections_on_server(self, connection: Any) -> tuple[int, int]:
        """Count everybody's connections, and return the server's limit with them."""

    @abstractmethod
    def end_zombies(self, connection: Any, idle_seconds: int) -> int:
        """End the own user's sessions that are proven to lie between invocations; return how many."""

    @abstractmethod
    def close(self, connection: Any) -> None:
        """Close, whatever state the connection is in."""

    @abstractmethod
    def is_login_refused(self, error: Exception) -> bool:
        """Tell whether a secret that rotated could be the reason."""

    @abstractmethod
    def is_server_full(self, error: Exception) -> bool:
        """Tell whether the server refused for want of connections."""

    @abstractmethod
    def is_retryable(self, error: Exception) -> bool:
        """Tell whether another connect may succeed, as opposed to the user's own errors."""

    @abstractmethod
    def is_rolled_back(self, error: BaseException) -> bool:
        """Tell whether an error of a statement means that the server has rolled its transaction back."""
