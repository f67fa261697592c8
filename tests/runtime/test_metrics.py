"""Counters in CloudWatch's embedded metric format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from servers.sql import SqlServer

import breakwater_runtime as breakwater
from tests.runtime.lambda_context import Context


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")


def test_one_line_per_invocation_at_most(
    server: SqlServer, in_lambda: None, capsys: pytest.CaptureFixture[str]
) -> None:
    database = breakwater.database(**server.settings)
    context = Context(30, "first")
    for _ in range(3):
        with database.connection(context):
            pass
        lost = database._keeper.session
        assert lost is not None
        lost.shut()
    (line,) = lines(capsys)
    assert line["FunctionName"] == "orders"
    assert line["Connects"] == 1
    assert line["ServerMaxConnections"] == server.max_connections
    metrics = line["_aws"]["CloudWatchMetrics"][0]
    assert metrics["Namespace"] == "Breakwater"
    assert {metric["Name"] for metric in metrics["Metrics"]} <= set(line)
    # what happened since is told by the next invocation
    with database.connection(Context(30, "second")):
        pass
    (line,) = lines(capsys)
    assert line["Heals"] == 3
    database.close()


def test_none_where_nothing_happened(server: SqlServer, in_lambda: None, capsys: pytest.CaptureFixture[str]) -> None:
    database = breakwater.database(**server.settings)
    for number in range(5):
        with database.connection(Context(30, str(number))):
            pass
    assert len(lines(capsys)) == 1
    database.close()


def test_a_block_without_a_connection_is_counted(
    server_type: type[SqlServer], in_lambda: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with server_type() as server:
        refused = breakwater.database(**server.settings | {"password": "wrong"})
        with pytest.raises(Exception, match=r"(?i)denied|failed"), refused.connection(Context(30, "refused")):
            pass
    gone = breakwater.database(**server.settings)
    with pytest.raises(breakwater.ConnectionUnavailable), gone.connection(Context(1.0, "gone")):
        pass
    assert [line["Unavailable"] for line in lines(capsys)] == [1, 1]


def test_off_by_one_switch(
    server: SqlServer, in_lambda: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BREAKWATER_METRICS", "off")
    database = breakwater.database(**server.settings)
    with database.connection(Context(30)):
        pass
    assert lines(capsys) == []
    database.close()


def test_none_outside_of_lambda(server: SqlServer, capsys: pytest.CaptureFixture[str]) -> None:
    database = breakwater.database(**server.settings)
    with database.connection(Context(30)):
        pass
    assert lines(capsys) == []
    database.close()
