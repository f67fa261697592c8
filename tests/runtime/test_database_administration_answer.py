"""What CloudFormation is told, whatever becomes of the function beside the database."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.response import StreamingBody
from botocore.session import Session
from botocore.stub import Stubber

from handlers.database_administration import answer
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLED = {"FunctionName": "administration"}


class Deployment:
    """CloudFormation's side, and a stub for the function's."""

    def __init__(self, url: str, answers: list[dict[str, Any]], functions: Stubber) -> None:
        self.url = url
        self.answers = answers
        self.functions = functions

    def event(self, request: str, **more: str) -> dict[str, Any]:
        event = {
            "RequestType": request,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "User",
            "ResourceType": "Custom::DatabaseUser",
            "ResourceProperties": {"User": "orders"},
        }
        return event | more

    def will_say(self, event: dict[str, Any], payload: Any, **more: str) -> None:
        content = json.dumps(payload).encode()
        response = {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(content), len(content)), **more}
        self.functions.add_response("invoke", response, {**CALLED, "Payload": json.dumps(event)})

    def ask(self, event: dict[str, Any], seconds: float = 600) -> dict[str, Any]:
        answer.handler({**event, "ResponseURL": f"{self.url}/?signature=x"}, Context(seconds))
        (said,) = self.answers
        self.functions.assert_no_pending_responses()
        assert {said.pop(name) for name in ("StackId", "RequestId", "LogicalResourceId")} == {
            "stack",
            "request",
            "User",
        }
        return said


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    answers: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            # the signature is for an empty content type
            assert self.headers["Content-Type"] == ""
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's own name
            pass

    monkeypatch.setenv("ADMINISTRATION_FUNCTION", "administration")
    monkeypatch.setenv("ADMINISTRATION_TIMEOUT", "120")
    monkeypatch.setattr(answer, "_PAUSE_SECONDS", 0.01)
    client = Session().create_client(
        "lambda", region_name="eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    monkeypatch.setattr(answer, "_client", lambda: client)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with Stubber(client) as functions:
        yield Deployment(f"http://127.0.0.1:{server.server_address[1]}", answers, functions)
    server.shutdown()
    server.server_close()


def test_what_the_function_says_is_passed_on(deployment: Deployment) -> None:
    event = deployment.event("Create")
    deployment.will_say(event, {"PhysicalResourceId": "orders@db:5432"})
    assert deployment.ask(event) == {"Status": "SUCCESS", "PhysicalResourceId": "orders@db:5432"}


def test_requests_wait_for_each_other(deployment: Deployment) -> None:
    event = deployment.event("Update", PhysicalResourceId="orders@db:5432")
    for code in ("TooManyRequestsException", "ResourceNotReadyException", "ResourceConflictException"):
        deployment.functions.add_client_error("invoke", code)
    deployment.will_say(event, {"PhysicalResourceId": "orders@db:5432"})
    assert deployment.ask(event)["Status"] == "SUCCESS"


def test_who_waits_too_long_says_so(deployment: Deployment) -> None:
    deployment.functions.add_client_error("invoke", "TooManyRequestsException", "Rate exceeded", 429)
    said = deployment.ask(deployment.event("Create"), seconds=100)
    assert said["Status"] == "FAILED"
    assert "Rate exceeded" in said["Reason"]


def test_an_error_fails_the_deployment_with_its_words(deployment: Deployment) -> None:
    event = deployment.event("Update", PhysicalResourceId="orders@db:5432")
    deployment.will_say(event, {"errorMessage": "no such schema", "errorType": "X"}, FunctionError="Unhandled")
    assert deployment.ask(event) == {
        "Status": "FAILED",
        "Reason": "no such schema (logs of administration)",
        "PhysicalResourceId": "orders@db:5432",
    }


def test_a_creation_that_failed_is_not_deleted(deployment: Deployment) -> None:
    event = deployment.event("Create")
    deployment.will_say(event, {"errorMessage": "exists"}, FunctionError="Unhandled")
    failed = deployment.ask(event)
    deployment.answers.clear()
    deletion = deployment.event("Delete", PhysicalResourceId=failed["PhysicalResourceId"])
    assert deployment.ask(deletion) == {"Status": "SUCCESS", "PhysicalResourceId": failed["PhysicalResourceId"]}


@pytest.mark.parametrize("payload", [None, "text", ["list"]])
def test_a_strange_answer_is_an_answer_too(deployment: Deployment, payload: Any) -> None:
    event = deployment.event("Create")
    deployment.will_say(event, payload)
    assert deployment.ask(event)["Status"] == "FAILED"
