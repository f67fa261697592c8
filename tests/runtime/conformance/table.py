"""The table of promises and clients in docs/runtime.md: `python -m tests.runtime.conformance.table`."""

from __future__ import annotations

import contextlib
import io
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.runtime.conformance.clients import CLIENTS
from tests.runtime.conformance.others import NOT, OTHERS, WITH
from tests.runtime.conformance.promises import FACTS

DOCS = Path(__file__).parents[3] / "docs" / "runtime.md"
BEGIN, END = "<!-- begin: python -m tests.runtime.conformance.table -->", "<!-- end: the promises -->"


class _Collector:
    """A plugin of pytest that notes which promise has a test with which client."""

    def __init__(self) -> None:
        self.held: defaultdict[int, set[str]] = defaultdict(set)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        for item in items:
            for mark in item.iter_markers("promise"):
                self.held[mark.args[0]].add(item.callspec.params["client"])


def table() -> str:
    """Collect the tests, and return the table's lines."""
    collector = _Collector()
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", str(Path(__file__).parent)], plugins=[collector]
        )
    if code:
        raise RuntimeError(f"the tests cannot be collected: pytest ends with {code}")
    lines: list[str] = []
    for fact, promises in FACTS.items():
        held = [number for number in promises if collector.held[number]]
        if held:
            lines += ["", f"**{fact}**", "", f"| promise | {' | '.join(CLIENTS)} |", f"|---|{'---|' * len(CLIENTS)}"]
            lines += [
                f"| {number}. {promises[number]} | "
                + " | ".join("held" if client in collector.held[number] else "" for client in CLIENTS)
                + " |"
                for number in held
            ]
    return "\n".join([*lines, "", *_others()]).strip()


def _others() -> list[str]:
    """Return the table of the clients that the suite doesn't run, and the reasons below it."""
    reasons = sorted({reason for no in NOT.values() for reason in no.values()})
    letters = {reason: chr(ord("a") + place) for place, reason in enumerate(reasons)}

    def cell(client: str, number: int) -> str:
        if number in WITH[client]:
            return "held"
        return letters.get(NOT[client].get(number, ""), "")

    numbers = [number for promises in FACTS.values() for number in promises]
    return [
        "**Other clients**, each with tests of its own; the numbers are those above, a letter says why a promise is",
        "none there, and of an empty cell nothing has been tried",
        "",
        f"| promise | {' | '.join(OTHERS)} |",
        f"|---|{'---|' * len(OTHERS)}",
        *(f"| {number} | {' | '.join(cell(client, number) for client in OTHERS)} |" for number in numbers),
        "",
        *(f"- {letters[reason]}: {reason}" for reason in reasons),
    ]


def written() -> str:
    """Return the table as it stands in the docs."""
    return DOCS.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Write the table into the docs, or print it."""
    if "--print" in sys.argv:
        print(table())
        return
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
