"""As many sockets as calls, for the AWS SDK v3."""

from __future__ import annotations

from typing import Any

from tests.nodejs.node_runner import LambdaFolder
from tests.nodejs.test_credentials import ARN, KEYS
from tests.runtime.aws_endpoint import AwsEndpoint

SECONDS = 0.1
CALLS, SOCKETS_BY_DEFAULT = 200, 50


def test_request_handler(folder: LambdaFolder) -> None:
    def answer(_: str, __: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"ARN": ARN, "Name": "any", "SecretString": "any"}

    with AwsEndpoint(answer, delay=SECONDS) as endpoint:
        url = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint.url}
        folder.run("request-handler", **KEYS, **url)
        assert len(endpoint.requests) == 2 * CALLS
        assert endpoint.connections == SOCKETS_BY_DEFAULT + CALLS
