"""Redis: one connection, retried on connecting, no command twice."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_py
from servers import Certificates, Network, RedisServer

import breakwater_runtime as breakwater
from breakwater_runtime import credentials
from breakwater_runtime._core import line
from breakwater_runtime._redis import connection as redis_connection
from breakwater_runtime._secret import Secret
from tests.runtime.conformance.trouble import Fault, Trouble
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import Stopwatch, wait_until


def settings(server: RedisServer) -> dict[str, Any]:
    return {name: value for name, value in server.settings.items() if name not in ("max_connections", "database")}


def test_one_connection(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**settings(redis_server))
    assert redis_server.sessions() == 0
    threads = [threading.Thread(target=cache.incr, args=("counter",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get("counter") == b"20"
    assert redis_server.sessions() == 1
    cache.close()
    wait_until(lambda: redis_server.sessions() == 0)


def test_an_ipv6_address(redis_server: RedisServer) -> None:
    with Trouble(redis_server, host="::1") as network:
        cache = breakwater.redis(**(settings(redis_server) | {"host": "::1", "port": network.port}))
        assert cache.ping()
        network.at("GET", Fault.ANSWER_LOST)
        with breakwater.invocation(Context(0.8)), pytest.raises(redis_py.TimeoutError, match=r"redis at \[::1\]:"):
            cache.get("key")
        cache.close()


def test_heals_after_the_server_ended_it(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**settings(redis_server))
    cache.set("key", "value")
    with redis_server.admin() as admin:
        admin.execute_command("CLIENT", "KILL", "USER", "app")
    time.sleep(0.05)
    assert cache.get("key") == b"value"
    cache.close()


def test_a_connect_is_retried() -> None:
    with RedisServer() as server:
        cache = breakwater.redis(**settings(server))
        server.stop()
        restart = threading.Timer(0.5, server.start)
        restart.start()
        cache.set("key", "value")
        restart.join()
        assert cache.get("key") == b"value"
        cache.close()


def test_says_what_was_tried() -> None:
    with RedisServer() as server:
        known = settings(server)
    cache = breakwater.redis(**known, function_timeout=1.5)
    with pytest.raises(breakwater.ConnectionUnavailable, match="no connection after"):
        cache.ping()


def test_a_command_is_never_sent_twice(redis_server: RedisServer) -> None:
    """redis-py by itself repeats an INCR whose answer was lost."""
    with redis_server.admin() as admin:
        admin.delete("lost")
    with Network(redis_server) as network:
        cache = breakwater.redis(**(settings(redis_server) | {"port": network.port}), socket_timeout=0.5)
        cache.ping()
        network.black_hole()
        with pytest.raises(redis_py.TimeoutError):
            cache.incr("lost")
        cache.incr("lost")
        assert cache.get("lost") == b"1"
        cache.close()


def test_a_transaction_whose_answer_is_lost_is_not_repeated(redis_server: RedisServer) -> None:
    """redis-py by itself takes it for a changed key, and applies it twice."""
    with redis_server.admin() as admin:
        admin.delete("transacted")

    def work(pipeline: Any) -> None:
        pipeline.get("transacted")
        pipeline.multi()
        pipeline.incr("transacted")

    with Trouble(redis_server) as network:
        cache = breakwater.redis(**(settings(redis_server) | {"port": network.port}))
        for fault in (Fault.CUT_AFTER, Fault.ANSWER_LOST):
            network.at("EXEC", fault)
            with breakwater.invocation(Context(1)), pytest.raises(breakwater.OutcomeUnknown, match="EXEC"):
                cache.transaction(work, "transacted")
        assert cache.get("transacted") == b"2"
        cache.close()


def test_a_watch_is_not_lost_with_its_connection(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look before a command finds it dead: what follows on another one would be watched by nobody."""
    with Network(redis_server) as network, redis_server.admin() as admin:
        cache = breakwater.redis(**(settings(redis_server) | {"port": network.port}))
        with cache.pipeline() as pipeline:
            pipeline.watch("watched")
            pipeline.multi()
            pipeline.set("watched", "of old")
            network.black_hole()
            admin.set("watched", "of another")
            monkeypatch.setattr(redis_connection, "CHECK_AFTER_SECONDS", 0.0)
            with pytest.raises(redis_py.WatchError):
                pipeline.execute()
        assert cache.get("watched") == b"of another"
        cache.close()


def test_a_process_that_stands_still_while_it_asks(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the look is over: it isn't given the command's instead."""
    send = redis_connection.Bounded.send_command

    def stalled(connection: Any, *arguments: Any, **options: Any) -> None:
        send(connection, *arguments, **options)
        if arguments == ("PING",):
            time.sleep(1.2)

    with Network(redis_server) as network:
        cache = breakwater.redis(**(settings(redis_server) | {"port": network.port}))
        cache.set("key", "value")
        network.black_hole()
        monkeypatch.setattr(redis_connection, "CHECK_AFTER_SECONDS", 0.0)
        monkeypatch.setattr(redis_connection.Bounded, "send_command", stalled)
        began = time.monotonic()
        with breakwater.invocation(Context(10)):
            assert cache.get("key") == b"value"
        assert time.monotonic() - began < 6
        cache.close()


def test_an_answer_that_is_read_too_late(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stood still over its deadline, and the answer has come meanwhile."""
    cache = breakwater.redis(**settings(redis_server))
    cache.set("late", 1)
    send = redis_connection.Bounded.send_packed_command

    def stalled(connection: Any, *arguments: Any, **options: Any) -> None:
        send(connection, *arguments, **options)
        time.sleep(0.8)

    with monkeypatch.context() as patch:
        patch.setattr(redis_connection.Bounded, "send_packed_command", stalled)
        with breakwater.invocation(Context(1.2)):
            assert cache.incr("late") == 2
    assert cache.get("late") == b"2"
    cache.close()


def test_a_watch_keeps_no_connection_beyond_the_deadline(redis_server: RedisServer) -> None:
    with Network(redis_server) as network:
        cache = breakwater.redis(**(settings(redis_server) | {"port": network.port}))

        def watch() -> None:
            with cache.pipeline() as pipeline:
                pipeline.watch("watched")
                network.black_hole()
                pipeline.get("watched")

        # kept, and with it the frames of the pipeline
        with breakwater.invocation(Context(0.8)), pytest.raises(redis_py.RedisError) as caught:
            watch()
        with breakwater.invocation(Context(5)):
            assert cache.ping(), caught
        cache.close()


def test_a_monitor_that_is_refused_keeps_no_connection(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**settings(redis_server))
    with pytest.raises(redis_py.ResponseError, match="no permissions"), cache.monitor():
        pass
    with breakwater.invocation(Context(2)):
        assert cache.ping()
    cache.close()


def test_a_wrong_password_is_told_at_once(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**(settings(redis_server) | {"password": "not it"}))
    watch = Stopwatch()
    with pytest.raises(redis_py.AuthenticationError):
        cache.ping()
    assert watch.seconds < 5


def test_nothing_of_one_command_is_left_to_the_next(redis_server: RedisServer) -> None:
    """redis-py by itself stays in database 3, in the transaction, and with the client's name."""
    cache = breakwater.redis(**settings(redis_server))
    cache.set("where", "0")
    cache.select(3)
    assert cache.get("where") == b"0"
    cache.execute_command("MULTI")
    assert cache.get("where") == b"0"
    cache.client_setname("tenant-a")
    assert cache.client_getname() is None
    pipeline = cache.pipeline(transaction=False)
    pipeline.execute_command("SELECT", 3)
    pipeline.execute()
    assert cache.get("where") == b"0"
    # what redis-py ends by itself keeps its connection
    identity = cache.client_id()
    with cache.pipeline() as transaction:
        transaction.watch("where")
        transaction.multi()
        transaction.set("where", "0")
        assert transaction.execute() == [True]
    assert redis_server.sessions() == 1
    cache.execute_command("RESET")  # logged out
    assert cache.get("where") == b"0"
    cache.close()
    assert identity


def test_a_database_of_ones_own_stays(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**settings(redis_server), db=3)
    cache.set("where", "3")
    with redis_server.admin() as admin:
        admin.client_kill_filter(user="app")
    assert cache.get("where") == b"3"
    cache.close()


@pytest.fixture
def silent() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("ambient", [False, True], ids=["function_timeout", "invocation"])
def test_a_server_that_says_nothing_costs_no_more_than_the_time(silent: int, ambient: bool) -> None:
    arguments: dict[str, Any] = {"host": "127.0.0.1", "port": silent, "password": "x", "function_timeout": 4}
    cache = breakwater.redis(**(arguments | {"function_timeout": 60} if ambient else arguments))
    watch = Stopwatch()
    with (
        breakwater.invocation(Context(4)) if ambient else contextlib.nullcontext(),
        pytest.raises(breakwater.ConnectionUnavailable, match=rf"redis at 127\.0\.0\.1:{silent}: .* in 3\.\d s"),
    ):
        cache.ping()
    assert watch.seconds <= 3.7


def test_without_any_setting_a_cache_is_given_up_before_lambdas_default_timeout(silent: int) -> None:
    cache, watch = breakwater.redis(host="127.0.0.1", port=silent, password="x"), Stopwatch()
    with pytest.raises(breakwater.ConnectionUnavailable):
        cache.ping()
    assert watch.seconds <= 2.7


def test_a_name_that_nobody_resolves_costs_no_more_than_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real, name = socket.getaddrinfo, "nobody-answers.test"

    def getaddrinfo(host: str, port: int, *more: int) -> Any:
        if host == name and socket.AI_NUMERICHOST not in more[-1:]:
            time.sleep(10)
        return real(host, port, *more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    cache, watch = breakwater.redis(host=name, password="x"), Stopwatch()
    with breakwater.invocation(Context(2)), pytest.raises(breakwater.ConnectionUnavailable, match=f"redis at {name}"):
        cache.ping()
    assert watch.seconds <= 4


def test_an_answer_byte_by_byte_costs_no_more_than_the_time() -> None:
    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            client.recv(1000)
            for byte in b"+" * 60:
                client.sendall(bytes([byte]))
                time.sleep(0.25)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        port = server.getsockname()[1]
        cache, watch = breakwater.redis(host="127.0.0.1", port=port, driver_info=None), Stopwatch()
        said = rf"redis at 127\.0\.0\.1:{port}: no answer to a command within 1\.\d s; the invocation's time is over"
        with breakwater.invocation(Context(2)), pytest.raises(redis_py.TimeoutError, match=said):
            cache.ping()
        assert watch.seconds <= 1.7
        thread.join()


def test_a_lock_that_another_holds_is_waited_for_until_the_deadline(redis_server: RedisServer) -> None:
    cache, watch = breakwater.redis(**settings(redis_server)), Stopwatch()
    with cache.lock("held", timeout=20), breakwater.invocation(Context(0.9)):
        # between two attempts redis-py sleeps, so that the time is over before a command and not within it
        with pytest.raises(redis_py.TimeoutError, match=rf"redis at 127\.0\.0\.1:{redis_server.port}: .* time is over"):
            cache.lock("held", timeout=20).acquire()
        assert watch.seconds < 0.8
    cache.close()


def test_after_a_pause_a_connection_that_the_network_forgot_costs_a_second(redis_server: RedisServer) -> None:
    with Network(redis_server) as network:
        cache = breakwater.redis(**(settings(redis_server) | {"port": network.port}))
        cache.set("key", "value")
        network.black_hole()
        time.sleep(2.6)
        watch = Stopwatch()
        with breakwater.invocation(Context(20)):
            assert cache.get("key") == b"value"
        assert watch.seconds < 3
        cache.close()


def test_a_connection_that_another_thread_keeps_is_waited_for(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**settings(redis_server))
    # for less than its own deadline, which is 2.5 s where no timeout is known
    blocked = threading.Thread(target=cache.blpop, args=(["nothing"], 2))
    blocked.start()
    time.sleep(0.3)
    said = "none of this environment's 1 connections was free within 0"
    with breakwater.invocation(Context(1)), pytest.raises(redis_py.ConnectionError, match=said):
        cache.ping()
    blocked.join()
    cache.close()


def test_a_subscription_waits_as_long_as_it_likes(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**settings(redis_server), parallelism=2, function_timeout=2)
    with cache.pubsub() as subscription:
        subscription.subscribe("news")
        assert (subscription.get_message(timeout=1) or {})["type"] == "subscribe"
        time.sleep(2)
        cache.publish("news", "late")
        assert (subscription.get_message(timeout=1) or {})["data"] == b"late"
    cache.close()


def test_a_rotated_secret_is_fetched_again(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    known = settings(redis_server)
    passwords = iter(["of yesterday", known["password"]])

    def fetch(*_: object) -> Secret:
        return Secret(user=known["user"], password=next(passwords))

    monkeypatch.setattr(credentials, "fetch", fetch)
    cache = breakwater.redis(host=known["host"], port=known["port"], secret_arn="arn")
    assert cache.ping()
    cache.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ssl_cert_reqs", None),
        ("ssl_cert_reqs", "optional"),
        ("ssl_check_hostname", False),
        ("ssl", False),
        ("ssl_ca_certs", "/other.pem"),
        ("connection_class", redis_py.Connection),
    ],
)
def test_what_would_leave_the_server_unverified_is_refused(option: str, value: object) -> None:
    with pytest.raises(breakwater.ConfigurationError, match=rf"{option} .* tls_ca"):
        breakwater.redis(host="cache.example.net", **{option: value})
    with pytest.raises(breakwater.ConfigurationError, match="plain text: name a CA by tls_ca"):
        breakwater.redis(host="127.0.0.1", ssl_min_version=2)


def test_it_can_be_made_before_it_is_configured(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKWATER_CACHE_HOST", raising=False)
    cache = breakwater.redis("cache")
    with pytest.raises(breakwater.ConfigurationError, match="BREAKWATER_CACHE_HOST"):
        cache.ping()
    for name, value in settings(redis_server).items():
        monkeypatch.setenv(f"BREAKWATER_CACHE_{name.upper()}", str(value))
    cache = breakwater.redis("cache", password=redis_server.password)
    assert cache.ping()
    cache.close()


def sent_late(one: socket.socket, data: bytes) -> None:
    time.sleep(0.2)
    line.sent(one, data)


def test_tls_is_verified(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer(certificates=certificates.right, require_tls=True) as server:
        cache = breakwater.redis(**settings(server))
        assert cache.ping()
        cache.close()
        with pytest.raises(redis_py.ConnectionError, match="certificate verify failed"):
            breakwater.redis(**(settings(server) | {"tls_ca": str(certificates.other_ca)})).ping()
        own = {"ssl_certfile": str(certificates.expired.certificate), "ssl_keyfile": str(certificates.expired.key)}
        with pytest.raises(redis_py.ConnectionError, match="alert certificate expired") as caught:
            breakwater.redis(**settings(server), **own).ping()
        assert not isinstance(caught.value, breakwater.ConnectionUnavailable)
        # so late that the server has already ended the connection
        monkeypatch.setattr(redis_connection, "sent", sent_late)
        with pytest.raises(redis_py.ConnectionError, match="alert certificate expired") as caught:
            breakwater.redis(**settings(server), **own).ping()
        assert not isinstance(caught.value, breakwater.ConnectionUnavailable)
        monkeypatch.undo()
        with pytest.raises(breakwater.ConfigurationError, match=r"/nowhere\.key"):
            breakwater.redis(**settings(server), **(own | {"ssl_keyfile": "/nowhere.key"})).ping()
        # TLS 1.2 has no other word for a certificate that is missing
        with server.admin() as admin:
            admin.config_set("tls-protocols", "TLSv1.2")
            admin.config_set("tls-auth-clients", "yes")
        with pytest.raises(redis_py.ConnectionError, match="alert handshake failure") as caught:
            breakwater.redis(**settings(server)).ping()
        assert not isinstance(caught.value, breakwater.ConnectionUnavailable)
    with (
        RedisServer(certificates=certificates.wrong_host) as server,
        pytest.raises(redis_py.ConnectionError, match="certificate verify failed"),
    ):
        breakwater.redis(**settings(server)).ping()
