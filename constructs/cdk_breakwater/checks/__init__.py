"""Checks of the limits between functions and what they depend on, over CloudFormation templates.

`DownstreamChecks` (module ``downstream_checks``) runs them at synth, and the command ``breakwater check`` on any
template. The rest of this package knows nothing of the CDK: `read` takes any templates, `check` gives what is wrong in
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .assembly import Assembly, read, without_loops
from .rule import Finding, Rule, Severity
from .rules import RULES
from .run import Report
from .run import check as _check

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RULES", "Assembly", "Finding", "Report", "Rule", "Severity", "check", "read", "without_loops"]


def check(assembly: Assembly, rules: Iterable[Rule] = RULES) -> Report:
    """Apply rules, all of them by default."""
    return _check(assembly, rules)
