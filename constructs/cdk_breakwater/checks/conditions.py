"""The conditions of a template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .answers import Unknown
from .resource import as_text

if TYPE_CHECKING:
    from .template import Template

_DEEPEST = 60


def switches(conditions: Any) -> dict[str, list[str]]:
    """Give each parameter that conditions look at, with the literals that they compare it with."""
    found: dict[str, list[str]] = {}
    _collect(conditions, found, _DEEPEST)
    return found


def _collect(value: Any, found: dict[str, list[str]], depth: int) -> None:
    if depth == 0 or not isinstance(value, (dict, list)):
        return
    if isinstance(value, dict):
        sides = value.get("Fn::Equals")
        if isinstance(sides, list) and len(sides) == 2:
            for one, other in (sides, reversed(sides)):
                if isinstance(one, dict) and isinstance(name := one.get("Ref"), str):
                    literals = found.setdefault(name, [])
                    text = str(other).lower() if isinstance(other, bool) else str(other)
                    if isinstance(other, str | int | float) and text not in literals:
                        literals.append(text)
        value = list(value.values())
    for inner in value:
        _collect(inner, found, depth - 1)


def holds(template: Template, expression: Any, depth: int = 0) -> bool:
    """Tell whether an expression is true in the world that is looked at."""
    if isinstance(expression, dict) and len(expression) == 1 and depth < _DEEPEST:
        ((function, argument),) = expression.items()
        if function == "Condition" and isinstance(argument, str):
            return template.condition(argument)
        if isinstance(argument, list):
            if function == "Fn::And":
                return all(holds(template, part, depth + 1) for part in argument)
            if function == "Fn::Or":
                return any(holds(template, part, depth + 1) for part in argument)
            if function == "Fn::Not" and len(argument) == 1:
                return not holds(template, argument[0], depth + 1)
            if function == "Fn::Equals" and len(argument) == 2:
                return _equal(template, argument)
    return _open(template, expression)


def _equal(template: Template, sides: list[Any]) -> bool:
    one, other = (as_text(template.resolve(side)) for side in sides)
    if isinstance(one, str) and isinstance(other, str):
        return str(one) == str(other)
    if isinstance(one, Unknown) and isinstance(other, Unknown) and one.text and one.text == other.text:
        return True
    # A parameter that conditions look at has a value of its own for each literal that they compare it with: what is
    # left is none of them.
    for side, answer, literal in ((sides[0], one, other), (sides[1], other, one)):
        name = side.get("Ref") if isinstance(side, dict) else None
        if isinstance(answer, Unknown) and isinstance(literal, str) and answer.text == f"{{{name}}}":
            return False
    return _open(template, {"Fn::Equals": sides})


def _open(template: Template, expression: Any) -> bool:
    text = json.dumps(expression, default=str, sort_keys=True)
    return bool(template.assembly.choices.take((template, "expression", text), (True, False)))
