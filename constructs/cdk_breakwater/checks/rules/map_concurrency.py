"""A Map starts no more of a function than there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Absent, Unknown
from ..concurrency import most_at_once
from ..connections import direct_connections
from ..rule import Finding, Rule, Severity
from ..states import State, states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# Source: AWS Step Functions Developer Guide, "Map workflow state": without MaxConcurrency, or at 0, as many as can be,
# 40 iterations in the inline mode, 10,000 in the distributed mode.
_INLINE = 40
_DISTRIBUTED = 10_000


def check(resource: Resource) -> Iterator[Finding]:
    """Find Maps that start more of a function than it reserves, or of one that connects without any limit."""
    for state in states(resource):
        maps = [outer for outer in state.within if outer.is_map]
        if state.function is None or not maps:
            continue
        at_once = [_at_once(outer) for outer in maps]
        if any(most is None for most in at_once):
            continue
        most, limit = max(filter(None, at_once)), most_at_once(state.function)
        if isinstance(limit, Unknown):
            continue
        unlimited = not maps[-1].body.get("MaxConcurrency", 0)
        connects = bool(direct_connections(state.function))
        too_many = most > limit if not isinstance(limit, Absent) else unlimited
        if too_many:
            of = f"a reserved concurrency of {limit:g}" if not isinstance(limit, Absent) else "no limit of its own"
            yield Finding(
                resource,
                f"Properties.Definition.{maps[-1].name}.MaxConcurrency",
                f"{maps[-1].name} in {resource.name} starts up to {most:,} of {state.function.name}, which has {of}.",
                found=f"up to {most:,}",
                needed="MaxConcurrency" if isinstance(limit, Absent) else f"at most {limit:g}",
                others=(state.function,),
                based_on=(limit,),
                severity=Severity.DATABASE if connects else None,
            )


def _at_once(state: State) -> int | None:
    """Give how many iterations run at once, None where that is known at run time only."""
    if "MaxConcurrencyPath" in state.body:
        return None
    given = state.body.get("MaxConcurrency", 0)
    if isinstance(given, bool) or not isinstance(given, int):
        return None
    processor = state.body.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    distributed = isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED"
    most = _DISTRIBUTED if distributed else _INLINE
    return min(given, most) if given > 0 else most


RULE = Rule(
    id="MapConcurrency",
    requires="A Map state that invokes a function has a MaxConcurrency of at most the function's reserved concurrency.",
    reason="Without it, up to 40 iterations run at once in inline mode, and up to 10,000 in distributed mode.",
    fix="Set MaxConcurrency to the function's share.",
    link="https://docs.aws.amazon.com/step-functions/latest/dg/state-map.html",
    severity=Severity.NOTE,
    of=("AWS::StepFunctions::StateMachine",),
    check=check,
)
