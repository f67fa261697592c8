"""Checks of the limits between functions and what they depend on, over CloudFormation templates.

`DownstreamChecks` (module ``downstream_checks``) runs them at synth. The rest of this package knows nothing of the CDK:
`read` takes any templates, `check` gives what is wrong in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .assembly import Assembly, read
from .rule import Finding, Rule
from .rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RULES", "Assembly", "Finding", "Rule", "check", "read"]


def check(assembly: Assembly) -> Iterator[tuple[Rule, Finding]]:
    """Apply every rule."""
    for rule in RULES:
        for finding in rule.check(assembly):
            yield rule, finding
