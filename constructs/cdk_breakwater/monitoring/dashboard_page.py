"""Whose page of a dashboard a construct is shown on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from constructs import IConstruct

_SHOWN: WeakKeyDictionary[IConstruct, IConstruct] = WeakKeyDictionary()


def show_with(construct: IConstruct, other: IConstruct) -> None:
    """Show a construct on another one's page: an API on that of the function behind it."""
    _SHOWN[construct] = other


def shown_with(construct: IConstruct) -> IConstruct:
    """Return whose page a construct is shown on: the last one behind it, or itself."""
    while construct in _SHOWN:
        construct = _SHOWN[construct]
    return construct
