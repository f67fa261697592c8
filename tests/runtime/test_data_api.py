"""Aurora's Data API: botocore's own client against a local endpoint; no emulator runs a cluster."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import runpy
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth

import breakwater_runtime as breakwater
from breakwater_runtime import _aws
from tests.runtime.aws_endpoint import AwsEndpoint
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER = "arn:aws:rds:eu-central-1:123456789012:cluster:shop"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop"


class Cluster:
    """Answers in turn; an exception's name with its message, or a response."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.lost: str | None = None

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append((operation, request))
        if operation == self.lost:
            raise ConnectionAbortedError
        if operation in ("BeginTransaction", "CommitTransaction", "RollbackTransaction"):
            return 200, {"transactionId": "t-1", "transactionStatus": "done"}
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.requests]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster = Cluster()
    _aws.client.cache_clear()
    with AwsEndpoint(cluster.answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_RDS_DATA", endpoint.url)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("BREAKWATER_RESOURCE_ARN", CLUSTER)
        monkeypatch.setenv("BREAKWATER_SECRET_ARN", SECRET)
        monkeypatch.setenv("BREAKWATER_DATABASE", "shop")
        yield cluster
    _aws.client.cache_clear()


def test_rows_and_parameters(cluster: Cluster) -> None:
    cluster.answers = [(200, {"formattedRecords": '[{"id": 7, "price": 1.10}]'})]
    found = breakwater.data_api().execute(
        "SELECT * FROM orders WHERE id = :id AND at > :at AND price < :price AND note IS NOT DISTINCT FROM :note",
        {"id": 7, "at": datetime.datetime(2026, 1, 2, 3, 4, 5), "price": decimal.Decimal("9.90"), "note": None},  # noqa: DTZ001
    )
    assert found == [{"id": 7, "price": decimal.Decimal("1.10")}]
    operation, request = cluster.requests[0]
    assert operation == "Execute"
    assert (request["resourceArn"], request["secretArn"], request["database"]) == (CLUSTER, SECRET, "shop")
    assert request["parameters"] == [
        {"name": "id", "value": {"longValue": 7}},
        {"name": "at", "value": {"stringValue": "2026-01-02 03:04:05.000"}, "typeHint": "TIMESTAMP"},
        {"name": "price", "value": {"stringValue": "9.90"}, "typeHint": "DECIMAL"},
        {"name": "note", "value": {"isNull": True}},
    ]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("DatabaseResumingException", "The Aurora DB instance is resuming after being auto-paused."),
        ("BadRequestException", "FATAL: too many connections for role"),
    ],
)
def test_what_was_not_executed_is_tried_again(cluster: Cluster, kind: str, message: str) -> None:
    cluster.answers = [(400, {"__type": kind, "message": message}), (200, {"formattedRecords": "[]"})]
    assert breakwater.data_api().execute("INSERT INTO orders VALUES (1)", context=Context(10)) == []
    assert len(cluster.requests) == 2


def test_says_what_was_tried(cluster: Cluster) -> None:
    cluster.answers = [(400, {"__type": "DatabaseResumingException", "message": "resuming"})]
    with pytest.raises(breakwater.ConnectionUnavailable, match=r"Data API of .*:shop at http\S+: no connection aft"):
        breakwater.data_api().execute("SELECT 1", context=Context(1.5))


def test_what_may_have_been_executed_is_not(cluster: Cluster) -> None:
    cluster.answers = [(400, {"__type": "StatementTimeoutException", "message": "Request timed out"})]
    with pytest.raises(Exception, match="timed out"):
        breakwater.data_api().execute("INSERT INTO orders VALUES (1)", context=Context(10))
    assert len(cluster.requests) == 1


def test_an_insert_whose_answer_is_lost_is_sent_once(cluster: Cluster) -> None:
    """botocore by itself sends it again."""
    cluster.answers = []  # no answer: the connection ends
    with pytest.raises(breakwater.OutcomeUnknown, match=r"shop at http\S+: the answer to execute_statement was"):
        breakwater.data_api().execute("INSERT INTO orders VALUES (1)", context=Context(10))
    assert cluster.operations == ["Execute"]


def test_what_fails_within_aws_is_unknown(cluster: Cluster) -> None:
    cluster.answers = [(500, {"__type": "InternalServerErrorException", "message": "An error occurred"})]
    with pytest.raises(breakwater.OutcomeUnknown, match="execute_statement failed within AWS, so it may"):
        breakwater.data_api().execute("INSERT INTO orders VALUES (1)", context=Context(10))
    assert cluster.operations == ["Execute"]


def test_a_commit_whose_answer_is_lost_is_unknown(cluster: Cluster) -> None:
    cluster.answers = [(200, {"formattedRecords": "[]"})]
    cluster.lost = "CommitTransaction"
    with (
        pytest.raises(breakwater.OutcomeUnknown, match="the answer to commit_transaction was lost"),
        breakwater.data_api().transaction(Context(10)) as transaction,
    ):
        transaction.execute("INSERT INTO orders VALUES (1)")
    assert cluster.operations == ["BeginTransaction", "Execute", "CommitTransaction"]


def test_a_data_api_that_says_nothing_costs_no_more_than_the_time(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        aurora = breakwater.data_api(endpoint_url=address)
        for ambient in (False, True):
            context, watch = Context(4), Stopwatch()
            with (
                breakwater.invocation(context) if ambient else contextlib.nullcontext(),
                pytest.raises(breakwater.OutcomeUnknown, match=rf"{address}: .*no answer within [123]\.\d s"),
            ):
                aurora.execute("UPDATE orders SET paid = 1", context=None if ambient else context)
            assert watch.seconds <= 3.7
        watch = Stopwatch()
        with pytest.raises(breakwater.ConnectionUnavailable, match=address), aurora.transaction(Context(2)):
            pytest.fail("it was never begun")
        assert watch.seconds <= 1.7


@pytest.mark.parametrize("place", [(SigV4Auth, "add_auth"), (socket, "getaddrinfo")], ids=["signing", "look-up"])
def test_what_was_given_up_is_not_sent_later(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    """The environment was frozen before the request left, and is thawed by the next invocation."""
    cluster.answers = [(200, {"formattedRecords": "[]"})]
    frozen, thawed = threading.Event(), threading.Event()
    real = getattr(*place)

    def freeze(*given: Any) -> Any:
        frozen.set()
        thawed.wait()
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(*place, freeze)
        with pytest.raises(breakwater.OutcomeUnknown):
            breakwater.data_api().execute("INSERT INTO orders VALUES (1)", context=Context(0.8))
    assert frozen.is_set()
    thawed.set()
    for thread in threading.enumerate():
        if thread.name == "breakwater-aws":
            thread.join(5)
    assert breakwater.data_api().execute("SELECT 1", context=Context(10)) == []
    assert [request["sql"] for _, request in cluster.requests] == ["SELECT 1"]


def test_a_refused_connection_is_tried_again(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(breakwater.ConnectionUnavailable, match=r"after \d+ attempts"):
        breakwater.data_api(endpoint_url=address).execute("UPDATE orders SET paid = 1", context=Context(2))


def test_retries_of_botocore_are_not_taken_over(cluster: Cluster) -> None:
    from botocore.config import Config  # noqa: PLC0415, RUF100

    config = Config(retries={"total_max_attempts": 5, "mode": "standard"}, read_timeout=30)
    aurora = breakwater.data_api(config=config)
    assert aurora._rds_data.meta.config.retries["total_max_attempts"] == 1
    assert aurora._rds_data.meta.config.read_timeout == 30


def test_a_transaction_is_committed_or_rolled_back(cluster: Cluster) -> None:
    cluster.answers = [(200, {"formattedRecords": "[]"})]
    aurora = breakwater.data_api()
    with aurora.transaction() as transaction:
        transaction.execute("INSERT INTO orders VALUES (1)")
    assert cluster.operations == ["BeginTransaction", "Execute", "CommitTransaction"]
    assert cluster.requests[1][1]["transactionId"] == "t-1"
    cluster.requests.clear()

    def fail() -> None:
        with aurora.transaction():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert cluster.operations == ["BeginTransaction", "RollbackTransaction"]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKWATER_RESOURCE_ARN", raising=False)
    with pytest.raises(breakwater.ConfigurationError, match="BREAKWATER_RESOURCE_ARN"):
        breakwater.data_api()


def test_a_value_without_a_type_is_named(cluster: Cluster) -> None:
    cluster.answers = [(200, {})]
    with pytest.raises(breakwater.ConfigurationError, match="'tags' is a set"):
        breakwater.data_api().execute("SELECT :tags", {"tags": {1}})


def test_the_shop_asks_the_warehouse(cluster: Cluster) -> None:
    stock = Path(__file__).parents[2] / "lambda_src" / "handlers" / "orders" / "stock.py"
    handler = runpy.run_path(str(stock))["handler"]
    cluster.answers = [(200, {"formattedRecords": '[{"units": 12}]'})]
    assert handler({"sku": "ROPE"}, Context(10)) == {"sku": "ROPE", "units": 12}
    cluster.answers = [(200, {"formattedRecords": "[]"})]
    with pytest.raises(LookupError, match="no product SUBMARINE"):
        handler({"sku": "SUBMARINE"}, Context(10))
