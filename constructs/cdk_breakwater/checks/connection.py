"""A function that may open connections to a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .callers import called_by_schedule
from .concurrency import most_at_once

if TYPE_CHECKING:
    from .answers import Absent, Amount, Unknown
    from .resource import Resource
    from .servers import Server


@dataclass(frozen=True, eq=False)
class Connection:
    """A function that may open connections to a database.

    Attributes
    ----------
    function
        The function.
    server
        The database or cache; None for one that is not in the templates.
    evidence
        By what that is known.
    proxied
        Whether an RDS Proxy holds the connections.
    reads
        Whether it knows nothing but the address of readers.
    outside
        What is known of a database that is not in the templates.
    """

    function: Resource
    server: Server | None
    evidence: str
    proxied: Resource | None = None
    reads: bool = False
    outside: str = ""

    @property
    def to(self) -> str:
        """Name what it connects to."""
        return self.server.name if self.server else self.outside

    @property
    def at_once(self) -> Amount | Absent | Unknown:
        """How many of the function there may be: absent where nothing limits it."""
        return most_at_once(self.function)

    @property
    def scheduled(self) -> bool:
        """Whether nothing but a schedule calls the function."""
        return called_by_schedule(self.function)
