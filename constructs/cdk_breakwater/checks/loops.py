"""``Fn::ForEach``, as the transform ``AWS::LanguageExtensions`` expands it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOOP = "Fn::ForEach::"
# Far beyond the 500 resources of a template.
_MOST_ITEMS = 1000


def expand(body: Any, collection: Callable[[Any], list[str] | None]) -> Any:
    """Write out the loops of a section.

    Parameters
    ----------
    body
        The section, such as ``Resources``.
    collection
        Gives the items of a loop's collection, None where they are known at deployment only: then what the loop makes
        is left out.
    """
    return _expand(body, {}, collection, 0)


def _expand(value: Any, names: Mapping[str, str], collection: Callable[[Any], list[str] | None], depth: int) -> Any:
    if depth > 100:
        return value
    if isinstance(value, list):
        return [_expand(item, names, collection, depth + 1) for item in value]
    if isinstance(value, str):
        return _fill(value, names)
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in names:
        return names[value["Ref"]]
    found: dict[Any, Any] = {}
    for key, inner in value.items():
        if isinstance(key, str) and key.startswith(_LOOP):
            found |= _loop(inner, names, collection, depth + 1)
        else:
            found[_fill(key, names) if isinstance(key, str) else key] = _expand(inner, names, collection, depth + 1)
    return found


def _loop(
    loop: Any, names: Mapping[str, str], collection: Callable[[Any], list[str] | None], depth: int
) -> dict[Any, Any]:
    if not isinstance(loop, list) or len(loop) != 3 or not isinstance(loop[0], str) or not isinstance(loop[2], dict):
        return {}
    name, items = loop[0], collection(_expand(loop[1], names, collection, depth))
    found: dict[Any, Any] = {}
    for item in (items or [])[:_MOST_ITEMS]:
        found |= _expand(loop[2], {**names, name: item}, collection, depth)
    return found


def _fill(text: str, names: Mapping[str, str]) -> str:
    for name, item in names.items():
        # &{Name} is the item without what can't be in a logical id.
        text = text.replace(f"${{{name}}}", item).replace(f"&{{{name}}}", "".join(filter(str.isalnum, item)))
    return text
