"""Apps as far as reservations go: stacks, functions, shares of databases. Cheap enough to make a thousand of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from cdk_breakwater.limits.apportionment import Claim, OversubscribedError, apportion_together

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "aws://123456789012/eu-central-1"


@dataclass(frozen=True)
class Function:
    """A function with a share.

    `databases` says how many connections of each an environment opens.
    """

    name: str
    stack: str
    databases: dict[str, int]
    weight: int = 1
    fixed: int | None = None
    minimum: int = 1

    def __hash__(self) -> int:
        return hash((self.name, self.stack))


@dataclass(frozen=True)
class App:
    """What is synthesized: budgets by database, functions, and which stack needs which."""

    budgets: dict[str, int]
    functions: tuple[Function, ...]
    needs: dict[str, frozenset[str]] = field(default_factory=dict)
    extra_stacks: tuple[str, ...] = ()

    @cached_property
    def shares(self) -> dict[Function, int]:
        """What each function reserves, as the library divides it."""
        claims: list[tuple[str, list[tuple[Function, Claim]]]] = []
        for database in sorted(self.budgets):
            using = [
                function for function in sorted(self.functions, key=lambda f: f.name) if database in function.databases
            ]
            claims.append(
                (
                    database,
                    [
                        (
                            f,
                            Claim(
                                Fraction(f.weight),
                                f.fixed,
                                f.minimum,
                                f.databases[database],
                                f.name if len(f.databases) > 1 else None,
                            ),
                        )
                        for f in using
                    ],
                )
            )
        granted = apportion_together([(self.budgets[d], [claim for _, claim in part]) for d, part in claims])
        found: dict[Function, int] = {}
        for (_, part), numbers in zip(claims, granted, strict=True):
            for (function, _), number in zip(part, numbers, strict=True):
                found[function] = min(number, found.get(function, number))
        return found

    @property
    def is_valid(self) -> bool:
        try:
            return all(number >= 1 for number in self.shares.values())
        except OversubscribedError:
            return False

    @property
    def stacks(self) -> list[str]:
        return list(dict.fromkeys([*(f.stack for f in self.functions), *self.extra_stacks]))

    def of(self, stack: str) -> dict[str, Function]:
        """Give the functions of a stack, by logical id."""
        return {function.name: function for function in self.functions if function.stack == stack}

    def write(self, folder: Path) -> Path:
        """Write the cloud assembly that `cdk synth` would, as far as `breakwater plan` reads it."""
        folder.mkdir(parents=True, exist_ok=True)
        artifacts: dict[str, Any] = {}
        for stack in self.stacks:
            resources = {
                name: {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": self.shares[f]}}
                for name, f in self.of(stack).items()
            }
            (folder / f"{stack}.template.json").write_text(json.dumps({"Resources": resources}), encoding="utf-8")
            artifacts[stack] = {
                "type": "aws:cloudformation:stack",
                "environment": ENVIRONMENT,
                "properties": {"templateFile": f"{stack}.template.json"},
                "dependencies": sorted(self.needs.get(stack, ())),
                "metadata": {
                    f"/{stack}/{name}/Resource": [{"type": "aws:cdk:logicalId", "data": name}] for name in resources
                },
            }
        budgets = {
            f"/{database}": [{"type": "cdk-breakwater:budget", "data": self._budget(database)}]
            for database in self.budgets
        }
        artifacts["budgets"] = {"type": "cdk:tree", "metadata": budgets}
        (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}), encoding="utf-8")
        return folder

    def _budget(self, database: str) -> dict[str, Any]:
        shares = [
            {
                "name": f"{f.stack}/{f.name}",
                "function": f"{f.stack}/{f.name}",
                "concurrency": self.shares[f],
                "connections": self.shares[f] * f.databases[database],
                "reason": "",
            }
            for f in self.functions
            if database in f.databases
        ]
        return {
            "path": database,
            "maxConnections": self.budgets[database] * 5 // 4,
            "basis": "given",
            "reserved": 0,
            "external": 0,
            "utilization": 0.8,
            "shared": self.budgets[database],
            "shares": shares,
        }


NAMES = [f"F{number}" for number in range(8)]
STACKS = ["S0", "S1", "S2"]
DATABASES = ["shop", "stock"]


@st.composite
def functions(draw: st.DrawFn, name: str, databases: list[str]) -> Function:
    used = draw(st.lists(st.sampled_from(databases), min_size=1, max_size=2, unique=True))
    fixed = draw(st.none() | st.integers(1, 9)) if draw(st.booleans()) else None
    return Function(
        name,
        draw(st.sampled_from(STACKS)),
        {database: draw(st.sampled_from([1, 1, 1, 2])) for database in used},
        draw(st.integers(1, 9)),
        fixed,
        1 if fixed is not None else draw(st.sampled_from([1, 1, 1, 2])),
    )


@st.composite
def apps(draw: st.DrawFn) -> App:
    budgets = {database: draw(st.integers(8, 90)) for database in DATABASES[: draw(st.integers(1, 2))]}
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    needs = {"S1": frozenset({"S0"})} if draw(st.booleans()) else {}
    return App(budgets, tuple(draw(functions(name, list(budgets))) for name in names), needs)


CHANGES = ["add", "remove", "rename", "weight", "move", "budget", "fix", "nothing"]


@st.composite
def changed(draw: st.DrawFn, app: App) -> App:
    """Change an app in one to three of the ways in which apps change."""
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
        here = list(app.functions)
        free = [name for name in [*NAMES, "G0", "G1"] if name not in {f.name for f in here}]
        index = draw(st.integers(0, len(here) - 1))
        if change == "add" and free:
            here.append(draw(functions(free[0], list(app.budgets))))
        elif change == "remove" and len(here) > 1:
            del here[index]
        elif change == "rename" and free:
            here[index] = replace(here[index], name=free[0])
        elif change == "weight":
            here[index] = replace(here[index], weight=draw(st.integers(1, 9)))
        elif change == "move":
            here[index] = replace(here[index], stack=draw(st.sampled_from(STACKS)))
        elif change == "fix":
            here[index] = replace(here[index], fixed=draw(st.integers(1, 9)), minimum=1)
        elif change == "budget":
            database = draw(st.sampled_from(sorted(app.budgets)))
            app = replace(app, budgets={**app.budgets, database: draw(st.integers(8, 90))})
        app = replace(app, functions=tuple(here))
    return app
