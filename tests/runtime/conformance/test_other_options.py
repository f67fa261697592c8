"""Each keyword that redis-py's connection and PyMongo's client accept: kept with this value, or refused."""

from __future__ import annotations

import inspect
import ssl
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pymongo
import pytest
import redis as redis_py
from pymongo import common
from pymongo.driver_info import DriverInfo
from pymongo.server_api import ServerApi
from redis.connection import AbstractConnection, Connection, DefaultParser, SSLConnection
from redis.event import EventDispatcher

import breakwater_runtime as breakwater
from tests.runtime.mongo_server import MongoServer
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from servers import Certificates, RedisServer

REDIS_SETTINGS = {"host", "port", "password"}
REDIS_REFUSED = frozenset((
    "cache", "cache_config", "connection_class", "connection_pool", "credential_provider", "health_check_interval",
    "himport_registry",
    "maint_notifications_config", "maint_notifications_pool_handler", "maintenance_notification_hash",
    "maintenance_state", "max_connections", "orig_host_address", "orig_socket_connect_timeout", "orig_socket_timeout",
    "oss_cluster_maint_notifications_handler", "queue_class", "retry", "retry_on_error", "retry_on_timeout",
    "single_connection_client", "socket_keepalive", "socket_keepalive_options", "socket_type", "ssl", "ssl_ca_certs",
    "ssl_ca_data", "ssl_ca_path", "ssl_ocsp_context", "ssl_ocsp_expected_cert", "ssl_validate_ocsp",
    "ssl_validate_ocsp_stapled", "timeout", "unix_socket_path", "username",
))  # fmt: skip
REDIS_DEPRECATED = ("lib_name", "lib_version")
"""Once redis-py has no such option any more, the runtime says so."""
REDIS_KEPT: dict[str, Any] = {
    "client_name": "shop",
    "command_packer": None,
    "db": 3,
    "decode_responses": False,
    "driver_info": None,
    "encoding": "latin1",
    "encoding_errors": "replace",
    "event_dispatcher": EventDispatcher(),
    "legacy_responses": True,
    "lib_name": "shop",
    "lib_version": "1",
    "parser_class": DefaultParser,
    "protocol": 3,
    "redis_connect_func": AbstractConnection.on_connect,
    "socket_connect_timeout": 3.0,
    "socket_read_size": 1024,
    "socket_timeout": 3.0,
}


def redis_tls(certificates: Certificates) -> dict[str, Any]:
    own = certificates.right
    return {
        "ssl_cert_reqs": "required",
        "ssl_certfile": str(own.certificate),
        "ssl_check_hostname": True,
        "ssl_ciphers": "DEFAULT",
        "ssl_exclude_verify_flags": [],
        "ssl_include_verify_flags": [ssl.VERIFY_X509_TRUSTED_FIRST],
        "ssl_keyfile": str(own.key),
        "ssl_min_version": ssl.TLSVersion.TLSv1_3,
        "ssl_password": "unused",
    }


def kept_by_redis(name: str) -> AbstractContextManager[object]:
    """Expect redis-py's own warning of an option that it is going to drop, and none of another."""
    return pytest.deprecated_call(match=name) if name in REDIS_DEPRECATED else nullcontext()


def given(server: RedisServer) -> dict[str, Any]:
    return {name: value for name, value in server.settings.items() if name not in ("max_connections", "database")}


def test_each_option_of_redis_py_has_a_verdict(certificates: Certificates) -> None:
    accepted = {
        name
        for taker in (AbstractConnection, Connection, SSLConnection)
        for name in inspect.signature(taker.__init__).parameters
    } - {"self", "kwargs"}
    assert accepted - REDIS_SETTINGS - REDIS_REFUSED - REDIS_KEPT.keys() - redis_tls(certificates).keys() == set()


@pytest.mark.parametrize("configured", [True, False])
def test_what_redis_refuses_is_refused_at_once(configured: bool) -> None:
    where = {"host": "cache.example.net"} if configured else {}
    for name in [*REDIS_REFUSED, "no_such_option"]:
        with pytest.raises(breakwater.ConfigurationError, match=name):
            breakwater.redis(**where, **{name: 1})


def test_what_redis_keeps_breaks_no_promise(redis_server: RedisServer) -> None:
    """One command, sent once; the state of one is none of the next's; as many connections as counted."""
    for name, value in REDIS_KEPT.items():
        cache = breakwater.redis(**given(redis_server), **{name: value})
        key = f"kept-{name}"
        with kept_by_redis(name):
            assert cache.incr(key) in (1, "1"), name
        cache.select(5)
        assert cache.get(key) in (b"1", "1"), name
        wait_until(lambda: redis_server.sessions() == 1)
        assert cache.connection_pool.connection_kwargs.get(name, value) == value
        if name == "client_name":
            assert cache.client_getname() in (b"shop", "shop")
        cache.delete(key)
        cache.close()


def test_a_shorter_wait_of_the_user_s_holds(redis_server: RedisServer) -> None:
    """Not redis-py's own 5 s, which nobody has asked for."""
    started = time.monotonic()
    cache = breakwater.redis(**given(redis_server), socket_timeout=0.3, function_timeout=20)
    with pytest.raises(redis_py.TimeoutError, match=r"within 0\.3 s"):
        cache.blpop(["nothing"], 10)
    cache.close()
    assert time.monotonic() - started < 3
    cache = breakwater.redis(**given(redis_server), function_timeout=20)
    assert cache.ping()
    assert cache.connection_pool.get_connection().socket_timeout is None
    cache.close()


def test_no_option_of_redis_switches_verification_off(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from servers import RedisServer

    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    # the system's authorities count only where tls_ca says so
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    with RedisServer(certificates=certificates.right, require_tls=True) as server:
        other = given(server) | {"tls_ca": str(certificates.other_ca)}
        tls = redis_tls(certificates)
        for name, value in (REDIS_KEPT | tls).items():
            also = {"ssl_certfile": tls["ssl_certfile"]} if name == "ssl_keyfile" else {}
            also |= {"ssl_keyfile": tls["ssl_keyfile"]} if name == "ssl_certfile" else {}
            with kept_by_redis(name), pytest.raises(redis_py.ConnectionError, match="certificate verify failed"):
                breakwater.redis(**other, **{name: value}, **also).ping()
            cache = breakwater.redis(**given(server), **{name: value}, **also)
            with kept_by_redis(name):
                assert cache.ping(), name
            cache.close()
    assert not (tmp_path / "keys").exists()


MONGO_SETTINGS = {"host", "port", "password"}
MONGO_REFUSED = {
    "connect": True,
    "maxPoolSize": 50,
    "socketTimeoutMS": 2000,
    "waitQueueTimeoutMS": 2000,
    "wtimeoutMS": 2000,
    "username": "app",
    "tlsCAFile": "/other.pem",
    "tlsInsecure": True,
    "tlsAllowInvalidCertificates": True,
    "tlsAllowInvalidHostnames": True,
    "tls": False,
    "ssl": False,
}
MONGO_KEPT: dict[str, Any] = {
    "appname": "shop",
    "authMechanism": "SCRAM-SHA-256",
    "authMechanismProperties": "SERVICE_NAME:shop",
    "authOIDCAllowedHosts": ["*.example.net"],
    "authSource": "admin",
    "auto_encryption_opts": None,
    "compressors": "zlib",
    "connectTimeoutMS": 3000,
    "datetime_conversion": "DATETIME_AUTO",
    "directConnection": True,
    "document_class": dict,
    "driver": DriverInfo("shop"),
    "enableOverloadRetargeting": True,
    "enable_overload_retargeting": True,
    "event_listeners": [],
    "fsync": False,
    "heartbeatFrequencyMS": 20_000,
    "journal": True,
    "loadBalanced": False,
    "localThresholdMS": 20,
    "maxAdaptiveRetries": 1,
    "max_adaptive_retries": 1,
    "maxConnecting": 1,
    "maxIdleTimeMS": 30_000,
    "maxStalenessSeconds": -1,
    "minPoolSize": 0,
    "readConcernLevel": "majority",
    "readPreference": "secondary",
    "read_preference": pymongo.ReadPreference.SECONDARY,
    "readPreferenceTags": "",
    "replicaSet": "rs0",
    "retryReads": False,
    "retryWrites": False,
    "serverMonitoringMode": "auto",
    "serverSelectionTimeoutMS": 2000,
    "server_api": ServerApi("1"),
    "server_selector": None,
    "srvAllowedHostsSuffix": ".example.net",
    "srvMaxHosts": 0,
    "srvServiceName": "mongodb",
    "srv_host_validator": None,
    "timeoutMS": 2000,
    "tlsCRLFile": None,
    "tlsCertificateKeyFile": None,
    "tlsCertificateKeyFilePassword": None,
    "tlsDisableOCSPEndpointCheck": True,
    "type_registry": None,
    "tz_aware": True,
    "tzinfo": None,
    "unicode_decode_error_handler": "replace",
    "uuidRepresentation": "standard",
    "w": 1,
    "waitQueueMultiple": 5,
    "zlibCompressionLevel": 3,
}


def test_each_option_of_pymongo_has_a_verdict() -> None:
    accepted = set(common.VALIDATORS) | {
        name.lower() for name in inspect.signature(pymongo.MongoClient.__init__).parameters
    } - {"self", "kwargs"}
    verdicts = {name.lower() for name in (*MONGO_REFUSED, *MONGO_KEPT)}
    assert accepted - MONGO_SETTINGS - verdicts == set()


@pytest.mark.parametrize("spelt", [str, str.lower, str.upper])
def test_what_pymongo_would_lose_or_weaken_is_refused_at_once(spelt: Any) -> None:
    for name, value in MONGO_REFUSED.items():
        with pytest.raises(breakwater.ConfigurationError, match=name):
            breakwater.mongo(host="db.example.net", user="app", password="not used", **{spelt(name): value})
        uri = f"mongodb://db.example.net:27017/?appName=shop&{spelt(name)}={str(value).lower()}"
        with pytest.raises(breakwater.ConfigurationError, match=name):
            breakwater.mongo(host=uri, user="app", password="not used")
    with pytest.raises(pymongo.errors.ConfigurationError, match="no_such_option"):
        breakwater.mongo(host="db.example.net", user="app", password="not used", no_such_option=1)


def test_what_pymongo_keeps_leaves_the_server_verified_and_the_time_bounded() -> None:
    for name, value in MONGO_KEPT.items():
        if value is None:
            continue
        documents = breakwater.mongo(host="db.example.net", user="app", password="not used", **{name: value})
        options = documents.options
        context = options.pool_options._ssl_context
        assert context is not None, name
        assert context.verify_mode.name == "CERT_REQUIRED", name
        assert context.check_hostname, name
        assert options.timeout is not None, name
        assert options.timeout <= 14.5, name
        assert options.pool_options.max_pool_size == 1, name
        documents.close()


@pytest.mark.parametrize(("said", "seconds"), [("", 14.5), ("?timeoutMS=700", 0.7), ("?timeoutMS=60000", 14.5)])
@pytest.mark.parametrize("servers", ["a.example.net:27018,b.example.net:27019", "a.example.net:27018"])
def test_a_uri_of_pymongo_is_read_with_its_ports_and_its_shorter_timeout(
    servers: str, said: str, seconds: float
) -> None:
    documents = breakwater.mongo(host=f"mongodb://{servers}/{said}", user="app", password="not used")
    assert documents.options.timeout == seconds
    assert ",".join(f"{host}:{port}" for host, port in sorted(documents._topology_settings.seeds)) == servers
    documents.close()


@pytest.mark.parametrize("wanted", [0, None, 60_000, 700])
def test_no_option_of_pymongo_outlasts_the_deadline(wanted: int | None) -> None:
    with MongoServer() as server:
        documents = breakwater.mongo(host=server.host, port=server.port, function_timeout=2, timeoutms=wanted)
        documents["shop"]["orders"].find_one()
        server.silent = True
        started = time.monotonic()
        with pytest.raises(pymongo.errors.PyMongoError):
            documents["shop"]["orders"].find_one()
        assert time.monotonic() - started < (1.4 if wanted == 700 else 1.9)
        documents.close()


@pytest.mark.parametrize("client", [breakwater.mongo, breakwater.redis])
@pytest.mark.parametrize("parallelism", [0, None])
def test_no_parallelism_is_without_a_limit(client: Any, parallelism: Any) -> None:
    with pytest.raises(breakwater.ConfigurationError, match="parallelism is"):
        client(host="127.0.0.1", parallelism=parallelism)


def test_documentdb_s_waits_are_no_longer_than_a_quarter() -> None:
    host = "shop.cluster-abc.eu-central-1.docdb.amazonaws.com"
    with pytest.warns(UserWarning, match="DocumentDB"):  # PyMongo's own words
        documents = breakwater.mongo(
            host=host, user="app", password="not used", function_timeout=8.5, socketTimeoutMS=0, CONNECTTIMEOUTMS=500
        )
    pool = documents.options.pool_options
    assert (pool.socket_timeout, pool.connect_timeout, pool.wait_queue_timeout) == (2.0, 0.5, 2.0)
    documents.close()
