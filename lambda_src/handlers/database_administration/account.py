"""What a deployment does with one user, on any engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grant import Grant


class Account(ABC):
    """One user, seen by an administrator.

    Parameters
    ----------
    connection
        The administrator's.
    name
        The user's.
    """

    def __init__(self, connection: Any, name: str) -> None:
        self._connection = connection
        self._name = name

    @abstractmethod
    def is_administrator(self) -> bool:
        """Whether the user is the administrator itself."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether the user exists, however it logs in."""

    @abstractmethod
    def uses_iam(self) -> bool:
        """Whether the user logs in with IAM tokens."""

    @abstractmethod
    def set(self, password: str | None, connection_limit: int, wanted: list[Grant], before: Sequence[Grant]) -> None:
        """Make the user, or change it, to log in so and to be allowed that.

        Parameters
        ----------
        password
            None for IAM database authentication.
        connection_limit
            Connections that it may hold at once.
        wanted, before
            Its grants, and those of the deployment before.
        """

    def databases(self) -> list[str]:
        """Return the databases in which `release` must be called before `drop`."""
        return []

    def release(self) -> None:  # noqa: B027 -- only where somebody can own something
        """Take over what the user owns in the connected database, and revoke what it was granted there."""

    @abstractmethod
    def drop(self) -> None:
        """Drop the user."""

    @abstractmethod
    def lock(self) -> None:
        """Keep the user from logging in."""
