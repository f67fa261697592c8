"""CloudFormation's intrinsic functions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .answers import ABSENT, UNKNOWN, Answer, Block, DefaultText, Items, Reference, Unknown, known_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .template import Template

_SUB_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_SUB_LITERAL = re.compile(r"\$\{!([^}]*)\}")


def variables(text: str) -> list[str]:
    """Give the names in the text of ``Fn::Sub``."""
    return _SUB_VARIABLE.findall(text)


def references(template: Template, value: Any, depth: int) -> Iterator[Reference]:
    """Find every reference in a value, however deep."""
    if isinstance(value, str) and "{{resolve:" in value:
        yield from _mentioned(template.resolve(value))
    if depth == 0 or not isinstance(value, (dict, list)):
        return
    if isinstance(value, dict):
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function in ("Ref", "Fn::GetAtt", "Fn::ImportValue", "Fn::Sub", "Fn::FindInMap", "Fn::Split"):
                yield from _mentioned(template.resolve(value))
                # What an attribute, a mapping's key or a variable is made of is not what the value is.
                return
            if function == "Fn::If":
                chosen = _chosen(template, argument)
                yield from references(template, chosen, depth - 1)
                return
        value = list(value.values())
    for part in value:
        yield from references(template, part, depth - 1)


def _mentioned(answer: Answer) -> Iterable[Reference]:
    if isinstance(answer, Reference):
        return [answer]
    if isinstance(answer, Unknown):
        return answer.references
    if isinstance(answer, Items):
        return [reference for item in answer for reference in _mentioned(item)]
    return []


def _ref(template: Template, argument: Any) -> Answer:
    # AWS::LanguageExtensions lets functions stand for the name.
    name = argument if isinstance(argument, str) else template.resolve(argument)
    return template.ref(name) if isinstance(name, str) else UNKNOWN


def _get_att(template: Template, argument: Any) -> Answer:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) != 2:
        return UNKNOWN
    name, attribute = template.resolve(parts[0]), template.resolve(parts[1])
    if not isinstance(name, str):
        return UNKNOWN
    if isinstance(attribute, str):
        return template.attribute(name, attribute)
    resource = template.resources.get(name)
    return Unknown(references=frozenset({Reference(resource, None)})) if resource else UNKNOWN


def _import_value(template: Template, argument: Any) -> Answer:
    text = known_text(template.resolve(argument))
    found = template.assembly.exported(template, text) if text else UNKNOWN
    return Unknown(f"{{import {text}}}") if found is UNKNOWN else found


def _find_in_map(template: Template, argument: Any) -> Answer:
    if not isinstance(argument, list) or len(argument) not in (3, 4):
        return UNKNOWN
    answers = [template.resolve(key) for key in argument[:3]]
    keys = [str(key) if isinstance(key, int | float) else key if isinstance(key, str) else UNKNOWN for key in answers]
    found = template.mapping(*keys)
    if found is UNKNOWN and len(argument) == 4 and not any(isinstance(key, Unknown) for key in keys):
        return template.resolve(argument[3].get("DefaultValue")) if isinstance(argument[3], dict) else UNKNOWN
    return found


def _chosen(template: Template, argument: Any) -> Any:
    if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
        return {"Fn::Unknown": ""}
    return argument[1] if template.condition(argument[0]) else argument[2]


def _if(template: Template, argument: Any) -> Answer:
    return template.resolve(_chosen(template, argument))


def _sub(template: Template, argument: Any) -> Answer:
    given: dict[str, Any] = {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
        argument, given = argument
    if not isinstance(argument, str):
        return UNKNOWN
    pieces = _SUB_VARIABLE.split(argument)
    names = pieces[1::2]
    values = [template.resolve(given[name]) if name in given else template.variable(name) for name in names]
    if len(values) == 1 and pieces[0] == pieces[2] == "":
        return values[0]
    parts: list[tuple[str, Answer]] = []
    for number, piece in enumerate(pieces):
        literal = _SUB_LITERAL.sub(r"${\1}", piece)
        parts.append((names[number // 2], values[number // 2]) if number % 2 else ("", literal))
    return _joined(template, parts)


def _join(template: Template, argument: Any) -> Answer:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
        return UNKNOWN
    items = template.resolve(argument[1])
    if not isinstance(items, Items):
        return UNKNOWN
    parts: list[tuple[str, Answer]] = []
    for item in items:
        parts += [("", argument[0])] if parts else []
        parts.append(("", item))
    return _joined(template, parts)


def _joined(template: Template, parts: list[tuple[str, Answer]]) -> Answer:
    """Put texts together, with names in braces for what isn't known."""
    text, found, parameter, known = "", set(), None, True
    for name, part in parts:
        if isinstance(part, bool):
            text += str(part).lower()
        elif isinstance(part, str | int | float):
            text += str(part)
            parameter = part.parameter if isinstance(part, DefaultText) else parameter
        elif isinstance(part, Reference):
            text += part.placeholder
            found.add(part)
            known = False
        elif isinstance(part, Unknown):
            text += part.text or f"{{{name or '?'}}}"
            found |= part.references
            known = False
        elif part is not ABSENT:
            text += f"{{{name or '?'}}}"
            found |= set(template.references(part.body)) if isinstance(part, Block | Items) else set()
            known = False
    if known and "{{resolve:" not in text:
        return text if parameter is None else DefaultText(text, parameter)
    return template.dynamic(text, frozenset(found))


def _select(template: Template, argument: Any) -> Answer:
    if not isinstance(argument, list) or len(argument) != 2:
        return UNKNOWN
    index, items = template.resolve(argument[0]), template.resolve(argument[1])
    if not isinstance(items, Items) or not isinstance(index, str | int) or not str(index).isdecimal():
        return Unknown(references=frozenset(references(template, argument[1], 20)))
    found = list(items)
    return found[int(index)] if int(index) < len(found) else UNKNOWN


def _split(template: Template, argument: Any) -> Answer:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str) or not argument[0]:
        return UNKNOWN
    text = template.resolve(argument[1])
    if isinstance(text, str):
        parameter = text.parameter if isinstance(text, DefaultText) else None
        return Items(
            template, [part if parameter is None else DefaultText(part, parameter) for part in text.split(argument[0])]
        )
    if argument[0] == ".":
        return UNKNOWN  # a label of a host is no address, and says nothing of where the host is
    # A list of what is in the text, so that whoever looks for a resource in it finds it.
    return Unknown(references=frozenset(_mentioned(text)))


def _to_json_string(template: Template, argument: Any) -> Answer:
    found = frozenset(template.references(argument))
    return Unknown(json.dumps(argument, default=str), found) if found else Unknown(json.dumps(argument, default=str))


def _within(template: Template, argument: Any) -> Answer:
    return Unknown(references=frozenset(template.references(argument)))


FUNCTIONS: dict[Any, Callable[[Template, Any], Answer]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::ImportValue": _import_value,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::ToJsonString": _to_json_string,
    "Fn::Base64": _within,
    "Fn::Transform": _within,
    "Fn::Cidr": _within,
}
