"""Redis: one connection, retried on connecting, no command twice."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import redis as redis_py

import breakwater_runtime as breakwater
from tests.servers import Certificates, Network, RedisServer


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


def test_a_wrong_password_is_told_at_once(redis_server: RedisServer) -> None:
    cache = breakwater.redis(**(settings(redis_server) | {"password": "not it"}))
    started = time.monotonic()
    with pytest.raises(redis_py.AuthenticationError):
        cache.ping()
    assert time.monotonic() - started < 5


def test_tls_is_verified(certificates: Certificates) -> None:
    with RedisServer(certificates=certificates.right, require_tls=True) as server:
        cache = breakwater.redis(**settings(server))
        assert cache.ping()
        cache.close()
        with pytest.raises(redis_py.ConnectionError, match="certificate verify failed"):
            breakwater.redis(**(settings(server) | {"tls_ca": str(certificates.other_ca)})).ping()
    with (
        RedisServer(certificates=certificates.wrong_host) as server,
        pytest.raises(redis_py.ConnectionError, match="certificate verify failed"),
    ):
        breakwater.redis(**settings(server)).ping()
