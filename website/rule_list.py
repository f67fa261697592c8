"""The list of rules in docs/checks.md: ``python -m website.rule_list`` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cdk_breakwater.checks.rules import RULES

if TYPE_CHECKING:
    from cdk_breakwater.checks.rule import Rule

PAGE = Path(__file__).parents[1] / "docs" / "checks.md"
_HEADING = "## Rules\n"


def with_rules(page: str) -> str:
    """Put the rules at the end of the page, each below a heading that can be linked to."""
    return page.partition(_HEADING)[0] + _HEADING + "".join(map(section, RULES))


def section(rule: Rule) -> str:
    """Write what a rule requires, why, what to change, and AWS's page on it."""
    weight = f"{rule.severity.text}{', on trial' if rule.trial else ''}"
    return (
        f"\n### {rule.id}\n\n"
        f"*{weight.capitalize()}* · [AWS documentation]({rule.link})\n\n"
        f"- **Requires:** {rule.requires}\n- **Why:** {rule.reason}\n- **Fix:** {rule.fix}\n"
    )


if __name__ == "__main__":
    PAGE.write_text(with_rules(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
