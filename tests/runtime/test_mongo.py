"""MongoDB: few connections, against a server that speaks the wire protocol."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

import dns.resolver
import pymongo.errors
import pytest

import breakwater_runtime as breakwater
from tests.runtime.lambda_context import Context
from tests.runtime.mongo_server import MongoServer
from tests.runtime.waiting import Stopwatch


def test_one_connection_for_operations_and_one_for_watching() -> None:
    with MongoServer() as server:
        documents = breakwater.mongo(host=server.host, port=server.port)
        time.sleep(0.1)
        assert server.connections == 0
        orders = documents["shop"]["orders"]
        threads = [threading.Thread(target=orders.insert_one, args=({"number": n},)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {order["number"] for order in orders.find({})} == set(range(20))
        assert server.peak == 2
        documents.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_insert_is_sent_once(host: str) -> None:
    with MongoServer(host) as server:
        documents = breakwater.mongo(host=host, port=server.port)
        documents["shop"]["orders"].insert_one({"number": 1})
        assert server.commands.count("insert") == 1
        documents.close()


def test_a_seed_list_in_dns_is_asked_for_its_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def resolve(name: str, kind: str, **options: object) -> None:
        asked.append((name, kind))
        raise dns.resolver.NXDOMAIN

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    # the port that the construct sets, which a seed list does without
    documents = breakwater.mongo(
        host="mongodb+srv://cluster0.abcde.mongodb.net", port=27017, user="app", password="with/@", function_timeout=2
    )
    assert asked == []
    with pytest.raises(pymongo.errors.ConfigurationError):
        documents["shop"]["orders"].find_one()
    assert asked[0] == ("_mongodb._tcp.cluster0.abcde.mongodb.net", "SRV")
    documents.close()


def test_an_unreachable_server_is_told_before_the_timeout() -> None:
    with MongoServer() as server:
        port = server.port
    documents = breakwater.mongo(host="127.0.0.1", port=port, function_timeout=2)
    watch = Stopwatch()
    with pytest.raises(pymongo.errors.ServerSelectionTimeoutError, match="refused"):
        documents["shop"]["orders"].find_one()
    assert watch.seconds < 2
    documents.close()


@pytest.mark.parametrize("ambient", [False, True], ids=["function_timeout", "invocation"])
@pytest.mark.parametrize("answering", [False, True], ids=["connect", "operation"])
def test_a_server_that_says_nothing_costs_no_more_than_the_time(ambient: bool, answering: bool) -> None:
    with MongoServer() as server, socket.create_server(("127.0.0.1", 0)) as silent:
        port = server.port if answering else silent.getsockname()[1]
        documents = breakwater.mongo(host="127.0.0.1", port=port, function_timeout=60 if ambient else 4)
        orders = documents["shop"]["orders"]
        if answering:
            orders.find_one()
            server.silent = True
        watch = Stopwatch()
        with (
            breakwater.invocation(Context(4)) if ambient else contextlib.nullcontext(),
            pytest.raises(pymongo.errors.PyMongoError, match=rf"127\.0\.0\.1(:|', ){port}") as caught,
        ):
            orders.insert_one({"number": 1})
        assert watch.seconds <= 3.7
        assert caught.value.timeout
        server.silent = False
        documents.close()


def test_a_change_stream_without_changes_ends_with_the_block() -> None:
    with MongoServer() as server:
        documents, watch = breakwater.mongo(host=server.host, port=server.port, function_timeout=60), Stopwatch()
        with breakwater.invocation(Context(1.2)), documents["shop"]["orders"].watch() as changes:
            with pytest.raises(pymongo.errors.PyMongoError) as caught:
                next(changes)
            assert caught.value.timeout
        assert watch.seconds < 1.2
        assert server.commands.count("getMore") > 2
        documents.close()


def test_attempts_of_a_transaction_end_with_the_block() -> None:
    """PyMongo by itself would go on for 120 s."""
    with MongoServer() as server:
        server.transient = True
        documents, watch = breakwater.mongo(host=server.host, port=server.port, function_timeout=60), Stopwatch()
        orders = documents["shop"]["orders"]
        with breakwater.invocation(Context(1.2)), documents.start_session() as session:
            with pytest.raises(pymongo.errors.PyMongoError) as caught:
                session.with_transaction(lambda one: orders.insert_one({"number": 1}, session=one))
            assert caught.value.timeout
        assert watch.seconds < 2
        assert server.commands.count("insert") > 2
        documents.close()


@pytest.mark.parametrize(
    "option",
    [
        {"tlsInsecure": True},
        {"tlsAllowInvalidCertificates": True},
        {"TLSALLOWINVALIDHOSTNAMES": True},
        {"tls": False},
        {"ssl": False},
        {"tlsCAFile": "/other.pem"},
        {"host": "mongodb://app:secret@cluster0.example.net/?tlsInsecure=true"},
    ],
)
def test_what_would_leave_the_server_unverified_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(breakwater.ConfigurationError, match=rf"(?i){next(iter(option))}") as caught:
        breakwater.mongo(**{"host": "cluster0.example.net", "user": "app", "password": "not used"} | option)
    assert "secret" not in str(caught.value)


def test_more_connections_where_the_handler_uses_threads() -> None:
    documents = breakwater.mongo(host="127.0.0.1", parallelism=5, appname="orders")
    assert documents.options.pool_options.max_pool_size == 5
    documents.close()


@pytest.mark.filterwarnings("ignore:You appear to be connected to a DocumentDB cluster:UserWarning")
@pytest.mark.parametrize(
    ("host", "retried"),
    [("shop.cluster-abc.eu-central-1.docdb.amazonaws.com", False), ("cluster0.example.net", True)],
)
def test_documentdb_has_no_retryable_writes(host: str, retried: bool) -> None:
    documents = breakwater.mongo(host=host, user="app", password="not used")
    assert documents.options.retry_writes is retried
    documents.close()


def test_tls_is_verified_beyond_loopback() -> None:
    documents = breakwater.mongo(host="cluster0.example.net", user="app", password="not used")
    options = documents.options.pool_options
    assert options._ssl_context is not None
    assert options._ssl_context.verify_mode.name == "CERT_REQUIRED"
    assert options._ssl_context.check_hostname
    documents.close()
