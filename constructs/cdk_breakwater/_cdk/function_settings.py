"""What a function is set to, as the template will say, whoever had the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS
from .rendered import rendered_number

if TYPE_CHECKING:
    from constructs import IConstruct


def rendered_timeout(function: IConstruct) -> int | None:
    """Return a function's timeout; None where it is imported, or known at deployment only."""
    resource: Any = function.node.default_child
    return None if resource is None else rendered_number(resource, "Timeout", DEFAULT_TIMEOUT_SECONDS)
