"""Settings: from arguments, from the environment, and what is said when they are wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
from servers.sql import SqlServer, rows

import breakwater_runtime as breakwater
from breakwater_runtime import environment, testing
from breakwater_runtime._version import VERSION
from tests.runtime.lambda_context import Context


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKWATER_ENGINE", raising=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"host": "h"}, r"engine .*BREAKWATER_ENGINE.* is None. It is one of mysql"),
        ({"engine": "oracle", "host": "h"}, r"engine .* is 'oracle'"),
        ({"engine": "redis", "host": "h"}, r"speaks mysql, mariadb and postgresql"),
        ({"engine": "mysql", "port": 3306}, r"host .* is None"),
        ({"engine": "mysql", "host": "h:3306"}, r"host .* is 'h:3306'. Give one name or address, without"),
        ({"engine": "mysql", "host": "h\n"}, r"host .* is 'h\\n'. Give one name"),
        ({"engine": "postgresql", "host": "one,two"}, r"host .* is 'one,two'. Give one name"),
        ({"engine": "postgresql", "host": "/var/run"}, r"host .* is '/var/run'. Give one name"),
        ({"engine": "postgresql", "host": "[::1]"}, r"host .* is '\[::1\]'. Give one name"),
        ({"engine": "mysql", "host": "h", "port": 70000}, r"port .* is '70000'. It is a number from 1 to 65535"),
        ({"engine": "mysql", "host": "h", "utilization": 1.5}, r"utilization .*from 0 to 1"),
        ({"engine": "mysql", "host": "h", "max_connections": 0}, r"max_connections .*at least 1"),
        ({"engine": "mysql", "host": "h", "function_timeout": 5401}, r"function_timeout .*from 0 to 5400"),
        ({"engine": "mysql", "host": "h", "auth": "kerberos"}, r"auth .* is 'kerberos'"),
        ({"engine": "mysql", "host": "h", "auth": "iam"}, r"user .* is None"),
        ({"engine": "mysql", "secret_arn": "arn:s", "tls_ca": "by-host"}, r"tls_ca .* is 'by-host'. Give a host"),
    ],
)
def test_a_wrong_setting_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(breakwater.ConfigurationError, match=message):
        breakwater.database(**arguments)  # pyrefly: ignore


@pytest.mark.parametrize(
    ("host", "authorities"),
    [
        ("shop.c9akciq32abc.eu-central-1.rds.amazonaws.com", "bundled"),
        ("Shop.cluster-ro-c9akciq32abc.EU-central-1.RDS.amazonaws.com.", "bundled"),
        ("shop.global-c9akciq32abc.global.rds.amazonaws.com", "bundled"),
        ("shop.cluster-c9akciq32abc.eu-central-1.docdb.amazonaws.com", "bundled"),
        ("shop.c9akciq32abc.cn-north-1.rds.amazonaws.com.cn", "bundled"),
        ("shop.c9akciq32abc.rds.cn-north-1.amazonaws.com.cn", "bundled"),
        ("shop.proxy-c9akciq32abc.eu-central-1.rds.amazonaws.com", "system"),
        ("reads.endpoint.proxy-c9akciq32abc.eu-central-1.rds.amazonaws.com", "system"),
        ("shop.c9akciq32abc.eu-central-1.rds.amazonaws.com.example.net", "system"),
        ("c9akciq32abc.eu-central-1.rds.amazonaws.com", "system"),
        ("db.example.net", "system"),
        ("10.0.0.7", "system"),
    ],
)
def test_authorities_that_follow_the_host(host: str, authorities: str) -> None:
    assert environment.Settings(None, {"engine": "mysql", "host": host, "tls_ca": "by-host"}).tls_ca == authorities


def test_a_function_on_managed_instances_may_take_ninety_minutes() -> None:
    settings = environment.Settings(None, {"engine": "mysql", "host": "h", "function_timeout": 5400})
    assert settings.function_timeout == 5400


def test_a_database_that_nothing_is_said_about_is_looked_up_when_it_is_used(
    server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = breakwater.database()
    assert isinstance(database, breakwater.Database)
    for unconfigured, setting in ((database, "ENGINE"), (breakwater.database(engine="mysql"), "HOST")):
        with pytest.raises(breakwater.ConfigurationError, match=rf"BREAKWATER_{setting}.* is None"):
            unconfigured.connection(Context(1)).__enter__()
    with pytest.raises(breakwater.ConfigurationError, match=r"BREAKWATER_ENGINE.* is None"):
        breakwater.async_database().connection(Context(1))
    with testing.environment(
        **{name: server.settings[name] for name in ("engine", "host", "port", "user", "password", "database")}
    ):
        for _ in range(2):
            with database.connection(Context(10)) as connection:
                assert rows(connection, "SELECT 1")[0][0] == 1
        assert database.counters.connects == 1
        database.close()


def test_another_version_of_the_constructs_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    for deployed in (VERSION, "0.0.9", "0.0.9"):
        monkeypatch.setenv("BREAKWATER_VERSION", deployed)
        environment.Settings(None, {"engine": "mysql", "host": "127.0.0.1"})
    (entry,) = caplog.records
    assert entry.levelname == "WARNING"
    assert f"by cdk-breakwater 0.0.9, and its breakwater_runtime is {VERSION}." in entry.getMessage()


def test_names_are_there_without_any_driver() -> None:
    """As in an image with none: `import *`, help(), create_autospec() and the calls themselves."""
    code = (
        "import sys, unittest.mock, pydoc\n"
        "for driver in 'pymysql psycopg redis pymongo botocore boto3 urllib3 sqlalchemy aiomysql'.split():\n"
        "    sys.modules[driver] = None\n"
        "from breakwater_runtime import *\n"
        "import breakwater_runtime as b\n"
        "unittest.mock.create_autospec(b).mongo()\n"
        "pydoc.render_doc(b)\n"
        "for make in (b.mongo, b.redis):\n"
        "    try: make(host='127.0.0.1')\n"
        "    except b.ConfigurationError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == [
        "mongo() needs PyMongo: pip install pymongo",
        "redis() needs redis-py: pip install redis",
    ]


def test_a_further_database_has_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_ENGINE", "mysql")
    monkeypatch.setenv("BREAKWATER_HOST", "orders.example.net")
    monkeypatch.setenv("BREAKWATER_REPORTS_ENGINE", "postgresql")
    monkeypatch.setenv("BREAKWATER_REPORTS_HOST", "reports.example.net")
    assert breakwater.database()._keeper.settings.host == "orders.example.net"
    assert breakwater.database("reports")._keeper.settings.host == "reports.example.net"
    assert environment.variable("HOST", "reports") == "BREAKWATER_REPORTS_HOST"


def test_the_import_brings_no_driver_and_no_botocore() -> None:
    code = (
        "import sys, breakwater_runtime as b; b.ConfigurationError; b.database\n"
        "heavy = {'pymysql', 'psycopg', 'redis', 'pymongo', 'botocore', 'boto3', 'asyncio', 'sqlalchemy', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in breakwater.__all__:
        assert callable(getattr(breakwater, name)), f"{name} is a module's name, too"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        breakwater.nothing  # noqa: B018
