"""CloudFormation and Lambda as far as deployments go: what they promise about order, and nothing more.

Creations and updates come first, in any order that Ref, GetAtt and DependsOn allow, then the deletions, dependents
first. A failure anywhere sends it back: updates first, then deletions of what was new. Whether a rollback follows the
dependencies (A1), and whether an unchanged reservation is put again when something else of the function changes (A2),
is not documented: both are switches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
Template = Mapping[str, Any]
Choose = Callable[[Sequence[Any]], Any]


class OperationFailedError(Exception):
    """An operation of a deployment that failed, by design of the test or because a provider said so."""


@dataclass
class Function:
    """A function that Lambda has."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    logical_id: str = ""
    stack: str = ""
    timeout: int = 3
    provisioned: int = 0


@dataclass
class QueueMapping:
    """A queue's mapping that Lambda has."""

    id: str
    function: str
    maximum: int
    tags: dict[str, str] = field(default_factory=dict)
    polls: int = 0


@dataclass
class Record:
    """What CloudFormation knows of a resource."""

    physical_id: str
    type: str
    properties: dict[str, Any]
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Stack:
    """A stack as CloudFormation describes it."""

    name: str
    status: str = "REVIEW_IN_PROGRESS"
    updated: int = 0
    template: Template = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)

    @property
    def stack_id(self) -> str:
        return f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{self.name}/1"


@dataclass
class Account:
    """One account in one Region.

    Parameters
    ----------
    rollback_in_order
        A1.
    puts_again
        A2.
    rollback_asks_again
        Whether a rolled back function gets what the gate answers then, or the number that CloudFormation knew before.
    provider
        Answers for custom resources: properties of the answer, or an exception.
    watch
        Is called after each change of a reservation or of a mapping.
    put_older
        The functions for which a rollback put a number that CloudFormation knew before, and not the gate's answer.
    """

    rollback_in_order: bool = True
    puts_again: bool = False
    rollback_asks_again: bool = False
    provider: Callable[[dict[str, Any]], dict[str, str]] = lambda _: {}
    watch: Callable[[], None] = lambda: None
    functions: dict[str, Function] = field(default_factory=dict)
    mappings: dict[str, QueueMapping] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict)
    put_older: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def reserve(self, name: str, number: int) -> None:
        """PutFunctionConcurrency."""
        self.functions[name].reserved = number
        self.watch()

    def deploy(
        self, name: str, template: Template, choose: Choose, *, fails: Callable[[str], bool] = lambda _: False
    ) -> Iterator[str]:
        """Deploy a template, one operation for each step.

        Parameters
        ----------
        choose
            Picks the next of the operations that may be next.
        fails
            Whether an operation of the first phase fails, by its name.
        """
        stack = self.stacks.setdefault(name, Stack(name))
        if stack.status == "UPDATE_ROLLBACK_FAILED":
            return  # it cannot be updated
        creates = not stack.records
        stack.status = "CREATE_IN_PROGRESS" if creates else "UPDATE_IN_PROGRESS"
        stack.updated = next(self._numbers)
        before = {id_: Record(r.physical_id, r.type, r.properties, r.attributes) for id_, r in stack.records.items()}
        old = stack.template
        touched: list[str] = []
        replaced: dict[str, Record] = {}
        yield "start"
        try:
            for id_ in self._in_order(template, set(template), choose):
                if fails(f"before {id_}"):
                    raise OperationFailedError(f"before {id_}")
                if self._differs(stack, id_, template, touched):
                    touched.append(id_)
                    self._put(stack, id_, template, replaced)
                    if fails(id_):
                        raise OperationFailedError(id_)
                    yield id_
        except OperationFailedError:
            yield from self._roll_back(stack, before, touched, replaced, old, template, choose, creates=creates)
            return
        stack.template = template
        stack.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        gone = {id_: stack.records[id_] for id_ in before if id_ not in template}
        yield from self._clean_up(stack, gone, replaced, old, choose)
        stack.status = "CREATE_COMPLETE" if creates else "UPDATE_COMPLETE"
        yield "done"

    def delete(self, name: str, choose: Choose) -> Iterator[str]:
        """Delete a stack."""
        stack = self.stacks[name]
        stack.status = "DELETE_IN_PROGRESS"
        yield "start"
        yield from self._clean_up(stack, dict(stack.records), {}, stack.template, choose)
        del self.stacks[name]

    def _roll_back(
        self,
        stack: Stack,
        before: dict[str, Record],
        touched: list[str],
        replaced: dict[str, Record],
        old: Template,
        new: Template,
        choose: Choose,
        *,
        creates: bool,
    ) -> Iterator[str]:
        stack.status = "ROLLBACK_IN_PROGRESS" if creates else "UPDATE_ROLLBACK_IN_PROGRESS"
        yield "rollback"
        made = {id_: stack.records[id_] for id_ in touched if id_ not in before and id_ in stack.records}
        # What was replaced: the new one goes, the old one never went.
        for id_, record in replaced.items():
            made[f"{id_} (new)"] = stack.records[id_]
            stack.records[id_] = record
        back = {id_ for id_ in touched if id_ in before and id_ not in replaced}
        order = self._in_order(old, back, choose) if self.rollback_in_order else self._unordered(back, choose)
        try:
            for id_ in order:
                self._put_back(stack, id_, before[id_], old)
                yield f"back {id_}"
        except OperationFailedError:
            stack.status = "UPDATE_ROLLBACK_FAILED"
            return
        if not creates:
            stack.status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        yield from self._clean_up(stack, made, {}, new, choose)
        for id_ in [id_ for id_ in stack.records if id_ not in before]:
            del stack.records[id_]
        stack.status = "ROLLBACK_COMPLETE" if creates else "UPDATE_ROLLBACK_COMPLETE"
        if creates:
            del self.stacks[stack.name]
        yield "rolled back"

    def _put(self, stack: Stack, id_: str, template: Template, replaced: dict[str, Record]) -> None:
        body = template[id_]
        properties = self._resolve(stack, body.get("Properties", {}))
        record = stack.records.get(id_)
        if body["Type"] == FUNCTION:
            if record and record.properties.get("FunctionName") != properties.get("FunctionName"):
                replaced[id_] = record
                record = None
            self._put_function(stack, id_, record, properties)
            return
        if body["Type"] == MAPPING:
            if record and record.properties["FunctionName"] != properties["FunctionName"]:
                replaced[id_] = record
                record = None
            self._put_mapping(stack, id_, record, properties)
            return
        old = record.properties if record else None
        physical_id = record.physical_id if record else f"{stack.name}-{id_}-{next(self._numbers)}"
        attributes: dict[str, str] = {}
        if body["Type"].startswith("Custom::"):
            # What a failed resource was to have is what its rollback exchanges.
            stack.records[id_] = Record(physical_id, body["Type"], properties, record.attributes if record else {})
            attributes = self._ask("Update" if record else "Create", stack, id_, physical_id, properties, old)
        stack.records[id_] = Record(physical_id, body["Type"], properties, attributes)

    def _put_back(self, stack: Stack, id_: str, record: Record, old: Template) -> None:
        failed = stack.records.get(id_, record)
        if record.type == FUNCTION:
            properties = dict(record.properties)
            asked = self._resolve(stack, old[id_].get("Properties", {}))
            if self.rollback_asks_again and str(asked.get("ReservedConcurrentExecutions", 0)).isdigit():
                properties = asked
            elif properties.get("ReservedConcurrentExecutions") != asked.get("ReservedConcurrentExecutions"):
                self.put_older.add(failed.physical_id)
            self._put_function(stack, id_, failed, properties)
            return
        if record.type == MAPPING:
            asked = self._resolve(stack, old[id_]["Properties"])
            maximum = asked["ScalingConfig"]["MaximumConcurrency"]
            asks = self.rollback_asks_again and str(maximum).isdigit()
            self._put_mapping(stack, id_, failed, asked if asks else dict(record.properties))
            return
        attributes = record.attributes
        if record.type.startswith("Custom::"):
            attributes = self._ask("Update", stack, id_, record.physical_id, record.properties, failed.properties)
        stack.records[id_] = Record(record.physical_id, record.type, record.properties, attributes)

    def _put_function(self, stack: Stack, id_: str, record: Record | None, properties: dict[str, Any]) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        number = None if reserved is None else int(reserved)
        if record is None:
            name = properties.get("FunctionName") or f"{stack.name}-{id_}-{next(self._numbers)}"
            self.functions[name] = Function(name, logical_id=id_, stack=stack.name)
        else:
            name = record.physical_id
        if name not in self.functions:
            raise OperationFailedError(f"{name} was deleted by hand")
        function = self.functions[name]
        function.tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        stack.records[id_] = Record(name, FUNCTION, properties, {"Arn": f"arn:aws:lambda:::function:{name}"})
        known = record.properties.get("ReservedConcurrentExecutions") if record else None
        if number is not None and (record is None or self.puts_again or str(known) != str(reserved)):
            self.reserve(name, number)

    def _put_mapping(self, stack: Stack, id_: str, record: Record | None, properties: dict[str, Any]) -> None:
        """Make or change a mapping; CloudFormation sends all of its properties with each change."""
        uuid = record.physical_id if record else f"{stack.name}-{id_}-{next(self._numbers)}"
        maximum = int(properties["ScalingConfig"]["MaximumConcurrency"])
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        if record and uuid not in self.mappings:
            raise OperationFailedError(f"{uuid} was deleted by hand")
        self.mappings[uuid] = QueueMapping(uuid, properties["FunctionName"], maximum, tags)
        stack.records[id_] = Record(uuid, MAPPING, properties)
        self.watch()

    def _ask(
        self,
        request: str,
        stack: Stack,
        id_: str,
        physical_id: str,
        properties: dict[str, Any],
        old: dict[str, Any] | None,
    ) -> dict[str, str]:
        event: dict[str, Any] = {
            "RequestType": request,
            "StackId": stack.stack_id,
            "RequestId": str(next(self._numbers)),
            "LogicalResourceId": id_,
            "PhysicalResourceId": physical_id,
            "ResourceType": stack.records[id_].type,
            "ResourceProperties": properties,
        }
        if old is not None:
            event["OldResourceProperties"] = old
        return self.provider(json.loads(json.dumps(event)))

    def _clean_up(
        self, stack: Stack, gone: dict[str, Record], replaced: dict[str, Record], template: Template, choose: Choose
    ) -> Iterator[str]:
        left = {**{f"{id_} (old)": record for id_, record in replaced.items()}, **gone}
        needs = {id_: self._needs(template, id_.partition(" ")[0]) for id_ in left}
        while left:
            ready = [id_ for id_ in left if not any(id_.partition(" ")[0] in needs[other] for other in left)]
            id_ = choose(sorted(ready or left))
            record = left.pop(id_)
            if record.type == FUNCTION:
                self.functions.pop(record.physical_id, None)
            elif record.type == MAPPING:
                self.mappings.pop(record.physical_id, None)
            elif record.type.startswith("Custom::"):
                stack.records.setdefault(id_, record)
                with suppress(OperationFailedError):  # a deletion that fails in the cleanup fails nothing
                    self._ask("Delete", stack, id_, record.physical_id, record.properties, None)
            if stack.records.get(id_) is record:
                del stack.records[id_]
            yield f"delete {id_}"

    def _differs(self, stack: Stack, id_: str, template: Template, touched: Sequence[str]) -> bool:
        record = stack.records.get(id_)
        if record is None:
            return True
        # Templates are compared: what a resource answered in a rollback is no change until it is asked again.
        if template[id_] == stack.template.get(id_) and not self._needs(template, id_) & set(touched):
            return False
        return record.properties != self._resolve(stack, template[id_].get("Properties", {}))

    def _resolve(self, stack: Stack, value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"Ref"}:
                record = stack.records.get(value["Ref"])
                return record.physical_id if record else value["Ref"]
            if set(value) == {"Fn::GetAtt"}:
                id_, attribute = value["Fn::GetAtt"]
                record = stack.records.get(id_)
                return record.attributes.get(attribute, f"{id_}.{attribute}") if record else f"{id_}.{attribute}"
            return {key: self._resolve(stack, part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._resolve(stack, part) for part in value]
        return value

    def _in_order(self, template: Template, ids: set[str], choose: Choose) -> Iterator[str]:
        needs = {id_: self._all_needs(template, id_) & ids for id_ in ids}
        done: set[str] = set()
        while len(done) < len(ids):
            id_ = choose(sorted(id_ for id_ in ids - done if needs[id_] <= done))
            done.add(id_)
            yield id_

    def _unordered(self, ids: set[str], choose: Choose) -> Iterator[str]:
        left = set(ids)
        while left:
            id_ = choose(sorted(left))
            left.discard(id_)
            yield id_

    def _all_needs(self, template: Template, id_: str) -> set[str]:
        found = self._needs(template, id_)
        while more := {need for name in found for need in self._needs(template, name)} - found:
            found |= more
        return found

    def _needs(self, template: Template, id_: str) -> set[str]:
        body = template.get(id_, {})
        after = body.get("DependsOn", [])
        return ({after} if isinstance(after, str) else set(after)) | _references(body.get("Properties", {})) & set(
            template
        )


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return {value["Ref"]}
        if set(value) == {"Fn::GetAtt"}:
            return {value["Fn::GetAtt"][0]}
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(_references, value)) if value else set()
    return set()


def run(*deployments: Iterator[str], choose: Choose = lambda items: items[0]) -> None:
    """Let deployments go on at once, until all are done."""
    running = list(deployments)
    while running:
        deployment = choose(running)
        if next(deployment, None) is None:
            running.remove(deployment)
