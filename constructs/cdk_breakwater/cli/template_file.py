"""Files of templates: CloudFormation in JSON and YAML with its short forms, and SAM as AWS's translator expands it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# CloudFormation takes templates of up to 1 MB (User Guide, "Understand CloudFormation quotas"); this leaves room for
# what a transform makes of them.
_MOST_BYTES = 10 * 1024 * 1024
# An alias is a few bytes and may stand for as much as is wanted: what counts is what it would be written out.
_MOST_NODES = 2_000_000
_DEEPEST = 150
_MOST_DIGITS = 1_000


class UnreadableTemplateError(ValueError):
    """A file that can't be read as a template; the message says why, in a line."""


@dataclass(frozen=True)
class TemplateFile:
    """A template as it is in its file.

    Attributes
    ----------
    path
        The file.
    body
        The template, with the long forms of functions.
    find_lines
        Finds the lines: in JSON that takes as long as all the rest, and a file without findings needs none.
    repeated
        The logical ids that YAML has more than once, and the line of each further one.
    """

    path: Path
    body: dict[str, Any]
    find_lines: Callable[[], dict[tuple[str, ...], int]] = dict
    repeated: tuple[tuple[str, int], ...] = ()

    @cached_property
    def lines(self) -> dict[tuple[str, ...], int]:
        """The line of each logical id and of its properties: ``("Orders",)``, ``("Orders", "Timeout")``."""
        return self.find_lines()

    @property
    def is_template(self) -> bool:
        """Whether it looks like a template: a folder holds other files as well."""
        resources = self.body.get("Resources")
        return isinstance(resources, dict) and any(
            str(id_).startswith("Fn::ForEach::")
            or (isinstance(resource, dict) and isinstance(resource.get("Type"), str))
            for id_, resource in resources.items()
        )


def read_template(path: Path) -> TemplateFile:
    """Read a file.

    Raises
    ------
    UnreadableTemplateError
        It is too large, no text, no JSON or YAML, or no template.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableTemplateError(f"it has more than {_MOST_BYTES:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTemplateError("it is not UTF-8 text") from error
    except OSError as error:
        raise UnreadableTemplateError(error.strerror or str(error)) from error
    return parse_template(path, text)


def parse_template(path: Path, text: str) -> TemplateFile:
    """Parse the text of a template; see `read_template`."""
    if "\0" in text:
        raise UnreadableTemplateError("it is not text")
    try:
        if text.lstrip()[:1] == "{":
            return _template(path, json.loads(text), partial(_json_lines, text))
        return _yaml_template(path, text)
    except json.JSONDecodeError as error:
        # A flow mapping of YAML begins as JSON does.
        try:
            return _yaml_template(path, text)
        except UnreadableTemplateError:
            raise UnreadableTemplateError(f"line {error.lineno}: {error.msg}") from error
    except UnreadableTemplateError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise UnreadableTemplateError(f"it is not a template in JSON ({error})") from error
    except RecursionError as error:
        raise UnreadableTemplateError("it nests too deeply") from error


def _yaml_template(path: Path, text: str) -> TemplateFile:
    body, lines, repeated = _yaml(text)
    return replace(_template(path, body, lambda: lines), repeated=repeated)


def _template(path: Path, body: Any, find_lines: Callable[[], dict[tuple[str, ...], int]]) -> TemplateFile:
    if not isinstance(body, dict):
        raise UnreadableTemplateError("it is not a template: it has no sections")
    return TemplateFile(path, body, find_lines)


def _yaml(text: str) -> tuple[Any, dict[tuple[str, ...], int], tuple[tuple[str, int], ...]]:
    _see_to_depth(text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise UnreadableTemplateError("it is empty")
        _count(node, {}, set())
        return loader.construct_document(node), _yaml_lines(node), _repeated(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise UnreadableTemplateError(f"line {mark.line + 1}: {problem}" if mark else problem) from error
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:  # of PyYAML's constructors
        if isinstance(error, UnreadableTemplateError):
            raise
        raise UnreadableTemplateError(f"it is not a template in YAML ({error})") from error
    finally:
        loader.dispose()


def _see_to_depth(text: str) -> None:
    """Refuse what nests so deeply that libyaml's composer, which calls itself, ends Python for want of stack."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEEPEST:
                raise UnreadableTemplateError("it nests too deeply")
    except yaml.YAMLError:
        return  # what is wrong with it, the composer says as well


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Count the nodes that are there when each alias is written out."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise UnreadableTemplateError(f"line {node.start_mark.line + 1}: an alias refers to what it is part of")
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and len(node.value) > _MOST_DIGITS:
        raise UnreadableTemplateError(f"line {node.start_mark.line + 1}: a number of more than {_MOST_DIGITS:,} digits")
    above.add(id(node))
    total = 1
    if isinstance(node, yaml.MappingNode):
        total += sum(_count(part, known, above) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_count(part, known, above) for part in node.value)
    if total > _MOST_NODES:
        raise UnreadableTemplateError(f"its aliases stand for more than {_MOST_NODES:,} values")
    above.discard(id(node))
    known[id(node)] = total
    return total


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's tags; a date is text there."""


def _function(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Give the long form of a short one: ``!Sub x`` is ``Fn::Sub: x``."""
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def _yaml_lines(node: yaml.Node) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    for name, key, resource in _pairs(_value(node, "Resources")):
        lines[name,] = key.start_mark.line + 1
        for property_, inner, _ in _pairs(_value(resource, "Properties")):
            lines[name, property_] = inner.start_mark.line + 1
        for event, inner, _ in _pairs(_value(_value(resource, "Properties"), "Events")):
            lines[name, "Events", event] = inner.start_mark.line + 1
    return lines


def _repeated(node: yaml.Node) -> tuple[tuple[str, int], ...]:
    seen: set[str] = set()
    found: list[tuple[str, int]] = []
    for name, key, _ in _pairs(_value(node, "Resources")):
        if name in seen and name != "<<":
            found.append((name, key.start_mark.line + 1))
        seen.add(name)
    return tuple(found)


def _pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node, yaml.Node]]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [(str(key.value), key, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)]


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return next((value for key, _, value in _pairs(node) if key == name), None)


def _json_lines(text: str) -> dict[tuple[str, ...], int]:
    """Find the lines of logical ids: JSON is YAML, but for tabs, and composing it is quick enough."""
    text = text.replace("\t", " ")
    try:
        _see_to_depth(text)
    except UnreadableTemplateError:
        return {}
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return _yaml_lines(node) if node is not None else {}
    except (yaml.YAMLError, RecursionError):
        return {}
    finally:
        loader.dispose()
