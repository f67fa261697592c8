"""A deployed front door, and callers of it."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import urllib3
from demo.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "/prod/shop/orders"
VISIBILITY_SECONDS = 2
"""What a failed message waits here before it is tried again; the template's 60 s would make five tries long."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    body: Any = field(init=False)

    def __post_init__(self) -> None:
        self.body = json.loads(self.text) if self.text else None


class Account(Emulator):
    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).parent / "velocity_gateway.py"),)

    def deploy_front_door(self) -> None:
        self.bootstrap()
        app = f"{sys.executable} -m tests.e2e.front_door.front_door_app"
        self._cdk("synth", "--quiet", "--app", app, "--output", str(self._assembly))
        self.outputs = self.deploy("FrontDoor")
        for door in ("Standard", "Ordered"):
            self._validate_requests(self.outputs[f"{door}Api"])
            self.client("sqs").set_queue_attributes(
                QueueUrl=self.outputs[f"{door}Queue"], Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
            )

    def _validate_requests(self, rest_api_id: str) -> None:
        """Do what CloudFormation does with a request validator, and the emulator's leaves out."""
        apis, api = self.client("apigateway"), {"restApiId": rest_api_id}
        template = json.loads((self._assembly / "FrontDoor.template.json").read_text())
        methods = [resource for resource in template["Resources"].values() if resource["Type"].endswith("::Method")]
        assert {m["Properties"]["HttpMethod"] for m in methods if "RequestValidatorId" in m["Properties"]} == {"POST"}
        validator = apis.create_request_validator(**api, validateRequestBody=True)
        (resource,) = (item for item in apis.get_resources(**api)["items"] if "POST" in item.get("resourceMethods", {}))
        patch = {"op": "replace", "path": "/requestValidatorId", "value": validator["id"]}
        apis.update_method(**api, resourceId=resource["id"], httpMethod="POST", patchOperations=[patch])

    def request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        caller: str = "ann",
        door: str = "Standard",
        **headers: str,
    ) -> Answer:
        """Send a request to a path of a door's host, such as a Location names it."""
        response = urllib3.request(
            method,
            f"{self.url}/_aws/execute-api/{self.outputs[f'{door}Api']}{path}",
            body=body,
            headers={"Authorization": caller, "Content-Type": "application/json", **headers},
            timeout=30,
            retries=False,
            redirect=False,
        )
        return Answer(response.status, dict(response.headers), response.data.decode())

    def post(
        self, order: dict[str, Any] | str, caller: str = "ann", key: str | None = None, door: str = "Standard"
    ) -> Answer:
        body = order if isinstance(order, str) else json.dumps(order)
        headers = {"Idempotency-Key": key} if key else {}
        return self.request("POST", PATH, body, caller, door, **headers)

    def get(self, posted: Answer, caller: str = "ann", door: str = "Standard") -> Answer:
        return self.request("GET", posted.headers["Location"], caller=caller, door=door)

    def until(self, posted: Answer, status: int, seconds: float = 60, door: str = "Standard") -> Answer:
        """Look at a result until it has a status."""
        deadline = time.monotonic() + seconds
        while (answer := self.get(posted, door=door)).status != status:
            assert answer.status == 202, f"{answer.status}: {answer.text}"
            assert time.monotonic() < deadline, f"still {answer.status} after {seconds} s: {answer.text}"
            time.sleep(0.2)
        return answer

    def change(self, posted: Answer, attribute: str, change: Callable[[int], int]) -> None:
        """Let time pass for a job: change a number of its item."""
        table = {"TableName": self.outputs["StandardTable"], "Key": {"job": {"S": posted.body["id"]}}}
        client = self.client("dynamodb")
        number = int(client.get_item(**table, ConsistentRead=True)["Item"][attribute]["N"])
        client.update_item(
            **table,
            UpdateExpression=f"SET {attribute} = :changed",
            ExpressionAttributeValues={":changed": {"N": str(change(number))}},
        )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        account.deploy_front_door()
        yield account
