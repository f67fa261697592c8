"""An account whose answers a test lays out beforehand, by botocore's Stubber, which holds every request against the
service's own model: the emulator of the end-to-end tests has no StartMessageMoveTask.
"""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone
from typing import Any

import boto3
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from cdk_breakwater.cli.redrive_failed_records import FailedRecords

REGION = "eu-central-1"
QUEUES = f"https://sqs.{REGION}.amazonaws.com/123456789012"
ARN = f"arn:aws:sqs:{REGION}:123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:Counter"
UUID = "14b0db2e-0d32-4a7c-8f0f-7d2f6f7e1c11"
MAPPING = "AWS::Lambda::EventSourceMapping"
STACK_ID = f"arn:aws:cloudformation:{REGION}:123456789012:stack/Nested/1"


class Account:
    """Clients whose answers a test lays out beforehand."""

    def __init__(self) -> None:
        self.stubs: dict[str, Stubber] = {}

    def __call__(self, service: str) -> Any:
        return self.stub(service).client

    def stub(self, service: Any) -> Stubber:
        if service not in self.stubs:
            client = boto3.client(service, region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none")
            self.stubs[service] = Stubber(client)
            self.stubs[service].activate()
        return self.stubs[service]

    def stack(self, name: str, resources: dict[str, tuple[str, str, str]]) -> None:
        """Describe a stack: type, physical id and path by logical id."""
        body = {
            "Resources": {
                logical: {"Type": type_, "Metadata": {"aws:cdk:path": f"{path}/Resource"}}
                for logical, (type_, _, path) in resources.items()
            }
        }
        answer = {"TemplateBody": json.dumps(body)}
        self.stub("cloudformation").add_response("get_template", answer, {"StackName": name})
        now = datetime.now(timezone.utc)
        summaries = [
            {
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical,
                "ResourceType": type_,
                "LastUpdatedTimestamp": now,
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for logical, (type_, physical, _) in resources.items()
        ]
        self.stub("cloudformation").add_response(
            "list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": name}
        )

    def queue(self, name: str, *, waiting: int = 0, dead_letters: str | None = None) -> None:
        attributes = {"QueueArn": f"{ARN}:{name}", "ApproximateNumberOfMessages": str(waiting)}
        if dead_letters:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": f"{ARN}:{dead_letters}"})
        self.stub("sqs").add_response(
            "get_queue_attributes", {"Attributes": attributes}, {"QueueUrl": f"{QUEUES}/{name}", "AttributeNames": ANY}
        )

    def tasks(self, name: str, *tasks: dict[str, Any]) -> None:
        self.stub("sqs").add_response(
            "list_message_move_tasks", {"Results": list(tasks)}, {"SourceArn": f"{ARN}:{name}"}
        )

    def object(self, key: str, payload: Any) -> None:
        body = json.dumps({"payload": payload}).encode()
        answer = {"Body": StreamingBody(io.BytesIO(body), len(body))}
        self.stub("s3").add_response("get_object", answer, {"Bucket": "kept", "Key": key})

    def invocation(self, records: list[dict[str, Any]], answer: Any, *, error: bool = False) -> None:
        payload = json.dumps(answer).encode()
        self.stub("lambda").add_response(
            "invoke",
            {"Payload": StreamingBody(io.BytesIO(payload), len(payload))} | ({"FunctionError": "E"} if error else {}),
            {"FunctionName": FUNCTION, "Payload": compact({"Records": records})},
        )


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def queue(name: str, path: str) -> tuple[str, str, str]:
    return "AWS::SQS::Queue", f"{QUEUES}/{name}", path


def describe_shop(account: Account, *tasks: dict[str, Any]) -> None:
    account.stack(
        "Shop", {"Dead": queue("dead", "Shop/Jobs/DeadLetterQueue"), "Main": queue("main", "Shop/Jobs/Queue")}
    )
    account.queue("dead", waiting=7)
    account.queue("main", dead_letters="dead")
    account.tasks("dead", *tasks)


def kept(*keys: str) -> FailedRecords:
    return FailedRecords("Shop/Clicks/Mapping", "kept", keys, FUNCTION)
