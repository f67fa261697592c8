"""A validation of the CDK's from a function that returns errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsii
from constructs import IValidation

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import IConstruct


def validate_at_synth(where: IConstruct, errors: Callable[[], list[str] | None]) -> None:
    """Fail the synth with what a function returns when everybody has had the last word.

    Parameters
    ----------
    where
        What the errors are of.
    errors
        Returns them; an empty list where all is right, or None where it only warns.
    """
    where.node.add_validation(_Validation(errors))


@jsii.implements(IValidation)
class _Validation:
    def __init__(self, errors: Callable[[], list[str] | None]) -> None:
        self._errors = errors

    def validate(self) -> list[str]:
        return self._errors() or []
