"""Settings: from arguments, from the environment, and what is said when they are wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

import breakwater_runtime as breakwater
from breakwater_runtime import environment


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKWATER_ENGINE", raising=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"engine .*BREAKWATER_ENGINE.* is None. It is one of mysql"),
        ({"engine": "oracle", "host": "h"}, r"engine .* is 'oracle'"),
        ({"engine": "redis", "host": "h"}, r"speaks mysql, mariadb and postgresql"),
        ({"engine": "mysql"}, r"host .* is None"),
        ({"engine": "mysql", "host": "h", "port": 70000}, r"port .* is '70000'. It is a number from 1 to 65535"),
        ({"engine": "mysql", "host": "h", "utilization": 1.5}, r"utilization .*from 0 to 1"),
        ({"engine": "mysql", "host": "h", "max_connections": 0}, r"max_connections .*at least 1"),
        ({"engine": "mysql", "host": "h", "auth": "kerberos"}, r"auth .* is 'kerberos'"),
        ({"engine": "mysql", "host": "h", "auth": "iam"}, r"user .* is None"),
    ],
)
def test_a_wrong_setting_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(breakwater.ConfigurationError, match=message):
        breakwater.database(**arguments)  # pyrefly: ignore


def test_a_further_database_has_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_ENGINE", "mysql")
    monkeypatch.setenv("BREAKWATER_HOST", "orders.example.net")
    monkeypatch.setenv("BREAKWATER_REPORTS_ENGINE", "postgresql")
    monkeypatch.setenv("BREAKWATER_REPORTS_HOST", "reports.example.net")
    assert breakwater.database()._settings.host == "orders.example.net"
    assert breakwater.database("reports")._settings.host == "reports.example.net"
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
        assert getattr(breakwater, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        breakwater.nothing  # noqa: B018
