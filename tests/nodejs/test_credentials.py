"""Secrets by the AWS SDK of Lambda's runtime, and IAM tokens, which are what botocore makes of the same moment."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import botocore.auth
import pytest
from botocore.session import Session

from cdk_breakwater.layers.packaged_sources import source_directory
from tests.nodejs.node_runner import NODE, LambdaFolder, Server
from tests.runtime.aws_endpoint import AwsEndpoint

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop"
WRONG = "not it"
KEYS = {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@pytest.mark.parametrize(
    ("case", "passwords", "fetches"),
    [
        # the first is what it was before the rotation
        # and for a while after the password was changed
        ("rotated", [WRONG, WRONG, WRONG, None], 4),
        # at once, after 0.25 and 0.5 s if there is time, and by the next invocation
        ("wrong", [WRONG], (3, 5)),
        ("moved", [None, None], 2),
        ("holds", [None], 2),
        ("token", [None], 0),
        ("names-the-host", [None], 2),
        ("in-another-format", [WRONG], 1),
        ("silent", [None], 1),
    ],
)
def test_secret(
    folder: LambdaFolder, server: Server, case: str, passwords: list[str | None], fetches: int | tuple[int, int]
) -> None:
    answers = iter(passwords)

    def answer(operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert (operation, request["SecretId"]) == ("GetSecretValue", ARN)
        password = next(answers, passwords[-1])
        if case == "silent" or (case == "holds" and len(endpoint.requests) > 1):
            time.sleep(4)
        secret = {"username": server.user, "password": password or server.password, "dbname": server.database}
        gone = case == "moved" and len(endpoint.requests) < 2
        secret |= {"host": server.host, "port": 1 if gone else server.port, "engine": server.engine}
        text = password if case == "in-another-format" else json.dumps(secret)
        return 200, {"ARN": ARN, "Name": "shop", "SecretString": text}

    with AwsEndpoint(answer) as endpoint:
        url = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint.url}
        folder.run("secret", server, TEST_CASE=case, TEST_SECRET_ARN=ARN, **KEYS, **url)
        least, most = fetches if isinstance(fetches, tuple) else (fetches, fetches)
        assert least <= len(endpoint.requests) <= most


@pytest.mark.parametrize("session_token", [None, "a/session+token=="])
@pytest.mark.parametrize(("host", "user"), [("db.example.net", "clerk"), ("db.cluster-x.eu-west-1", "a b!*'()&=ü")])
def test_an_iam_token_is_botocore_s(
    monkeypatch: pytest.MonkeyPatch, host: str, user: str, session_token: str | None
) -> None:
    for name, value in {**KEYS, **({"AWS_SESSION_TOKEN": session_token} if session_token else {})}.items():
        monkeypatch.setenv(name, value)
    now = datetime(2026, 11, 24, 10, 20, 30, tzinfo=timezone.utc)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=now.replace(tzinfo=None)):
        rds = Session().create_client("rds", region_name=KEYS["AWS_REGION"])
        expected = rds.generate_db_auth_token(DBHostname=host, Port=5432, DBUsername=user)  # pyrefly: ignore
    program = (
        "const { iamToken } = require('./iam-token.cjs'); const [host, user] = process.argv.slice(1);"
        f"console.log(iamToken(host, 5432, user, new Date({now.timestamp() * 1000:.0f})))"
    )
    folder = source_directory("nodejs/breakwater-runtime")
    done = subprocess.run([NODE, "-e", program, host, user], cwd=folder, capture_output=True, text=True, check=True)

    def parts(token: str) -> tuple[str, list[str]]:
        address, _, query = token.strip().partition("?")
        return address, sorted(query.split("&"))

    # the order of a query's parameters is free, the signature is over the sorted ones
    assert parts(done.stdout) == parts(expected)
