"""Unit tests of handlers: what `breakwater_runtime.testing` gives them, and every block of docs/testing.md."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from servers import PostgreSqlServer
from servers.sql import SqlServer, rows

import breakwater_runtime as breakwater
from breakwater_runtime import environment, testing

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def url(server: Any) -> str:
    return f"{server.engine}://{server.user}:{server.password}@{server.host}:{server.port}/{server.database}"


def test_a_real_database(server: SqlServer) -> None:
    with testing.environment(url(server), max_connections=20):
        database = breakwater.database()
        with database.connection(testing.context()) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        database.close()
        assert os.environ["BREAKWATER_MAX_CONNECTIONS"] == "20"
    assert not [name for name in os.environ if name.startswith("BREAKWATER_")]


def test_what_was_set_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_SECRET_ARN", "arn")
    monkeypatch.setenv("BREAKWATER_HOST", "orders.example.net")
    with testing.environment(engine="mysql", host="127.0.0.1"):
        assert "BREAKWATER_SECRET_ARN" not in os.environ
        assert os.environ["BREAKWATER_HOST"] == "127.0.0.1"
    assert os.environ["BREAKWATER_SECRET_ARN"] == "arn"
    assert os.environ["BREAKWATER_HOST"] == "orders.example.net"


def test_two_databases() -> None:
    with (
        testing.environment(engine="mysql", host="127.0.0.1", user="app"),
        testing.environment(engine="postgresql", host="127.0.0.1", name="reports", user="app"),
    ):
        assert environment.Settings(None, {}).engine == "mysql"
        assert environment.Settings("reports", {}).engine == "postgresql"


def test_plain_text_needs_a_word_and_no_word_does_on_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    def tls(**arguments: Any) -> str | None:
        with testing.environment(engine="postgresql", host="postgres", user="app", **arguments):
            return environment.Settings(None, {}).tls_ca

    assert tls() == "system"
    assert tls(tls_ca="/ca.pem", plain_text="a container of this run") == "/ca.pem"
    assert tls(plain_text="a container of this run") is None
    with pytest.raises(breakwater.ConfigurationError, match="plain_text says why"):
        tls(plain_text=" ")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    with pytest.raises(breakwater.ConfigurationError, match=r"BREAKWATER_PLAIN_TEXT is set.*this is Lambda: name a CA"):
        tls(plain_text="a container of this run")
    with pytest.raises(breakwater.ConfigurationError, match=r"BREAKWATER_PASSWORD is set.*this is Lambda: name a secr"):
        tls(password="secret")


def test_a_closed_port_fails_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    started = time.monotonic()
    closed = f"postgresql://app:hidden@127.0.0.1:{port}/shop"
    with pytest.raises(breakwater.ConfigurationError, match=rf"Nothing listens at 127\.0\.0\.1:{port} .*refused"):
        testing.environment(closed).__enter__()
    assert time.monotonic() - started < 2
    assert not testing.listens(closed)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("oracle://app:hidden@localhost/shop", "is no database's URL"),
        ("postgresql:///shop", "is no database's URL"),
        ("postgresql://app:hidden@localhost/shop?sslmode=disable", "has options"),
    ],
)
def test_a_wrong_url_is_named(wrong: str, problem: str) -> None:
    with pytest.raises(breakwater.ConfigurationError, match=problem) as caught:
        testing.environment(wrong).__enter__()
    assert "hidden" not in str(caught.value)


def test_the_events_are_those_that_batch_knows() -> None:
    seen: list[str] = []

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        seen.append(record["eventSource"])
        if "poison" in json.dumps(record):
            raise ValueError("poison")

    messages = testing.queue_event({"id": 1}, "poison", "text")
    failed = messages["Records"][1]["messageId"]
    assert handler(messages, testing.context()) == {"batchItemFailures": [{"itemIdentifier": failed}]}
    ordered = testing.queue_event("poison", "behind", group="a")
    assert len(handler(ordered, testing.context())["batchItemFailures"]) == 2
    assert handler(testing.quota_event({"id": 1}), testing.context()) == {"batchItemFailures": []}
    assert handler(testing.stream_event({"id": 1}, b"raw"), testing.context()) == {"batchItemFailures": []}
    assert handler(testing.table_event({"id": {"S": "1"}}), testing.context()) == {"batchItemFailures": []}
    removed = testing.table_event({"id": {"S": "1"}}, change="REMOVE")["Records"][0]["dynamodb"]
    assert (removed["OldImage"], "NewImage" in removed) == ({"id": {"S": "1"}}, False)
    assert set(seen) == {"aws:sqs", "aws:kinesis", "aws:dynamodb"}


def test_the_clock_of_the_context_runs() -> None:
    context = testing.context(0.05)
    assert 0 < context.get_remaining_time_in_millis() <= 50
    time.sleep(0.06)
    assert context.get_remaining_time_in_millis() == 0
    assert testing.context().aws_request_id != testing.context().aws_request_id


def test_every_block_of_the_page_runs(tmp_path: Path) -> None:
    """As a project of its own: the files that the page names, and pytest."""
    for name, content in re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {
        "orders.py",
        "jobs.py",
        "conftest.py",
        "test_orders.py",
        "test_jobs.py",
    }
    with PostgreSqlServer() as server:
        variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DATABASE_URL": url(server)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
