"""The limits that `breakwater simulate` runs a burst against, read out of templates by the checks' reader."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..checks.answers import ABSENT, Absent, Unknown
from ..checks.callers import called_rarely
from ..checks.concurrency import reserved
from ..checks.event_source import event_sources
from ..limits.account_quota import reservable
from ..limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS, MAXIMUM_MANAGED_TIMEOUT_SECONDS
from ..simulation.application import Function
from ..simulation.application import Server as SimulatedServer
from .simulated_quotas import add_quotas, belongs_to_quota

if TYPE_CHECKING:
    from ..checks import Assembly
    from ..checks.resource import Resource
    from ..limits.engines import DatabaseEngine
    from ..simulation.duration import Duration
    from ..simulation.entries import Entry
from .simulated_entries import add_callers, add_source
from .simulated_servers import held_connections

_FUNCTION = "AWS::Lambda::Function"


@dataclass
class Limits:
    """What templates say.

    Attributes
    ----------
    entries, functions, servers
        As the simulation takes them, without loads.
    unreserved
        The concurrency that functions without a reservation share.
    because
        How each limit is known, by its resource, for people.
    engines
        Of servers, by name, where it is known.
    notes
        What was assumed, and what is in the templates and is not simulated.
    templates_with
        How many templates have a resource of a name.
    """

    entries: list[Entry] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    servers: dict[str, SimulatedServer] = field(default_factory=dict)
    unreserved: int = 0
    because: dict[str, str] = field(default_factory=dict)
    engines: dict[str, DatabaseEngine] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    templates_with: Counter[str] = field(default_factory=Counter, repr=False)

    def name_of(self, resource: Resource) -> str:
        """Name a resource, with its stack where another one has one of that name."""
        name = resource.name
        if self.templates_with[name] < 2:
            return name
        parent = resource.template.nested_by
        return f"{self.name_of(parent) if parent is not None else resource.template.path}/{name}"

    def note(self, line: str) -> None:
        """Say something once."""
        if line not in self.notes:
            self.notes.append(line)

    def number(self, resource: Resource, default: float, within: tuple[float, float], *path: str) -> float:
        """Give a number; the default where it is known at deployment only, or where AWS takes no such."""
        answer = resource.number(*path, default=default)
        if isinstance(answer, Unknown):
            self.note(f"{self.name_of(resource)}: its {path[-1]} is known at deployment only; taken for {default:g}")
            return default
        if not within[0] <= answer <= within[1]:
            given = f"its {path[-1]} of {answer:g} is none that AWS takes"
            self.note(f"{self.name_of(resource)}: {given}; taken for {default:g}")
            return default
        return float(answer)

    def limit(self, resource: Resource, within: tuple[float, float], *path: str) -> int | None:
        """Give a limit that AWS takes; None where there is none, or where it is known at deployment only."""
        answer = resource.limit(*path)
        if isinstance(answer, Absent):
            return None
        if isinstance(answer, Unknown) or not within[0] <= answer <= within[1]:
            is_known = not isinstance(answer, Unknown)
            given = f"{answer:g}, which AWS does not take" if is_known else "known at deployment only"
            self.note(f"{self.name_of(resource)}: its {path[-1]} is {given}; taken for none")
            return None
        return int(answer)


def read_limits(assembly: Assembly, duration: Duration) -> Limits:
    """Read an app's limits.

    Parameters
    ----------
    assembly
        Its templates.
    duration
        Of one request of each function, until something else is said.
    """
    found = Limits()
    for template in assembly.templates:
        found.templates_with.update({resource.name for resource in template.resources.values()})
    functions = assembly.resources(_FUNCTION)
    taken = sum(int(amount) for function in functions if not isinstance(amount := reserved(function), Absent | Unknown))
    quota = assembly.account_concurrency
    found.unreserved = max(quota - reservable(quota), quota - taken)
    if taken > (most := reservable(quota)):
        found.note(f"the functions reserve {taken:,}, and an account with {quota:,} lets them reserve {most:,}")
    for function in functions:
        if not called_rarely(function) and not belongs_to_quota(function):
            found.functions[found.name_of(function)] = _function(function, duration, found)
    behind_quotas = add_quotas(functions, found)
    for source in event_sources(assembly):
        if source.enabled and source.function is not None and found.name_of(source.function) in found.functions:
            add_source(source, found)
    for function in functions:
        if found.name_of(function) in found.functions:
            add_callers(function, found, is_called=found.name_of(function) in behind_quotas)
    return found


def _function(function: Resource, duration: Duration, found: Limits) -> Function:
    amount = reserved(function)
    if isinstance(amount, Unknown):
        found.note(f"{found.name_of(function)}: its reserved concurrency is known at deployment only; taken for none")
    limit = None if isinstance(amount, Absent | Unknown) else max(0, int(amount))
    most = (1, MAXIMUM_MANAGED_TIMEOUT_SECONDS)
    timeout = found.number(function, DEFAULT_TIMEOUT_SECONDS, most, "Timeout")
    if function.get("CapacityProviderConfig") is not ABSENT:
        found.note(f"{found.name_of(function)}: on Managed Instances, whose scaling is not simulated")
    return Function(found.name_of(function), duration, timeout, limit, held_connections(function, found))
