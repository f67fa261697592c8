"""Whether two constructs are of one app."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructs import IConstruct


def same_app(one: IConstruct, other: IConstruct) -> bool:
    """Compare the roots of two constructs' trees.

    A stack without an app, as tests make it, makes one by itself. jsii hands out another object for that app each time,
    so that two constructs of the stack are told by the stack.
    """
    first, second = one.node.scopes, other.node.scopes
    return first[0] is second[0] or (len(first) > 1 and len(second) > 1 and first[1] is second[1])
