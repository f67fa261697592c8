"""The tables of docs/costs.md, between the marks that name them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cdk_breakwater.limits.engines import DatabaseEngine
from cdk_breakwater.limits.max_connections import for_instance_class
from cdk_breakwater.limits.prices import classes
from cdk_breakwater.proxies.proxy_downstream import MOST_PERCENT

from .prices import AS_OF, HOURS, INSTANCES_SOURCE, PRICES, PROCESSORS, PROXY_LEAST_VCPUS
from .rows import ROWS
from .usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .apps import Measured
    from .rows import Row

PAGE = Path(__file__).parents[2] / "docs" / "costs.md"
LOADS = (100_000, 10_000_000, 500_000_000)
UTILIZATION = 0.8


def with_tables(page: str, measured: Mapping[str, Measured]) -> str:
    """Put each table where its marks stand."""
    for name, table in (("costs", _costs(measured)), ("proxies", _proxies()), ("prices", _prices())):
        before, start, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        if not end:
            raise ValueError(f"{PAGE} has no place for the table {name!r}.")
        page = before + start + table + "\n" + end + after
    return page


def _costs(measured: Mapping[str, Measured]) -> str:
    lines = [
        f"| construct | {' | '.join(f'{load:,}' for load in LOADS)} | `alarms()` | by the month | by the request |",
        f"|---|{'---:|' * len(LOADS)}---:|---|---|",
    ]
    for row in ROWS:
        fixed, alarms = measured[row.app] if row.app else (Usage(), Usage())
        cells = [_money((fixed + row.used(load)).dollars) for load in LOADS]
        cells += [_money(alarms.dollars) if alarms else "–", _monthly(fixed + row.monthly), _each(row)]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _monthly(usage: Usage) -> str:
    return ", ".join(f"{amount:,.0f} × {name}" for name, amount in sorted(usage.items())) or "–"


def _each(row: Row) -> str:
    parts = [
        f"{amount:g} × {name}" if amount >= 0.01 else f"1 × {name} in {1 / amount:,.0f}"
        for name, amount in row.each.items()
    ]
    return ", ".join([*parts, *([f"{row.traced:g} × trace, sampled"] if row.traced else [])]) or "–"


def _proxies() -> str:
    lines = [
        "| RDS for PostgreSQL | instance | proxy | proxy ÷ instance | to share without a proxy | all behind a proxy |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    monthly = classes(DatabaseEngine.POSTGRESQL)
    for name, processors in PROCESSORS.items():
        instance = monthly[name]
        proxy = PRICES["proxy vCPU hour"].each * max(processors, PROXY_LEAST_VCPUS) * HOURS
        engine = DatabaseEngine.POSTGRESQL
        most = for_instance_class(engine, name).value
        direct = int((most - engine.reserved_connections) * UTILIZATION)
        behind = int(most * MOST_PERCENT // 100 * UTILIZATION)
        lines.append(
            f"| `{name}` | {_money(instance)} | {_money(proxy)} | {proxy / instance:.0%} | {direct:,} | {behind:,} |"
        )
    return "\n".join([*lines, "", f"Instances by [AWS's list]({INSTANCES_SOURCE}), on demand, one Availability Zone."])


def _prices() -> str:
    lines = [f"| name | price, us-east-1, {AS_OF} | AWS's list |", "|---|---|---|"]
    for name, price in PRICES.items():
        per = f"{price.per:,}" if price.per != 1 else "a"
        link = f"[{_page(price.source)}]({price.source})"
        lines.append(f"| {name} | ${price.dollars:.10g} for {per} {price.unit} | {link} |")
    return "\n".join(lines)


def _page(source: str) -> str:
    return re.sub(r"https://aws.amazon.com/(.*)/pricing/(on-demand/)?", r"\1", source)


def _money(amount: float) -> str:
    if amount < 0.005:
        return "$0"
    return f"${amount:,.2f}" if amount < 100 else f"${amount:,.0f}"
