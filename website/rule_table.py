"""The table of rules in docs/checks.md: ``python -m website.rule_table`` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cdk_breakwater.checks.rules import RULES

if TYPE_CHECKING:
    from cdk_breakwater.checks.rule import Rule

PAGE = Path(__file__).parents[1] / "docs" / "checks.md"
_HEADING = "## Rules\n"


def with_rules(page: str) -> str:
    """Put the table at the end of the page: what each rule requires, why, what to change, and AWS's page on it."""
    rows = [
        f"| [`{rule.id}`]({rule.link}) | {_weight(rule)} | {rule.requires} | {rule.reason} | {rule.fix} |"
        for rule in RULES
    ]
    head = ["", "| rule | weight | requires | otherwise | fix |", "|---|---|---|---|---|"]
    return page.partition(_HEADING)[0] + _HEADING + "\n".join([*head, *rows, ""])


def _weight(rule: Rule) -> str:
    return f"{rule.severity.text}{', on trial' if rule.trial else ''}"


if __name__ == "__main__":
    PAGE.write_text(with_rules(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
