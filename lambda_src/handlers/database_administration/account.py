"""What a deployment does with one user, on any engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grant import Grant


class Login(NamedTuple):
    """How a user logs in.

    Attributes
    ----------
    password
        None for IAM database authentication.
    """

    password: str | None


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

    def has_password(self, password: str) -> bool | None:  # noqa: ARG002 -- only where the server shows a hash of it
        """Whether it is the user's password; None where only a login can tell."""
        return None

    def hidden(self, text: str, password: str) -> str:
        """Take the password, and what the server keeps of it, out of a text: servers quote what they refuse."""
        return text.replace(password, "…")

    @abstractmethod
    def set(
        self, login: Login | None, connection_limit: int, wanted: list[Grant], before: Sequence[Grant]
    ) -> list[str]:
        """Make the user, or change it, to log in so and to be allowed that.

        Parameters
        ----------
        login
            None leaves it as it is: a rotation may have changed the password since.
        connection_limit
            Connections that it may hold at once.
        wanted, before
            Its grants, and those of the deployment before.

        Returns
        -------
        list of str
            What could not be granted since it is somebody else's.
        """

    def databases(self) -> list[str]:
        """Return the databases in which `release` must be called before `drop`."""
        return []

    def shut_out(self) -> None:
        """Let nobody log in as the user any more, and end its sessions: they keep all its rights."""
        self.lock()

    def release(self) -> None:  # noqa: B027 -- only where somebody can own something
        """Take over what the user owns in the connected database, and revoke what it was granted there."""

    @abstractmethod
    def drop(self) -> None:
        """Drop the user."""

    @abstractmethod
    def lock(self) -> None:
        """Keep the user from logging in."""
