"""Apps as far as reservations go: stacks, functions, shares of databases. Cheap enough to make a thousand of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cdk_breakwater.limits.apportionment import Claim, OversubscribedError, apportion, apportion_together

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

ENVIRONMENT = "aws://123456789012/eu-central-1"


@dataclass(frozen=True)
class Function:
    """A function with a share.

    `databases` says how many connections of each an environment opens, `queues` how many feed it.
    """

    name: str
    stack: str
    databases: dict[str, int]
    weight: int = 1
    fixed: int | None = None
    minimum: int = 1
    queues: int = 0

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

    def parts(self, function: Function) -> list[int]:
        """Divide a function's share among its mappings, as the library does."""
        return apportion(self.shares[function], [Claim(minimum=2)] * function.queues)

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


CHANGES = ["add", "remove", "rename", "weight", "move", "budget", "fix", "queues", "nothing"]


def random_function(chance: Random, name: str, databases: list[str]) -> Function:
    used = chance.sample(databases, chance.randint(1, len(databases)))
    fixed = chance.randint(1, 9) if chance.random() < 0.25 else None
    queues = 0 if fixed is not None else chance.choice([0, 0, 1, 2])
    return Function(
        name,
        chance.choice(STACKS),
        {database: chance.choice([1, 1, 1, 2]) for database in used},
        chance.randint(1, 9),
        fixed,
        2 * queues or 1,
        queues,
    )


def random_app(chance: Random) -> App:
    """Make an app of up to six functions in up to three stacks, with one or two databases."""
    while True:
        budgets = {database: chance.randint(8, 90) for database in DATABASES[: chance.randint(1, 2)]}
        names = chance.sample(NAMES, chance.randint(1, 6))
        needs = {"S1": frozenset({"S0"})} if chance.random() < 0.5 else {}
        app = App(budgets, tuple(random_function(chance, name, list(budgets)) for name in names), needs)
        if app.is_valid:
            return app


def random_change(chance: Random, app: App) -> App:
    """Change an app in one to three of the ways in which apps change."""
    while True:
        changed = app
        for change in chance.choices(CHANGES, k=chance.randint(1, 3)):
            changed = _changed(chance, changed, change)
        if changed.is_valid:
            return changed


def _changed(chance: Random, app: App, change: str) -> App:
    here = list(app.functions)
    name = f"N{chance.getrandbits(30):x}"  # never that of one that was removed, which may have opened more or less
    index = chance.randrange(len(here))
    if change == "add":
        here.append(random_function(chance, name, list(app.budgets)))
    elif change == "remove" and len(here) > 1:
        del here[index]
    elif change == "rename":
        here[index] = replace(here[index], name=name)
    elif change == "weight":
        here[index] = replace(here[index], weight=chance.randint(1, 9))
    elif change == "move":
        here[index] = replace(here[index], stack=chance.choice(STACKS))
    elif change == "fix":
        here[index] = replace(here[index], fixed=chance.randint(1, 9), minimum=1, queues=0)
    elif change == "queues" and here[index].fixed is None:
        queues = chance.randint(0, 2)
        here[index] = replace(here[index], minimum=2 * queues or 1, queues=queues)
    elif change == "budget":
        database = chance.choice(sorted(app.budgets))
        app = replace(app, budgets={**app.budgets, database: chance.randint(8, 90)})
    return replace(app, functions=tuple(here))
