"""What a person reads of the checks: the worst first, one row per mistake, reason and remedy once per rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from ..checks import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from ..checks import Finding, Rule

_ROWS = 2
_NAMES = 3
_COLOURS = {Severity.DEPLOYMENT: "red", Severity.DATABASE: "red", Severity.MESSAGES: "yellow", Severity.NOTE: "blue"}


def severity_of(rule: Rule, finding: Finding) -> Severity:
    """Give what a finding does."""
    return finding.severity or rule.severity


def report_table(found: list[tuple[Rule, Finding]], place: Callable[[Finding], str], *, all_rows: bool) -> Group:
    """Lay it out for a terminal.

    Parameters
    ----------
    found
        The findings.
    place
        Gives the file and line of one.
    all_rows
        Whether to show every row and every resource, or the first few of each rule.
    """
    parts: list[RenderableType] = []
    by_rule: dict[tuple[Severity, str], list[tuple[Rule, Finding]]] = {}
    for rule, finding in found:
        by_rule.setdefault((severity_of(rule, finding), rule.id), []).append((rule, finding))
    for (severity, id_), group in sorted(by_rule.items(), key=lambda entry: (entry[0][0], -len(entry[1]))):
        rule = group[0][0]
        head = f"[{_COLOURS[severity]}]{severity.text}[/] · [bold]{id_}[/] · {len(group)}"
        parts.append(Text.from_markup(f"{head}{' · on trial' if rule.trial else ''}"))
        parts.append(Text(f"  {rule.reason} {rule.fix}"))
        rows = _rows([finding for _, finding in group])
        shown = rows if all_rows else rows[:_ROWS]
        parts += [_row(findings, place, all_rows=all_rows) for findings in shown]
        if len(rows) > len(shown):
            rest = sum(len(findings) for findings in rows[len(shown) :])
            parts.append(Text(f"  … and {rest} more; --all shows them", style="dim"))
    return Group(*parts)


def explanation(rule: Rule) -> Group:
    """Tell everything of one rule."""
    weight = f"{rule.severity.text}{', on trial: it warns only' if rule.trial else ''}"
    return Group(
        Text.from_markup(f"[bold]{escape(rule.id)}[/] ({weight})"),
        Text(rule.requires),
        Text(f"Otherwise: {rule.reason}"),
        Text(f"Remedy: {rule.fix}"),
        Text(f"Looks at: {', '.join(rule.of)}"),
        Text(rule.link),
    )


def _rows(findings: list[Finding]) -> list[list[Finding]]:
    """Put together what was found alike, most of it first."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.found, finding.needed), []).append(finding)
    return sorted(alike.values(), key=len, reverse=True)


def _row(findings: list[Finding], place: Callable[[Finding], str], *, all_rows: bool) -> Text:
    first = findings[0]
    numbers = f"{first.found} → {first.needed}: " if first.needed else ""
    if len(findings) == 1:
        return Text(f"  {numbers}{first.text} ({place(first)})")
    named = [f"{finding.resource.name} ({place(finding)})" for finding in findings]
    shown = named if all_rows else named[:_NAMES]
    more = f" and {len(named) - len(shown)} more" if len(named) > len(shown) else ""
    evidence = f", by {first.evidence}" if first.evidence else ""
    return Text(f"  {numbers}{', '.join(shown)}{more}{evidence}")
