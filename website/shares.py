"""The arithmetic of shares as bars: `python -m website.shares` writes docs/shares.svg and docs/shares_proxy.svg.

The numbers are those of the README's first app, and of the example of docs/budgets.md. The library's own arithmetic
divides them.
"""

from __future__ import annotations

import math
from fractions import Fraction

from cdk_breakwater.limits.apportionment import Claim, apportion
from cdk_breakwater.limits.engines import DatabaseEngine

from .bars import DARK, GOOD, HELD_BACK, LEFT_OVER, LIGHT, PALE, Bar, Part, picture
from .pages import ROOT

RESERVED = DatabaseEngine.POSTGRESQL.reserved_connections
UTILIZATION, PROXY_PERCENT = 0.8, 70
_KEPT, _SPARE = "reserved for administrators", "not shared"


def pictures() -> dict[str, str]:
    """Draw both, by file name."""
    return {"shares.svg": readme(), "shares_proxy.svg": behind_a_proxy()}


def readme(max_connections: int = 80) -> str:
    """Draw what the functions of the README's first app get."""
    usable = max_connections - RESERVED
    shared = math.floor(usable * UTILIZATION)
    weights = [Claim(minimum=2), Claim(weight=Fraction(2)), Claim(fixed=5)]
    orders, reports, nightly = apportion(shared, weights)
    parts = [
        Part(_KEPT, RESERVED, HELD_BACK),
        Part("Orders, weight 1", orders, GOOD),
        Part("Reports, weight 2", reports, LIGHT),
        Part("Nightly, concurrency=5", nightly, DARK),
        Part(_SPARE, usable - orders - reports - nightly, LEFT_OVER),
    ]
    title = f"{max_connections} connections, and who may hold them"
    return picture(title, _told(title, parts), [Bar(f"max_connections = {max_connections}", parts)])


def behind_a_proxy(max_connections: int = 112) -> str:
    """Draw what two functions get of an RDS Proxy's pool, and a third beside it of the database."""
    pool = max_connections * PROXY_PERCENT // 100
    beside = max_connections - RESERVED - pool
    orders, reports = apportion(math.floor(pool * UTILIZATION), [Claim(), Claim()])
    (nightly,) = apportion(math.floor(beside * UTILIZATION), [Claim()])
    database = [
        Part(_KEPT, RESERVED, HELD_BACK),
        Part("the proxy's pool", pool, PALE),
        Part("Nightly", nightly, DARK),
        Part(_SPARE, beside - nightly, LEFT_OVER),
    ]
    proxy = [
        Part("Orders", orders, GOOD),
        Part("Reports", reports, LIGHT),
        Part(_SPARE, pool - orders - reports, LEFT_OVER),
    ]
    title = "A database, and the RDS Proxy in front of it"
    bars = [
        Bar(f"The database, max_connections = {max_connections}", database),
        Bar(f"The proxy, MaxConnectionsPercent = {PROXY_PERCENT}", proxy),
    ]
    return picture(title, f"{_told(title, database)} {_told('The pool', proxy)}", bars)


def _told(title: str, parts: list[Part]) -> str:
    return f"{title}: {', '.join(f'{part.name} {part.size}' for part in parts)}."


if __name__ == "__main__":
    for name, svg in pictures().items():
        (ROOT / "docs" / name).write_text(svg, encoding="utf-8")
