"""A Griffe extension: parameters that share a line of a docstring become one each, with a type of their own.

Griffe gives all of ``scope, id`` the type of the first of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from griffe import Extension

if TYPE_CHECKING:
    from griffe import Object

_GROUP = re.compile(
    r"^(?P<names>\w+(?:, \*{0,2}\w+)+)(?P<type> : [^\n]+)?\n(?P<told>(?:[ ]{4}[^\n]*(?:\n|$))+)", re.MULTILINE
)


class GroupedParameters(Extension):
    """Looks at each docstring before it is parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Take the groups of one docstring apart."""
        if obj.docstring:
            obj.docstring.value = apart(obj.docstring.value)


def apart(docstring: str) -> str:
    """Repeat what is told of several parameters for each of them."""
    return _GROUP.sub(
        lambda group: "".join(
            f"{name}{group['type'] or ''}\n{group['told'].rstrip()}\n" for name in group["names"].split(", ")
        ),
        docstring,
    )
