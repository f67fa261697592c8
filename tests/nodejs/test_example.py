"""The example's handler, as it stands, in an execution environment."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from servers import PostgreSqlServer

from tests.nodejs.node_runner import NODE, LambdaFolder
from tests.nodejs.test_credentials import ARN, KEYS
from tests.runtime.aws_endpoint import AwsEndpoint

EXAMPLE = Path(__file__).parents[2] / "examples" / "nodejs" / "orders.mjs"


def test_the_example_s_handler(folder: LambdaFolder) -> None:
    shutil.copy(EXAMPLE, folder.code)
    with PostgreSqlServer() as server:
        login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
        with psycopg.connect(**login, dbname=server.database) as connection:
            connection.execute("CREATE TABLE orders (id INT, product TEXT, quantity INT)")
            connection.execute("INSERT INTO orders VALUES (7, 'lamp', 2)")

        def answer(_: str, __: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            secret = {"username": server.user, "password": server.password, "dbname": server.database}
            return 200, {"ARN": ARN, "Name": "orders", "SecretString": json.dumps(secret)}

        with AwsEndpoint(answer) as endpoint:
            variables = {
                **KEYS,
                "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint.url,
                "BREAKWATER_ENGINE": "postgresql",
                "BREAKWATER_HOST": server.host,
                "BREAKWATER_PORT": str(server.port),
                "BREAKWATER_SECRET_ARN": ARN,
                "BREAKWATER_MAX_CONNECTIONS": "30",
                "BREAKWATER_UTILIZATION": "0.8",
                # the process ends with its connection
                "BREAKWATER_FUNCTION_TIMEOUT": "1",
            }
            done = subprocess.run(
                [NODE, "environment.mjs", "./orders.mjs"],
                cwd=folder.code,
                env=folder.environment(**variables),
                input='{"id": 7}\n{"id": 8}\n',
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [
        {"rows": {"id": 7, "product": "lamp", "quantity": 2}, "waits": False},
        {"rows": None, "waits": False},
    ], done.stderr
