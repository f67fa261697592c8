"""The states of Step Functions' state machines, and the functions that they call."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .answers import ABSENT, Reference, known_text
from .event_source import function_of
from .resource import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resource import Resource

_DEEPEST = 40
_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
_UNQUOTED = re.compile(r"(:\s*)\$?\{[A-Za-z][\w.:]*\}")
_SDK = ":aws-sdk:lambda:"


class State(NamedTuple):
    """A state, with those that it is part of."""

    name: str
    body: dict[str, Any]
    within: tuple[State, ...]
    function: Resource | None

    @property
    def is_map(self) -> bool:
        """Whether it runs its states once for each item."""
        return self.body.get("Type") == "Map"


def states(machine: Resource) -> list[State]:
    """Give the states of a machine; none where its definition is elsewhere."""
    return machine.template.assembly.choices.cached(("states", machine), lambda: list(_states(machine)))


def _states(machine: Resource) -> Iterator[State]:
    written = machine.body.get("Properties")
    properties = written if isinstance(written, dict) else {}
    if isinstance(properties.get("Definition"), dict):
        yield from _walk(machine, properties["Definition"], (), 0)
        return
    text = _substituted(machine, known_text(machine.get("DefinitionString")))
    for known in (text, _UNQUOTED.sub(r"\1null", text)):  # a number that only the deployment knows
        try:
            definition = json.loads(known)
        except (ValueError, RecursionError):
            continue
        yield from _walk(machine, definition, (), 0)
        return


def _substituted(machine: Resource, text: str) -> str:
    """Put in what DefinitionSubstitutions says, as text, as far as it is known."""

    def known(found: re.Match[str]) -> str:
        answer = machine.get("DefinitionSubstitutions", found[1])
        if isinstance(answer, Reference):
            # a placeholder is read in this template again
            return answer.placeholder if answer.resource.template is machine.template else found[0]
        return known_text(as_text(answer)) or found[0]

    return _PLACEHOLDER.sub(known, text)


def _walk(machine: Resource, definition: Any, within: tuple[State, ...], depth: int) -> Iterator[State]:
    inner = definition.get("States") if isinstance(definition, dict) else None
    for name, body in inner.items() if isinstance(inner, dict) and depth < _DEEPEST else ():
        if not isinstance(body, dict):
            continue
        state = State(str(name), body, within, _function(machine, body))
        yield state
        branches = body.get("Branches")
        parts = [body.get("Iterator"), body.get("ItemProcessor"), *(branches if isinstance(branches, list) else [])]
        for part in parts:
            yield from _walk(machine, part, (*within, state), depth + 1)


def _function(machine: Resource, body: dict[str, Any]) -> Resource | None:
    """Give the function that a task calls and waits for: its resource, or the parameter of Lambda's integration."""
    if body.get("Type") != "Task":
        return None
    service = known_text(machine.template.resolve(body.get("Resource")))
    if _SDK in service and not service.rpartition(":")[2].startswith("invoke"):
        return None
    named = [body.get("Resource")]
    for parameters in (body.get("Parameters"), body.get("Arguments")):
        if isinstance(parameters, dict):
            if parameters.get("InvocationType") == "Event":
                return None  # Lambda queues it, and tries again by itself
            named.append(parameters.get("FunctionName"))
    for value in named:
        if (resource := _resource(machine, value)) is not None:
            return resource
    return None


def _resource(machine: Resource, value: Any) -> Resource | None:
    template = machine.template
    answer = template.resolve(value)
    if isinstance(answer, str):
        if placeholder := _PLACEHOLDER.fullmatch(answer):
            answer = machine.get("DefinitionSubstitutions", placeholder[1])
        elif "${" in answer:
            answer = _substituted(machine, answer)
        elif answer.startswith("{") and answer.endswith("}"):  # what Fn::Sub or Fn::Join left of a reference
            resource = template.resources.get(answer[1:-1].split(".")[0])
            answer = Reference(resource, None) if resource is not None else ABSENT
    return function_of(template.assembly.names.resource(template, answer, "AWS::Lambda::Function"))
