"""What the guard asks of AWS, asked again while it is throttled, and told in words where it is not allowed."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USES, SHARE, SET = "breakwater:uses", "breakwater:share", "breakwater:set"
"""Tags of a function that is governed: what it opens in which budget of how much; its share; the reservation that
CloudFormation has set, and may set again when it changes something else or goes back."""
_STACK = "aws:cloudformation:stack-name"
_FUNCTION, _MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
# Source: AWS Lambda API Reference, PutFunctionConcurrency and UpdateEventSourceMapping, Errors; a function that is
# being updated is a conflict, and such a mapping is in use.
_COME_AGAIN = (
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "ServiceException",
    "ResourceConflictException",
    "ResourceInUseException",
    "InternalServiceError",
)
_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_NOTHING_PROVISIONED = ("ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException")
_PAUSES = (0.2, 0.5, 1, 2, 4, 8)
# A mapping is changed asynchronously.
_MAPPING_SECONDS, _MAPPING_PAUSE_SECONDS = 20, 1


class Refused(Exception):  # noqa: N818 -- it says what happened
    """What is not done, and why: the deployment fails with these words, and goes back."""


@dataclass(frozen=True)
class Governed:
    """A function as Lambda has it.

    Attributes
    ----------
    held
        What is reserved; None where nothing bounds it.
    share, known
        What its tags say that it is to have, and what CloudFormation has set; None without the tags.
    uses
        Connections of each environment, by budget; empty without the tag.
    limits
        How large those budgets were when it was deployed.
    """

    name: str
    stack: str | None
    held: int | None
    share: int | None
    known: int | None
    uses: dict[str, int]
    limits: dict[str, int]
    timeout: int

    @property
    def due(self) -> int:
        """What it may hold without anybody asking a gate."""
        return max(self.held or 0, self.known or 0)


@dataclass(frozen=True)
class QueueMapping:
    """A mapping as Lambda has it, whose MaximumConcurrency follows a share.

    Attributes
    ----------
    share
        What its tag says that it is to have.
    """

    id: str
    maximum: int
    share: int


class Account:
    """The account and Region that a deployment is in.

    Parameters
    ----------
    client
        Makes the client of a service.
    sleep
        Waits for that many seconds.
    """

    def __init__(self, client: Callable[[str], Any], sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self.sleep = sleep

    def stack(self, name: str) -> dict[str, Any] | None:
        """Describe a stack; None where there is none."""
        try:
            return self._call("cloudformation", "describe_stacks", name, StackName=name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise

    def functions_of(self, stack: str) -> dict[str, str]:
        """Give the names of a stack's functions by their logical ids; none where there is no such stack."""
        return {} if self.stack(stack) is None else self._resources(stack, _FUNCTION)

    def mappings_of(self, stack: str) -> dict[str, str]:
        """Give the ids of a stack's mappings by their logical ids."""
        return self._resources(stack, _MAPPING)

    def releases_of(self, stack: str) -> int:
        """Count the stack's releases: two while the one of a changed table is there beside the old one."""
        return len(self._resources(stack, "Custom::BreakwaterRelease"))

    def mappings(self, function: str) -> list[QueueMapping]:
        """Find the mappings of a function that follow its share; none where the function is gone."""
        found = []
        with _unless_gone():
            for page in self._pages(
                "lambda", "list_event_source_mappings", "EventSourceMappings", FunctionName=function
            ):
                for mapping in page:
                    maximum = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
                    if maximum is None:
                        continue
                    arn = mapping["EventSourceMappingArn"]
                    share = _number(self._call("lambda", "list_tags", arn, Resource=arn).get("Tags", {}).get(SHARE))
                    if share is not None:
                        found.append(QueueMapping(mapping["UUID"], maximum, share))
        return found

    def receive(self, mapping: QueueMapping, maximum: int) -> None:
        """Let a mapping have that many batches at once, and wait until it does so."""
        scaling = {"MaximumConcurrency": maximum}
        with _unless_gone():
            self._call("lambda", "update_event_source_mapping", mapping.id, UUID=mapping.id, ScalingConfig=scaling)
            for _ in range(_MAPPING_SECONDS // _MAPPING_PAUSE_SECONDS):
                state = self._call("lambda", "get_event_source_mapping", mapping.id, UUID=mapping.id)["State"]
                if state != "Updating":
                    return
                self.sleep(_MAPPING_PAUSE_SECONDS)

    def tagged(self) -> dict[str, set[str]]:
        """Name every function that is governed, whatever stack it is of, with its budgets."""
        return {
            found["ResourceARN"].split(":")[6]: {
                part.partition("=")[0] for tag in found["Tags"] if tag["Key"] == USES for part in tag["Value"].split()
            }
            for page in self._pages(
                "resourcegroupstaggingapi",
                "get_resources",
                "ResourceTagMappingList",
                TagFilters=[{"Key": USES}],
                ResourceTypeFilters=["lambda:function"],
            )
            for found in page
        }

    def function(self, name: str) -> Governed | None:
        """Look at a function; None where there is none."""
        try:
            found = self._call("lambda", "get_function", name, FunctionName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        tags = found.get("Tags", {})
        uses = [part.replace("=", "/").split("/") for part in tags.get(USES, "").split()]
        return Governed(
            name,
            tags.get(_STACK),
            found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            _number(tags.get(SHARE)),
            _number(tags.get(SET)),
            {budget: int(each) for budget, each, _ in uses},
            {budget: int(limit) for budget, _, limit in uses},
            found.get("Configuration", {}).get("Timeout", 0),
        )

    def provisioned(self, name: str) -> int:
        """Sum what is provisioned for a function's versions and aliases, below which nothing can be reserved."""
        try:
            pages = list(
                self._pages(
                    "lambda",
                    "list_provisioned_concurrency_configs",
                    "ProvisionedConcurrencyConfigs",
                    FunctionName=name,
                )
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOTHING_PROVISIONED:
                return 0
            raise
        return sum(found.get("RequestedProvisionedConcurrentExecutions", 0) for page in pages for found in page)

    def unreserved(self) -> tuple[int, int]:
        """Tell how much concurrency is not reserved, and the account's quota."""
        limits = self._call("lambda", "get_account_settings", "the account")["AccountLimit"]
        return limits["UnreservedConcurrentExecutions"], limits["ConcurrentExecutions"]

    def reserve(self, name: str, number: int) -> bool:
        """Reserve concurrency; False where the function is gone."""
        with _unless_gone():
            self._call(
                "lambda", "put_function_concurrency", name, FunctionName=name, ReservedConcurrentExecutions=number
            )
            return True
        return False

    def _resources(self, stack: str, type_: str) -> dict[str, str]:
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in self._pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack)
            for resource in page
            if resource["ResourceType"] == type_ and resource.get("PhysicalResourceId")
            if resource.get("ResourceStatus") != "DELETE_COMPLETE"
        }

    def _pages(self, service: str, operation: str, result: str, **arguments: Any) -> Iterator[list[dict[str, Any]]]:
        token = "Marker" if service == "lambda" else "NextToken"
        if service == "resourcegroupstaggingapi":
            token = "PaginationToken"  # noqa: S105
        on = next((str(value) for value in arguments.values() if isinstance(value, str)), "the account")
        more: str | None = None
        while True:
            answer = self._call(service, operation, on, **arguments, **({token: more} if more else {}))
            yield answer.get(result, [])
            more = answer.get("NextMarker" if service == "lambda" else token)
            if not more:
                return

    def _call(self, service: str, operation: str, on: str, **arguments: Any) -> dict[str, Any]:
        for pause in (*_PAUSES, None):
            try:
                return getattr(self._client(service), operation)(**arguments)
            except ClientError as error:  # noqa: PERF203 -- it is asked again
                code = error.response["Error"]["Code"]
                if code in _DENIED:
                    action = "".join(part.capitalize() for part in operation.split("_"))
                    prefix = "tag" if service == "resourcegroupstaggingapi" else service
                    raise Refused(
                        f"Not allowed to call {prefix}:{action} on {on}: the role of the guard's function lacks that "
                        "permission. Reservations stay as they are."
                    ) from error
                if code not in _COME_AGAIN or pause is None:
                    raise
                self.sleep(pause)
        raise AssertionError


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Leave the block where what it asks about does not exist any more."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _number(tag: str | None) -> int | None:
    return int(tag) if tag is not None and tag.isdigit() else None


@cache
def boto_client(service: str) -> Any:
    """Make the client of a service, which asks once: `Account` asks again."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20)
    return Session().create_client(service, region_name=os.environ["AWS_REGION"], config=config)
