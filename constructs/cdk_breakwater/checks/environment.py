"""What a function is told at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Block
from .host_names import addresses_in

if TYPE_CHECKING:
    from .answers import Answer
    from .resource import Resource


def environment(function: Resource) -> list[tuple[str, Answer]]:
    """Give the variables of a function."""
    variables = function.block("Environment", "Variables")
    if not isinstance(variables, Block):
        return []
    return [(str(name), variables.get(name)) for name in variables.names()]


def named_in(function: Resource, variable: str, answer: Answer) -> set[Resource]:
    """Give the resources that a variable tells of: by references, by the name of a record, or a secret by its name."""
    found = {reference.resource for reference in addresses_in(function, answer)}
    if isinstance(answer, str) and ("/" in answer or "secret" in variable.lower()):
        template = function.template
        secret = template.assembly.names.resource(template, answer, "AWS::SecretsManager::Secret")
        found |= {secret} if secret is not None else set()
    return found
