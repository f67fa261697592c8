"""Which app a construct is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from constructs import IConstruct


def app_identity(construct: IConstruct) -> str:
    """Return what is the same for all constructs of an app, and for no other app's.

    An app whose last Python reference is gone, and one that a stack made for itself, come back from jsii as another
    object each time. What that object refers to stays.
    """
    root: Any = cast("Any", construct.node.root)
    return root.__jsii_ref__.ref
