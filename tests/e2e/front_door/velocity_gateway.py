"""The emulator, with a Velocity engine for API Gateway's mapping templates.

Its own renderer knows no `#if`, no `$context` beyond the authorizer's, and no `$context.responseOverride`, and its SQS
answers API Gateway in XML, which API Gateway itself turns into JSON. Everything else is the emulator's own.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[3]))

from ministack.services import apigateway_v1

from tests.unit.front_door.velocity import render

_context: ContextVar[dict[str, Any]] = ContextVar("context")
_overrides: ContextVar[dict[str, Any]] = ContextVar("overrides")


def _render(template: str, body: str, parameters: dict[str, str], context: Any = None) -> str:
    rendered, overrides = render(template, body, parameters, **_context.get())
    _overrides.set(overrides)
    return rendered


_invoke = apigateway_v1._invoke_sqs_v1
_respond = apigateway_v1._service_integration_response


async def _invoke_sqs(*arguments: Any, **options: Any) -> Any:
    _, _, stage_name, _, _, path, *_ = arguments
    identity = options.get("caller_identity") or {}
    _context.set(
        {
            "requestId": str(uuid4()),
            "extendedRequestId": uuid4().hex[:15] + "=",
            "path": f"/{stage_name}{path}",
            "authorizer": options.get("authorizer_context") or {"principalId": ""},
            "identity": {"caller": "", "cognitoIdentityId": "", "apiKeyId": "", **identity},
        }
    )
    return await _invoke(*arguments, **options)


def _answer(integration: Any, status: int, text: str, *rest: Any) -> tuple[int, dict[str, str], bytes]:
    code = re.search(r"<Code>(.*)</Code>\s*<Message>(.*)</Message>", text, re.DOTALL)
    if code:
        text = json.dumps({"Error": {"Code": code[1], "Message": code[2]}})
    _overrides.set({"header": {}})
    chosen, headers, body = _respond(integration, status, text, *rest)
    overrides = _overrides.get()
    return overrides.get("status", chosen), {**headers, **overrides["header"]}, body


gateway: Any = apigateway_v1
gateway._render_request_template_v1 = _render
gateway._invoke_sqs_v1 = _invoke_sqs
gateway._service_integration_response = _answer

if __name__ == "__main__":
    sys.argv[0] = "ministack"
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
