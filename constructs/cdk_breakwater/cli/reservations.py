"""Who reserves how much, before a deployment or after it: read from a cloud assembly, or from a template."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .plan import Plan, metadata_of, read_plans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FUNCTION = "AWS::Lambda::Function"
RESERVED = "ReservedConcurrentExecutions"
_MAPPING, _USER = "AWS::Lambda::EventSourceMapping", "Custom::DatabaseUser"
_NESTED = "AWS::CloudFormation::Stack"
_STACK = "aws:cloudformation:stack"
# What tells the functions of one database from those of another, in the environment that the constructs write.
_DATABASE_VARIABLES = ("BREAKWATER_HOST", "BREAKWATER_PORT", "BREAKWATER_ENGINE")

Key = tuple[str, ...]
"""A resource as CloudFormation knows it: stack, logical ids down to it, and what makes it another one if changed."""


@dataclass(frozen=True)
class Holder:
    """Who may hold connections.

    Attributes
    ----------
    name
        Of the share, or of the function where it has none.
    stack
        Whose deployment changes it; None for a share that no function of the app has.
    concurrency
        Environments at once.
    connections
        To each database, by the budget's path, all environments together.
    receives
        MaximumConcurrency of the queues' mappings on it, all together; 0 where there is none, or a guard answers it.
    """

    name: str
    stack: str | None
    concurrency: int
    connections: Mapping[str, int]
    receives: int = 0


@dataclass(frozen=True)
class State:
    """Everything that is reserved at one time.

    Attributes
    ----------
    plans
        The budgets, by path.
    holders
        Who holds a share of one.
    stacks
        For each stack those that are deployed before it.
    reserved
        What all functions reserve, with a share or without, by environment.
    users
        The limits of database users that deployments make, each with the functions that come after it.
    """

    plans: Mapping[str, Plan]
    holders: Mapping[Key, Holder]
    stacks: Mapping[str, frozenset[str]]
    reserved: Mapping[str, Mapping[Key, int]]
    users: Mapping[Key, UserLimit] = field(default_factory=dict)


@dataclass(frozen=True)
class UserLimit:
    """The connections that a server lets a user have, and the functions that log in as it."""

    name: str
    limit: int
    functions: frozenset[Key]


@dataclass(frozen=True)
class Function:
    """A function in a template.

    Attributes
    ----------
    receives
        As for `Holder`.
    users
        The database users that it comes after, by logical id: name and limit.
    """

    key: Key
    stack: str
    environment: str
    properties: Mapping[str, Any]
    receives: int = 0
    users: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def reserved(self) -> int | None:
        """The number that the template reserves, None where there is none or CloudFormation finds it."""
        value = self.properties.get(RESERVED)
        return int(value) if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdigit()) else None

    @property
    def database(self) -> str | None:
        """What it connects to, as its environment says it."""
        variables = (self.properties.get("Environment") or {}).get("Variables") or {}
        if _DATABASE_VARIABLES[0] not in variables:
            return None
        return json.dumps([variables.get(name) for name in _DATABASE_VARIABLES], sort_keys=True)


@dataclass
class _Stack:
    name: str
    environment: str
    template: Path
    needs: frozenset[str]
    logical_ids: dict[str, str] = field(default_factory=dict)


def read_state(assembly: Path) -> State:
    """Read who reserves how much out of a cloud assembly.

    Raises
    ------
    FileNotFoundError
        When it is no cloud assembly.
    """
    plans = {plan.path: plan for plan in read_plans(assembly)}
    stacks = list(_stacks(assembly))
    functions = {function.key[: _own(function)]: function for stack in stacks for function in _functions_of(stack)}
    located = {path: (stack, id_) for stack in stacks for path, id_ in stack.logical_ids.items()}
    holders: dict[Key, Holder] = {}
    for plan in plans.values():
        for share in plan.holders:
            stack, ids = _locate(share.function, located) if share.function else (None, (share.name,))
            function = functions.get(ids) if stack else None
            key = function.key if function else ids
            known = holders.get(key)
            name = known.name if known else share.name
            # The template's number, which something may have changed since the share was computed.
            number = share.concurrency if function is None or function.reserved is None else function.reserved
            held = share.connections // max(1, share.concurrency) * number
            connections = {**(known.connections if known else {}), plan.path: held}
            holders[key] = Holder(name, stack, number, connections, function.receives if function else 0)
    reserved: dict[str, dict[Key, int]] = {}
    for function in functions.values():
        number = function.reserved
        if number is None and function.key in holders and RESERVED in function.properties:
            number = holders[function.key].concurrency
        if number is not None:
            reserved.setdefault(function.environment, {})[function.key] = number
    return State(plans, holders, {stack.name: stack.needs for stack in stacks}, reserved, _users(functions.values()))


def read_paths(assembly: Path) -> dict[str, dict[str, str]]:
    """Read the logical id of each resource by its path in the construct tree, by the name of its stack.

    Those of nested stacks are among their parent's.
    """
    return {
        stack.name: {path.lstrip("/"): id_ for path, id_ in stack.logical_ids.items()} for stack in _stacks(assembly)
    }


def state_of_templates(
    templates: Mapping[str, list[Function]], new: State, assembly: Path, actual: Mapping[Key, int] | None = None
) -> State:
    """Tell who reserves how much where only templates are known, and not the app that made them.

    A function that is in the new app, too, has the databases that it has there. Another one has those of the functions
    of the new app that are told the same database.

    Parameters
    ----------
    templates
        By stack, what is deployed; other stacks are as the new app has them.
    new, assembly
        The new app.
    actual
        What functions really reserve, where that was looked up.
    """
    by_database: dict[str, Holder] = {}
    for stack in _stacks(assembly):
        for function in _functions_of(stack):
            holder = new.holders.get(function.key)
            if holder and holder.concurrency and function.database:
                by_database.setdefault(f"{function.stack} {function.database}", holder)
    holders = {key: holder for key, holder in new.holders.items() if holder.stack not in templates}
    reserved = {
        environment: {key: number for key, number in numbers.items() if key[0] not in templates}
        for environment, numbers in new.reserved.items()
    }
    for stack, functions in templates.items():
        for function in functions:
            number = (actual or {}).get(function.key, function.reserved)
            like = new.holders.get(function.key) or by_database.get(f"{stack} {function.database}")
            if number is None:
                continue
            reserved.setdefault(function.environment, {})[function.key] = number
            if like is not None and like.concurrency:
                each = {budget: total // like.concurrency for budget, total in like.connections.items()}
                name = like.name if function.key in new.holders else f"{stack}/{function.key[-3]}"
                connections = {budget: number * connections for budget, connections in each.items()}
                holders[function.key] = Holder(name, stack, number, connections, function.receives)
    users = {key: user for key, user in new.users.items() if key[0] not in templates}
    users |= _users(function for functions in templates.values() for function in functions)
    return replace(new, holders=holders, reserved=reserved, users=users)


def functions_in(
    template: Mapping[str, Any], stack: str, environment: str, folder: Path | None = None, ids: Key = ()
) -> Iterator[Function]:
    """Give the functions of a template, and those of nested stacks whose templates lie in the folder."""
    limits, receives = _limits(template), _receives(template)
    for id_, resource in template.get("Resources", {}).items():
        properties = resource.get("Properties") or {}
        if resource.get("Type") == FUNCTION:
            # CloudFormation makes another function where one of these changes.
            identity = (json.dumps(properties.get("FunctionName")), str(properties.get("PackageType", "Zip")))
            after = resource.get("DependsOn") or ()
            after = [after] if isinstance(after, str) else after
            yield Function(
                (stack, *ids, id_, *identity),
                stack,
                environment,
                properties,
                receives.get(id_, 0),
                {user: limit for user, limit in limits.items() if user in after},
            )
        file = resource.get("Metadata", {}).get("aws:asset:path")
        if resource.get("Type") == _NESTED and folder is not None and file and (folder / file).is_file():
            nested = json.loads((folder / file).read_text(encoding="utf-8"))
            yield from functions_in(nested, stack, environment, folder, (*ids, id_))


def _functions_of(stack: _Stack) -> Iterator[Function]:
    template = json.loads(stack.template.read_text(encoding="utf-8"))
    return functions_in(template, stack.name, stack.environment, stack.template.parent)


def _users(functions: Iterable[Function]) -> dict[Key, UserLimit]:
    found: dict[Key, UserLimit] = {}
    for function in functions:
        for id_, (name, limit) in function.users.items():
            key = (function.stack, id_)
            known = found[key].functions if key in found else frozenset()
            found[key] = UserLimit(name, limit, known | {function.key})
    return found


def _limits(template: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Give the users that a template makes, each with its limit, by logical id."""
    users = {
        id_: resource.get("Properties", {})
        for id_, resource in template.get("Resources", {}).items()
        if resource.get("Type") == _USER
    }
    return {
        id_: (str(properties.get("User")), int(properties["ConnectionLimit"]))
        for id_, properties in users.items()
        if str(properties.get("ConnectionLimit")).isdigit()
    }


def _receives(template: Mapping[str, Any]) -> dict[str, int]:
    """Sum the MaximumConcurrency of the queues' mappings on each function, where the template tells it."""
    found: dict[str, int] = {}
    for resource in template.get("Resources", {}).values():
        properties = resource.get("Properties") or {}
        function = properties.get("FunctionName")
        if resource.get("Type") == _MAPPING and isinstance(function, dict) and isinstance(function.get("Ref"), str):
            maximum = (properties.get("ScalingConfig") or {}).get("MaximumConcurrency")
            number = int(maximum) if isinstance(maximum, (int, float)) else 0
            found[function["Ref"]] = found.get(function["Ref"], 0) + number
    return found


def _own(function: Function) -> int:
    return len(function.key) - 2


def _locate(path: str, located: Mapping[str, tuple[_Stack, str]]) -> tuple[str | None, Key]:
    found = located.get(f"/{path}/Resource") or located.get(f"/{path}")
    if found is None:  # the app leaves out the metadata
        return path.split("/", 1)[0], (path,)
    stack, id_ = found
    parts = path.split("/")
    nested = [
        located[resource][1]
        for length in range(2, len(parts))
        if (resource := f"/{'/'.join(parts[:length])}.NestedStack/{parts[length - 1]}.NestedStackResource") in located
    ]
    return stack.name, (stack.name, *nested, id_)


def _stacks(assembly: Path) -> Iterator[_Stack]:
    for manifest in sorted(assembly.rglob("manifest.json")):
        artifacts = json.loads(manifest.read_text(encoding="utf-8")).get("artifacts", {})
        names = {
            id_: artifact.get("properties", {}).get("stackName", id_)
            for id_, artifact in artifacts.items()
            if artifact.get("type") == _STACK
        }
        for id_, name in names.items():
            artifact = artifacts[id_]
            stack = _Stack(
                name,
                artifact.get("environment", ""),
                manifest.parent / artifact["properties"]["templateFile"],
                frozenset(names[need] for need in artifact.get("dependencies", ()) if need in names),
            )
            for path, entries in metadata_of(artifact, manifest.parent).items():
                for entry in entries:
                    if entry["type"] == "aws:cdk:logicalId":
                        stack.logical_ids[path] = entry["data"]
            yield stack
