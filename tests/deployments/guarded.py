"""The provider's real code over the model of CloudFormation and Lambda, and templates as the library writes them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from handlers.deployment_guard import account as provider
from handlers.deployment_guard import guard

from .cloudformation import FUNCTION, MAPPING, Account, OperationFailedError, QueueMapping, Template
from .model import App

Fault = Callable[[str, str, dict[str, Any]], None]


class Died(BaseException):
    """The provider was ended in the middle."""


def no_fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
    """Let every call through."""


def error(code: str, operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


class Client:
    """What boto3 would be for one service: the operations that the provider has, and no other."""

    def __init__(self, world: GuardedAccount, service: str) -> None:
        self._world = world
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**arguments: Any) -> dict[str, Any]:
            self._world.calls[operation] += 1
            self._world.fault(self._service, operation, arguments)
            return getattr(self._world, f"api_{operation}")(**arguments)

        return call


class GuardedAccount(Account):
    """An account in which the provider answers, whose waiting lets other deployments go on."""

    def __init__(self, *versions: App, pool: int = 10_000, **options: Any) -> None:
        super().__init__(provider=self.answer, watch=self.look, **options)
        self.uses = {(f.stack, f.name): f.databases for app in versions for f in app.functions}
        self.pool = pool
        self.worst: Counter[str] = Counter()
        self.strays: list[str] = []
        self.fault: Fault = no_fault
        self.calls: Counter[str] = Counter()
        self.slept = 0.0
        self.meanwhile: Callable[[], object] = lambda: None
        self.reasons: list[str] = []
        self.excess: dict[str, int] = {}
        self.service = provider.Account(lambda service: Client(self, service), self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.meanwhile()

    def answer(self, event: dict[str, Any]) -> dict[str, str]:
        try:
            answer = guard.respond(event, self.service)
        except Died as died:
            raise OperationFailedError("no answer") from died
        except Exception as refused:
            self.reasons.append(str(refused))
            raise OperationFailedError(str(refused)) from refused
        # 480 bytes are for what stands beside the data: status, ids and names at their longest.
        assert len(json.dumps(answer, separators=(",", ":"))) + 480 <= 4096
        return answer

    def sums(self) -> Counter[str]:
        now: Counter[str] = Counter()
        for function in self.functions.values():
            for database, each in self.uses[function.stack, function.logical_id].items():
                now[database] += (function.reserved or 0) * each
        return now

    def look(self) -> None:
        self.worst |= self.sums()
        self.strays += self.received_in_vain()

    def received_in_vain(self) -> list[str]:
        """Name the functions whose queues have more batches at once than the function takes; 2 is a mapping's least.

        Where a rollback puts a number that CloudFormation knew before, be it lower than the gate's answer, nobody can
        know it, and the mapping follows with the next deployment.
        """
        here: dict[str, list[int]] = {}
        for mapping in self.mappings.values():
            here.setdefault(mapping.function, []).append(mapping.maximum)
        return [
            f"{name} {held}: {numbers}"
            for name, numbers in here.items()
            if name in self.functions and (held := self.functions[name].reserved) is not None
            if sum(numbers) > max(held, 2 * len(numbers))
            if name not in self.put_older
        ]

    def forget(self) -> None:
        self.worst.clear()
        self.strays.clear()
        self.look()

    # What the provider may ask for.

    def api_get_function(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        function = self.functions.get(FunctionName)
        if function is None:
            raise error("ResourceNotFoundException")
        found: dict[str, Any] = {"Configuration": {"Timeout": function.timeout}, "Tags": function.tags}
        if function.reserved is not None:
            found["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return found

    def api_put_function_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> dict[str, Any]:  # noqa: N803
        if FunctionName not in self.functions:
            raise error("ResourceNotFoundException")
        assert ReservedConcurrentExecutions >= 0
        self.reserve(FunctionName, ReservedConcurrentExecutions)
        return {}

    def api_list_provisioned_concurrency_configs(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        if FunctionName not in self.functions:
            raise error("ResourceNotFoundException")
        number = self.functions[FunctionName].provisioned
        return {"ProvisionedConcurrencyConfigs": [{"RequestedProvisionedConcurrentExecutions": number}]}

    def api_list_event_source_mappings(self, FunctionName: str, Marker: str | None = None) -> dict[str, Any]:  # noqa: N803
        found = [
            {
                "UUID": mapping.id,
                "EventSourceMappingArn": f"arn:aws:lambda:eu-central-1:123456789012:event-source-mapping:{mapping.id}",
                "ScalingConfig": {"MaximumConcurrency": mapping.maximum},
            }
            for mapping in self.mappings.values()
            if mapping.function == FunctionName
        ]
        # A stream's mapping has none, nor has every queue's.
        found.append({"UUID": "stream", "EventSourceMappingArn": "arn:stream"})
        at = int(Marker or 0)
        return {"EventSourceMappings": found[at : at + 1], **({"NextMarker": str(at + 1)} if found[at + 1 :] else {})}

    def api_list_tags(self, Resource: str) -> dict[str, Any]:  # noqa: N803
        return {"Tags": self._mapping(Resource.rpartition(":")[2]).tags}

    def api_update_event_source_mapping(self, UUID: str, ScalingConfig: dict[str, int]) -> dict[str, Any]:  # noqa: N803
        mapping = self._mapping(UUID)
        mapping.maximum = ScalingConfig["MaximumConcurrency"]
        assert mapping.maximum >= 2
        mapping.polls = 2
        self.watch()
        return {}

    def api_get_event_source_mapping(self, UUID: str) -> dict[str, Any]:  # noqa: N803
        mapping = self._mapping(UUID)
        mapping.polls -= 1
        return {"State": "Updating" if mapping.polls > 0 else "Enabled"}

    def _mapping(self, uuid: str) -> QueueMapping:
        if uuid not in self.mappings:
            raise error("ResourceNotFoundException")
        return self.mappings[uuid]

    def api_get_account_settings(self) -> dict[str, Any]:
        reserved = sum(function.reserved or 0 for function in self.functions.values())
        return {
            "AccountLimit": {"UnreservedConcurrentExecutions": self.pool - reserved, "ConcurrentExecutions": self.pool}
        }

    def api_describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        name = StackName.split("/")[1] if "/" in StackName else StackName
        stack = self.stacks.get(name)
        if stack is None:
            raise error("ValidationError")
        described = {
            "StackName": name,
            "StackId": stack.stack_id,
            "StackStatus": stack.status,
            "CreationTime": stack.updated,
        }
        return {"Stacks": [described]}

    def api_list_stack_resources(self, StackName: str, NextToken: str | None = None) -> dict[str, Any]:  # noqa: N803
        found = [
            {"LogicalResourceId": id_, "PhysicalResourceId": record.physical_id, "ResourceType": record.type}
            for id_, record in self.stacks[StackName].records.items()
        ]
        # One a page, but for the last: whoever reads the first page only sees too little.
        at = int(NextToken or 0)
        more = {"NextToken": str(at + 2)} if at + 2 < len(found) else {}
        return {"StackResourceSummaries": found[at : at + 2], **more}

    def api_get_resources(
        self,
        TagFilters: list[dict[str, str]],  # noqa: N803
        ResourceTypeFilters: list[str],  # noqa: N803
    ) -> dict[str, Any]:
        assert TagFilters == [{"Key": provider.USES}]
        assert ResourceTypeFilters == ["lambda:function"]
        return {
            "PaginationToken": "",
            "ResourceTagMappingList": [
                {
                    "ResourceARN": f"arn:aws:lambda:eu-central-1:123456789012:function:{name}",
                    "Tags": [{"Key": key, "Value": value} for key, value in function.tags.items()],
                }
                for name, function in self.functions.items()
                if provider.USES in function.tags
            ],
        }


def template(app: App, stack: str, *, code: str = "") -> Template:
    """Write the guarded template of a stack."""
    functions = app.of(stack)
    rows = {
        f"f{number}": {
            "Id": name,
            "Share": str(app.shares[function]),
            "Minimum": str(function.minimum),
            "Uses": {database: str(each) for database, each in function.databases.items()},
            "Identity": "Zip",
            "Mappings": {
                f"m{number}x{each}": {"Id": f"{name}Queue{each}", "Share": str(part)}
                for each, part in enumerate(app.parts(function))
            },
        }
        for number, (name, function) in enumerate(functions.items())
    }
    used = sorted({database for function in functions.values() for database in function.databases})
    budgets = {
        database: {"Title": database, "Limit": str(app.budgets[database]), "Here": "1" if stack == "S0" else "0"}
        for database in used
    }
    neighbours = {
        other: {
            f.name: {database: str(each) for database, each in f.databases.items() if database in used}
            for f in app.of(other).values()
            if set(f.databases) & set(used)
        }
        for other in app.stacks
        if other != stack
    }
    table = {"Functions": rows, "Budgets": budgets, "Neighbours": {k: v for k, v in neighbours.items() if v}}
    key = hashlib.sha256(json.dumps([rows, budgets], sort_keys=True).encode()).hexdigest()[:8]
    release = f"Release{key}"
    made: dict[str, Any] = {
        "Gate": {"Type": guard.GATE, "Properties": {**table, "Digest": code}},
        release: {"Type": guard.RELEASE, "Properties": table, "DependsOn": ["Gate"]},
    }
    for attribute, row in rows.items():
        function = functions[row["Id"]]
        uses = " ".join(f"{database}={each}/{app.budgets[database]}" for database, each in function.databases.items())
        made[row["Id"]] = {
            "Type": FUNCTION,
            "DependsOn": [release],
            "Properties": {
                "Code": code,
                "ReservedConcurrentExecutions": {"Fn::GetAtt": ["Gate", attribute]},
                "Tags": [
                    {"Key": provider.USES, "Value": uses},
                    {"Key": provider.SHARE, "Value": row["Share"]},
                    {"Key": provider.SET, "Value": {"Fn::GetAtt": ["Gate", attribute]}},
                    {"Key": "aws:cloudformation:stack-name", "Value": stack},
                ],
            },
        }
        for key, mapping in row["Mappings"].items():
            made[mapping["Id"]] = {
                "Type": MAPPING,
                "DependsOn": [release],
                "Properties": {
                    "FunctionName": {"Ref": row["Id"]},
                    "ScalingConfig": {"MaximumConcurrency": {"Fn::GetAtt": ["Gate", key]}},
                    "Tags": [{"Key": provider.SHARE, "Value": mapping["Share"]}],
                },
            }
    return made


def together(account: GuardedAccount, deployments: list[Iterator[str]], choose: Callable[[Any], Any]) -> None:
    """Run deployments at once: whoever waits lets the others go on."""
    running = list(deployments)
    inside: list[Iterator[str]] = []

    def step(deployment: Iterator[str]) -> None:
        inside.append(deployment)
        try:
            if next(deployment, None) is None:
                running.remove(deployment)
        finally:
            inside.remove(deployment)

    def meanwhile() -> None:
        free = [deployment for deployment in running if deployment not in inside]
        if free:
            step(choose(free))

    account.meanwhile = meanwhile
    while running:
        step(choose(running))
    account.meanwhile = lambda: None
