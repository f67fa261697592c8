"""Measure all strategies on the same traces, and write the table into docs/quota.md."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from .strategies import strategies
from .world import Scenario, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "quota.md"
BEGIN, END = "<!-- begin: python -m benchmarks.quota -->", "<!-- end: python -m benchmarks.quota -->"
DAY = 86_400_000
SCENARIOS = (
    Scenario("20 per second and 150 per 10 s, 3,000 waiting", 3_000, ((20, 1_000), (150, 10_000))),
    Scenario(
        "the same, the dispatcher dies after 61 s and 125 s", 3_000, ((20, 1_000), (150, 10_000)), (61_000, 125_000)
    ),
    Scenario("10 per second and 5,000 per day, 14,000 waiting", 14_000, ((10, 1_000), (5_000, DAY))),
)
HEADER = (
    "",
    "quota used",
    "answered with 429",
    "lost",
    "dead-lettered untried",
    "DynamoDB writes per 1,000 calls",
    "seconds awake per 1,000 calls",
)


def measure(scenario: Scenario) -> list[tuple[str, ...]]:
    """Run one scenario with every strategy."""
    rows: list[tuple[str, ...]] = []
    for make in strategies():
        if make.managed and scenario.crashes:
            continue
        strategy = make(scenario.tiers)
        result = World(scenario, strategy).run()
        complete = result.accepted - result.repeated >= scenario.messages
        used = f"{min(1.0, scenario.shortest() / result.last):.1%}" if complete else "never done"
        thousands = result.accepted / 1000
        awake = "" if strategy.managed else f"{result.busy_seconds / thousands:.0f}"
        writes = f"{strategy.writes / thousands:.0f}"
        rows.append(
            (strategy.name, used, f"{result.refused:,}", f"{result.lost:,}", f"{result.untried:,}", writes, awake)
        )
    return rows


def main() -> None:
    """Measure and write; about a minute."""
    console = Console()
    texts = []
    for scenario in SCENARIOS:
        rows = measure(scenario)
        table = Table(*HEADER, title=scenario.name)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        lines = [HEADER, ("---",) * len(HEADER), *rows]
        name = scenario.name[0].upper() + scenario.name[1:]
        texts.append(f"{name}.\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    if DOCUMENT.exists():
        before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        DOCUMENT.write_text(f"{before}{BEGIN}\n" + "\n\n".join(texts) + f"\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
